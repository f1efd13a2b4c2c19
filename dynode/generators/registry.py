"""Generators: the `Generator` protocol and the registry `load` draws from.

A generator has a name here, or is a file of weights that `dynode train-gan` wrote; `@w` or `@z` behind it narrows W+.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from dynode import runtime
from dynode.errors import UserError
from dynode.generators import weights
from dynode.generators.latent_spaces import OneRow
from dynode.io import assets
from dynode.settings import choose


class Generator(Protocol):
    """A pretrained GAN.  Codes ws are (B, num_ws, w_dim), images (B, 3, R, R) in [-1, 1]."""

    name: str
    z_dim: int
    w_dim: int
    num_ws: int
    resolution: int
    img_channels: int
    hash: str
    w_avg: torch.Tensor
    w_std: torch.Tensor

    def mapping(self, z: torch.Tensor, truncation_psi: float = 1.0) -> torch.Tensor: ...

    def synthesis(self, ws: torch.Tensor, resolution: int | None = None) -> torch.Tensor: ...


@dataclass(frozen=True)
class Source:
    """Assets that make a generator, the one whose hash identifies it, the function that builds it, what it shows."""

    assets: tuple[str, ...]
    identity: str
    build: Callable
    category: str
    resolution: int


def build_mobile_stylegan(*files):
    from dynode.generators.openvino_ir import load_mobile_stylegan

    return load_mobile_stylegan(*files)


SOURCES = {
    "mobilestylegan-ffhq": Source(
        tuple(f"mobilestylegan-{network}-{kind}" for network in ("mapping", "synthesis") for kind in ("xml", "bin")),
        identity="mobilestylegan-synthesis-bin",
        build=build_mobile_stylegan,
        category="face",
        resolution=1024,
    ),
}


def shipped() -> dict[str, Path]:
    """Weights that come with the package, by the generator's name."""
    return runtime.shipped("weights")


def found(name: str) -> Source | Path:
    """What the generator of that name is made of.  Raises UserError for a name or a file that is not there."""
    name = name.partition("@")[0]
    if name.endswith(".safetensors"):
        if not Path(name).is_file():
            raise UserError(f"There is no file {name}: train a generator by `dynode train-gan`, or name a known one.")
        return Path(name)
    return choose("generator", name, SOURCES | shipped())


def category_of(name: str) -> str:
    """What the generator shows: "face", or the name of the world it was trained on."""
    place = found(name)
    return weights.card(place)["world"] if isinstance(place, Path) else place.category


def resolution_of(name: str) -> int:
    """Pixels a side of the generator's images, without loading it."""
    place = found(name)
    return weights.shape(place)["resolution"] if isinstance(place, Path) else place.resolution


def hash_of(name: str) -> str:
    """Twelve hex digits that identify a generator's weights; codes, fits and records carry them."""
    place = found(name)
    return (assets.sha256_of(place) if isinstance(place, Path) else assets.find(place.identity).sha256)[:12]


def load(name: str = "mobilestylegan-ffhq", device="cpu") -> Generator:
    """The frozen generator of that name on `device`; what does not ship is fetched on first use.

    NAME@w and NAME@z take codes of one row, of W or of Z, instead of W+.
    """
    place, (name, at, space) = found(name), name.partition("@")
    runtime.keep_freed_memory()
    if isinstance(place, Path):
        generator = weights.load(place, name)
    else:
        generator = place.build(*(assets.fetch(asset) for asset in place.assets))
    if at:
        generator = OneRow(generator, space)
    generator = generator.to(device, memory_format=torch.channels_last)
    generator.hash = hash_of(name)
    return generator


def require_same(generator_name: str, generator_hash: str, what: str) -> None:
    """Refuse codes that belong to other weights: they would render as a different, wrong face."""
    wanted = hash_of(generator_name)
    if generator_hash != wanted:
        raise UserError(
            f"{what} belongs to weights {generator_hash or 'unknown'} of {generator_name}, the ones installed are "
            f"{wanted}: invert the video again, or bring back the weights it was made with."
        )


@torch.no_grad()
def render(generator: Generator, ws: torch.Tensor, resolution: int = 256, chunk: int = 0, progress=None):
    """Images (T, 3, R, R), clamped to [-1, 1], of codes ws (T, L, D), `chunk` frames at a time, on the CPU.

    chunk 0 picks what is fastest: one frame on a CPU (batches leave its cache), eight on a GPU.
    Raises UserError for codes of another shape than the generator's.
    """
    wanted = (generator.num_ws, generator.w_dim)
    if ws.shape[1:] != wanted:
        raise UserError(f"{generator.name} wants codes (T, {wanted[0]}, {wanted[1]}), got {tuple(ws.shape)}.")
    images, chunk = [], chunk or (1 if generator.w_avg.device.type == "cpu" else 8)
    for part in ws.split(chunk):
        part = part.to(generator.w_avg)
        images.append(generator.synthesis(part, resolution).clamp(-1, 1).cpu())
        if progress is not None:
            progress.update(len(part))
    return torch.cat(images)
