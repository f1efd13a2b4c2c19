"""What must be kept of a clip to show it again: its codes, a learned path (z_0, theta), a few components, or a video."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics import fit_files
from dynode.dynamics.baselines.interpolation import Linear
from dynode.dynamics.fields import MLPField
from dynode.dynamics.presets import preset
from dynode.dynamics.state_spaces import Subspace
from dynode.evaluation.records import Row
from dynode.io import video
from dynode.io.images import from_uint8, to_uint8
from dynode.metrics import METRICS

WIDTHS = {"float32": 4, "float16": 2}  # bytes of a number


@dataclass(frozen=True)
class Kept:
    """One way to keep a clip: how many numbers it takes, part by part, and the codes that come back.

    codes: "float32" or "float16", the numbers' format, -> codes (T, L, D) at all times of the clip.
    """

    name: str
    numbers: dict[str, int]
    codes: Callable[[str], torch.Tensor]

    def bytes(self, width: str) -> int:
        return WIDTHS[width] * sum(self.numbers.values())


def rounded(numbers: torch.Tensor, width: str) -> torch.Tensor:
    """Numbers as a format keeps them."""
    return numbers.half().to(numbers.dtype) if width == "float16" else numbers


def all_codes(clip: Clip) -> Kept:
    """The codes themselves and their times."""
    return Kept("codes", {"codes": clip.ws.numel(), "times": len(clip)}, lambda width: rounded(clip.ws, width))


def chords(clip: Clip) -> Kept:
    """The observed codes, and straight lines between them."""
    seen = clip.observations()
    numbers = {"codes": seen.ws.numel(), "times": len(clip)}
    return Kept("observed codes, lines", numbers, lambda width: Linear(seen.ts, rounded(seen.ws, width))(clip.ts))


def components(clip: Clip, count: int) -> Kept:
    """The first principal components of all codes: the best that so many directions can do."""
    whole = Subspace.fit(clip.ws)
    space = Subspace(whole.mu, whole.basis[:count], whole.sigma)
    numbers = {"space": space.mu.numel() + space.basis.numel() + 1, "coordinates": len(clip) * len(space.basis)}

    def codes(width):
        kept = Subspace(*(rounded(each, width) for each in (space.mu, space.basis, space.sigma)))
        return kept.decode(rounded(space.encode(clip.ws), width))

    return Kept(f"{len(space.basis)} components", numbers | {"times": len(clip)}, codes)


def path(name: str, fit, clip: Clip) -> Kept:
    """A fitted path: what was learned, the space it lives in, and the states it starts from."""
    numbers = fit_files.numbers(fit) | {"times": len(clip)}
    return Kept(name, numbers, lambda width: (fit_files.halved(fit) if width == "float16" else fit)(clip.ts))


def demo_numbers(shape: tuple[int, int]) -> dict[str, int]:
    """What (z_0, theta) of the published demo's field takes, for codes (L, D)."""
    net = MLPField(shape, preset("demo").field)
    return {"field": sum(p.numel() for p in net.parameters()), "start": shape[0] * shape[1]}


def as_video(images: torch.Tensor, fps: float, crf: int) -> tuple[int, torch.Tensor]:
    """Bytes of an H.264 video of images (T, 3, R, R) in [-1, 1], R even, at a constant rate factor; and what it shows."""
    with tempfile.TemporaryDirectory() as folder:
        file = video.write(Path(folder) / "clip.mp4", to_uint8(images), fps, crf)
        frames, size = from_uint8(video.read(file)[0]), file.stat().st_size
    return size, frames


class Judge:
    """Compares what comes back of a clip with its own codes and their images, at one frame in `every` (all in a video).

    networks: image metric -> the networks it wants.
    """

    def __init__(self, clip: Clip, generator, every: int, networks: dict[str, tuple], most: int = 256):
        self.clip, self.generator, self.every, self.networks = clip, generator, every, networks
        self.resolution = min(most, generator.resolution)
        self.own = self.render(clip.ws)

    def render(self, ws: torch.Tensor) -> torch.Tensor:
        return generators.render(self.generator, ws, self.resolution)

    def of_images(self, images: torch.Tensor, **told) -> Iterator[Row]:
        own = self.own[:: self.every]
        for metric, networks in self.networks.items():
            value = float(METRICS[metric](images, own, *networks).mean())
            yield Row(metric, value, clip=self.clip.name, unit=METRICS[metric].unit, **told)

    def of_numbers(self, kept: Kept) -> Iterator[Row]:
        """Bytes, errors of codes and of images, for each format of numbers."""
        for width in WIDTHS:
            codes, told = kept.codes(width), {"method": kept.name, "variant": width}
            error = float(METRICS["latent_mse"](codes, self.clip.ws).mean())
            yield Row("bytes", kept.bytes(width), clip=self.clip.name, space="", unit="B", **told)
            yield Row("latent_mse", error, clip=self.clip.name, space="latent", unit="w^2", **told)
            yield from self.of_images(self.render(codes[:: self.every]), **told)

    def of_video(self, fps: float, crf: int) -> Iterator[Row]:
        """The same of an H.264 video of the images, which has no codes."""
        size, images = as_video(self.own, fps, crf)
        told = {"method": f"video, crf {crf}", "variant": "file"}
        yield Row("bytes", size, clip=self.clip.name, space="", unit="B", **told)
        yield from self.of_images(images[:: self.every], **told)
