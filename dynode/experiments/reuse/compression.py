"""Compression of a clip: its codes, a learned path (z_0, theta), a few principal components, or a video."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics import fit_files
from dynode.dynamics.baselines.interpolation import Linear
from dynode.dynamics.fields import MLPField
from dynode.dynamics.presets import preset
from dynode.dynamics.state_spaces import Subspace
from dynode.dynamics.trajectory import Trajectory
from dynode.evaluation.records import Row
from dynode.generators.protocol import Generator
from dynode.io import colours, video
from dynode.io.images import from_uint8, to_uint8
from dynode.metrics import METRICS

WIDTHS = {"float32": 4, "float16": 2}  # bytes of a number


@dataclass(frozen=True)
class Representation:
    """One representation of a clip: its numbers, part by part, and the codes decoded from them.

    codes: "float32" or "float16", the format of the numbers, -> codes (T, L, D) at all times of the clip.
    """

    name: str
    numbers: dict[str, int]
    codes: Callable[[str], torch.Tensor]

    def bytes(self, width: str) -> int:
        """Its size in a format."""
        return WIDTHS[width] * sum(self.numbers.values())


def rounded(numbers: torch.Tensor, width: str) -> torch.Tensor:
    """Numbers rounded to a format, in their own type."""
    return numbers.half().to(numbers.dtype) if width == "float16" else numbers


def all_codes(clip: Clip) -> Representation:
    """All codes and their times."""
    numbers = {"codes": clip.ws.numel(), "times": len(clip)}
    return Representation("codes", numbers, lambda width: rounded(clip.ws, width))


def linear_interpolation(clip: Clip) -> Representation:
    """The observed codes, interpolated linearly."""
    observed = clip.observations()
    numbers = {"codes": observed.ws.numel(), "times": len(clip)}

    def codes(width: str) -> torch.Tensor:
        return Linear(observed.ts, rounded(observed.ws, width))(clip.ts)

    return Representation("observed codes, lines", numbers, codes)


def components(clip: Clip, count: int) -> Representation:
    """The first `count` principal components of all codes: the best linear subspace of that dimension."""
    whole = Subspace.fit(clip.ws)
    space = Subspace(whole.mu, whole.basis[:count], whole.sigma)
    numbers = {"space": space.mu.numel() + space.basis.numel() + 1, "coordinates": len(clip) * len(space.basis)}

    def codes(width: str) -> torch.Tensor:
        kept = Subspace(*(rounded(each, width) for each in (space.mu, space.basis, space.sigma)))
        return kept.decode(rounded(space.encode(clip.ws), width))

    return Representation(f"{len(space.basis)} components", numbers | {"times": len(clip)}, codes)


def path(name: str, fit: Trajectory, clip: Clip) -> Representation:
    """A fitted path: the learned parameters, the basis of its space, and its initial states."""
    numbers = fit_files.numbers(fit) | {"times": len(clip)}
    return Representation(name, numbers, lambda width: (fit_files.halved(fit) if width == "float16" else fit)(clip.ts))


def demo_numbers(shape: tuple[int, int]) -> dict[str, int]:
    """The size of (z_0, theta) of the published demo's field, for codes (L, D)."""
    net = MLPField(shape, preset("demo").field)
    return {"field": sum(p.numel() for p in net.parameters()), "start": shape[0] * shape[1]}


def as_video(images: torch.Tensor, fps: float, crf: int) -> tuple[int, torch.Tensor]:
    """Bytes of an H.264 video of images (T, 3, R, R) in [-1, 1], R even, at a constant rate factor; and its frames."""
    with tempfile.TemporaryDirectory() as folder:
        file = video.write(Path(folder) / "clip.mp4", to_uint8(images), fps, crf, look=colours.UNMARKED)
        frames, size = from_uint8(video.read(file)[0]), file.stat().st_size
    return size, frames


class CompressionJudge:
    """Compares decoded codes with a clip's own, and their images at one frame in `every` (all frames in a video).

    networks: image metric -> the networks it is computed with.
    """

    def __init__(
        self, clip: Clip, generator: Generator, every: int, networks: Mapping[str, tuple], max_resolution: int = 256
    ):
        self.clip, self.generator, self.every, self.networks = clip, generator, every, networks
        self.resolution = min(max_resolution, generator.resolution)
        self.own = self.render(clip.ws)

    def render(self, ws: torch.Tensor) -> torch.Tensor:
        """Images (T, 3, R, R) of codes (T, L, D)."""
        return generators.render(self.generator, ws, self.resolution)

    def image_rows(self, images: torch.Tensor, **identity: Any) -> Iterator[Row]:
        """Errors of the images of one frame in `every`."""
        own = self.own[:: self.every]
        for metric, networks in self.networks.items():
            value = float(METRICS[metric](images, own, *networks).mean())
            yield Row(metric, value, clip=self.clip.name, unit=METRICS[metric].unit, **identity)

    def rows(self, representation: Representation) -> Iterator[Row]:
        """Bytes, errors of codes and of images, for each format of numbers."""
        for width in WIDTHS:
            codes = representation.codes(width)
            identity: dict[str, Any] = {"method": representation.name, "variant": width}
            error, size = float(METRICS["latent_mse"](codes, self.clip.ws).mean()), representation.bytes(width)
            yield Row("bytes", size, clip=self.clip.name, space="", unit="B", **identity)
            yield Row("latent_mse", error, clip=self.clip.name, space="latent", unit="w^2", **identity)
            yield from self.image_rows(self.render(codes[:: self.every]), **identity)

    def video_rows(self, fps: float, crf: int) -> Iterator[Row]:
        """The same of an H.264 video of the images, which has no codes."""
        size, images = as_video(self.own, fps, crf)
        identity: dict[str, Any] = {"method": f"video, crf {crf}", "variant": "file"}
        yield Row("bytes", size, clip=self.clip.name, space="", unit="B", **identity)
        yield from self.image_rows(images[:: self.every], **identity)
