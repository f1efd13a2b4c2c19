"""Rendered pictures of a world without what they show: all that a GAN which never sees a factor learns from."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from tqdm import tqdm

from dynode.io import assets
from dynode.training.rendered_pictures import CHUNK, renderer_hash, require_some, save
from dynode.worlds import World

FIRST_SEED = (
    10_000  # of the first file; every file has a seed of its own, and none is that of pictures quality is measured on
)


def pictures_alone(
    world: World,
    n: int,
    resolution: int,
    *,
    folder: Path | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> torch.Tensor:
    """Pictures uint8 (n, 3, R, R) of a world, every factor uniform over its range; the factors are not kept.

    n is rounded up to whole files of 256.  Finished files in `folder`, by default of the user's cache, are read, the others
    rendered.  Raises UserError for less than one picture.
    """
    require_some(n)
    folder = folder_of(world, resolution, folder)
    parts = []
    with tqdm(total=n, desc=f"draw {world.name}", unit="picture", disable=not progress, mininterval=2) as bar:
        for k in range(-(-n // CHUNK)):
            path = folder / f"{k:04d}.safetensors"
            if not path.is_file():
                save(path, world.images(world.sample(CHUNK, FIRST_SEED + k), resolution, device=device))
            parts.append(load_file(path)["images"])
            bar.update(CHUNK)
    return torch.cat(parts)


def folder_of(world: World, resolution: int, folder: Path | None = None) -> Path:
    """Where the files of a world's pictures lie, in `folder` or the user's cache."""
    return Path(folder or assets.own_dir() / "pictures") / f"{world.name}.{resolution}.alone.{renderer_hash(world)}"


def alone_there(world: World, resolution: int) -> int:
    """How many pictures of a world the user's cache has."""
    return CHUNK * len([*folder_of(world, resolution).glob("[0-9]*.safetensors")])
