"""Generators by name: the registry `SOURCES`, loading, and rendering of codes.

A generator has a name in `SOURCES`, or is a file: weights that `dynode train gan` wrote, a StyleGAN2 as others publish it (.pkl,
.pt), or a tuning by `dynode tune`, which has everything but its images from its base, the hash included; `@w` or `@z` behind
the name takes codes of W or Z instead of W+.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dynode import runtime
from dynode.border import numbers, ordinary_modes, public
from dynode.errors import UserError
from dynode.generators import published_stylegan2, tuned, weights
from dynode.generators.latent_spaces import OneRow
from dynode.generators.protocol import Generator
from dynode.io import assets
from dynode.io.inputs import require_file
from dynode.lazy import Registry
from dynode.settings import choose


@dataclass(frozen=True)
class Source:
    """How a generator that is known by name is made.

    build: paths of the assets, in their order -> the network, a torch module.  category: "face", or the world that it shows.
    resolution: pixels a side.  assets: names in `assets.toml`.  identity: the asset whose hash identifies the weights;
    without assets, any text that changes with them.  code_shape: (num_ws, w_dim) where it is known without building it.
    """

    build: Callable[..., Generator]
    category: str
    resolution: int
    assets: tuple[str, ...] = ()
    identity: str = ""
    code_shape: tuple[int, int] | None = None

    @property
    def hash(self) -> str:
        """Twelve hex digits that identify the weights."""
        if self.identity in self.assets:
            return assets.find(self.identity).sha256[:12]
        return hashlib.sha256(self.identity.encode()).hexdigest()[:12]


SOURCES: Registry[Source] = Registry("dynode.generators", "dynode.generators")


def shipped() -> dict[str, Path]:
    """Weights that come with the package, by the generator's name."""
    return runtime.shipped("weights")


def source_of(name: str) -> Source | Path:
    """What the generator of that name is made of: a registered source, or a file of weights; of a tuned one, its base.

    Raises UserError for an unknown name and for a file that is not there.
    """
    if tuning := tuning_of(name):
        return source_of(tuning.base)
    name = name.partition("@")[0]
    if name.endswith((".safetensors", *published_stylegan2.SUFFIXES)):
        return require_file(name, "train a generator by `dynode train gan`, or name a known one")
    sources: dict[str, Source | Path] = {**SOURCES, **shipped()}
    return choose("generator", name, sources)


def format_of(path: Path) -> Any:
    """The module that reads a file of weights: `load`, `category`, `resolution` and `code_shape` of its path."""
    return published_stylegan2 if path.suffix in published_stylegan2.SUFFIXES else weights


def of_world(world: str) -> str:
    """The name of the generator that an episode of a world is inverted into by default: the one that copies its renderer."""
    return f"stylegan2-{world}-factors"


def tuning_of(name: str) -> tuned.Tuning | None:
    """The tuning that a generator's name is the file of, if it is one."""
    file = name.partition("@")[0]
    return tuned.read(file) if tuned.is_tuning(file) else None


def base_of(name: str) -> str:
    """The name of the generator that codes belong to: itself, or of a tuned one its base."""
    tuning, (_, at, space) = tuning_of(name), name.partition("@")
    return f"{tuning.base}{at}{space}" if tuning else name


def category_of(name: str) -> str:
    """What the generator shows: "face", or the name of the world it was trained on."""
    source = source_of(name)
    return format_of(source).category(source) if isinstance(source, Path) else source.category


def resolution_of(name: str) -> int:
    """Pixels a side of the generator's images, without loading it."""
    source = source_of(name)
    return format_of(source).resolution(source) if isinstance(source, Path) else source.resolution


def code_shape_of(name: str) -> tuple[int, int]:
    """(num_ws, w_dim) of the generator's codes, without reading its weights where that can be."""
    source = source_of(name)
    if isinstance(source, Path) and "@" not in name:
        return format_of(source).code_shape(source)
    if isinstance(source, Source) and source.code_shape and "@" not in name:
        return source.code_shape
    network = load(name)
    return network.num_ws, network.w_dim


def hash_of(name: str) -> str:
    """Twelve hex digits that identify a generator's weights; codes, fits and records carry them."""
    source = source_of(name)
    return assets.sha256_of(source)[:12] if isinstance(source, Path) else source.hash


@ordinary_modes
def load(name: str = "mobilestylegan-ffhq", device: torch.device | str = "cpu") -> Generator:
    """The frozen generator of that name on `device`; what does not ship is fetched on first use.

    NAME@w and NAME@z take codes of one row, of W or of Z, instead of W+.
    Raises UserError for a tuning whose base has other weights by now.
    """
    device = runtime.device(device)
    source, (name, at, space) = source_of(name), name.partition("@")
    runtime.keep_freed_memory()
    if tuning := tuning_of(name):
        name = tuning.base
        require_base(tuning)
    if isinstance(source, Path):
        network: Any = format_of(source).load(source, name)
    else:
        network = source.build(*(assets.fetch(asset) for asset in source.assets))
    if at:
        network = OneRow(network, space)
    network = network.to(device, memory_format=torch.channels_last)
    network.hash = hash_of(name)
    return tuned.applied(network, tuning) if tuning else network


load_generator = public(load)  # trainings count on the random numbers that `load` uses up


def require_same(generator_name: str, generator_hash: str, what: str) -> None:
    """Refuse codes that belong to other weights: they would render as a different, wrong face.

    what: the subject of the message, such as "The clip talk".
    """
    wanted = hash_of(generator_name)
    if generator_hash != wanted:
        raise UserError(
            f"{what} belongs to weights {generator_hash or 'unknown'} of {generator_name}, the ones installed are "
            f"{wanted}: invert the video again, or bring back the weights it was made with."
        )


def require_base(tuning: tuned.Tuning) -> None:
    """Raises UserError for a tuning of other weights than those that its base has now."""
    wanted = hash_of(tuning.base)
    if tuning.base_hash != wanted:
        raise UserError(
            f"{tuning.path} tunes weights {tuning.base_hash} of {tuning.base}, the ones installed are {wanted}: tune them "
            "anew by `dynode tune`, or bring back the weights it was made with."
        )


def name_for(meta: Mapping[str, Any], what: str, tuning: str | Path = "") -> str:
    """The name of the generator that renders the codes of a clip: its own, or its tuning's file (see `tuned.of_clip`).

    meta: the clip's metadata.  what: the subject of a message, such as "The clip talk".
    Raises UserError for codes of other weights than those installed, and for a tuning that is not theirs.
    """
    name = meta.get("generator", "")
    require_same(name, meta.get("generator_hash", ""), what)
    chosen = tuned.of_clip(meta, what, tuning)
    _, at, space = name.partition("@")
    return f"{chosen.path}{at}{space}" if chosen else name


def of_clip(
    meta: Mapping[str, Any], what: str, tuning: str | Path = "", device: torch.device | str = "cpu"
) -> Generator:
    """The generator that renders the codes of a clip, loaded; see `name_for`."""
    return load(name_for(meta, what, tuning), device)


@ordinary_modes
@torch.no_grad()
def render(
    generator: Generator, ws: torch.Tensor, resolution: int = 256, chunk: int = 0, progress: tqdm | None = None
) -> torch.Tensor:
    """Images (T, 3, R, R), clamped to [-1, 1], of codes ws (T, L, D), `chunk` frames at a time, on the CPU.

    chunk 0 picks what is fastest: one frame on a CPU (batches leave its cache), eight on a GPU.
    Raises UserError for codes of another shape than the generator's.
    """
    wanted, ws = (generator.num_ws, generator.w_dim), numbers(ws, "The codes to render")
    if ws.shape[1:] != wanted:
        raise UserError(f"{generator.name} wants codes (T, {wanted[0]}, {wanted[1]}), got {tuple(ws.shape)}.")
    images, chunk = [], chunk or (1 if generator.w_avg.device.type == "cpu" else 8)
    for part in ws.split(chunk):
        part = part.to(generator.w_avg)
        images.append(generator.synthesis(part, resolution).clamp(-1, 1).cpu())
        if progress is not None:
            progress.update(len(part))
    return torch.cat(images)
