"""Other episodes of a world to learn from: drawn once, a file each, so that drawing can stop and go on."""

import time
from itertools import count, islice
from pathlib import Path

import torch
from safetensors.torch import save_file
from tqdm import tqdm

from dynode import clips
from dynode.experiments.pixels.frames import Seen
from dynode.io import files
from dynode.io.images import as_images, levels
from dynode.io.tensor_files import read_safetensors
from dynode.training.rendered_pictures import drawn_by
from dynode.worlds import World

FORMAT = "dynode-lesson-1"
FIRST_SEED = 1000  # of episodes to learn from


def taken(world: World) -> set[int]:
    """Seeds of the world's episodes that clips ship of, of whatever kind."""
    told = (clips.load(name).meta.get("episode", {}) for name in clips.shipped_names())
    return {episode["seed"] for episode in told if episode.get("world") == world.name}


def free_seeds(world: World, number: int) -> list[int]:
    """Seeds that no shipped clip of the world uses."""
    known = taken(world)
    return list(islice((seed for seed in count(FIRST_SEED) if seed not in known), number))


def moments(frames: int, seconds: float, seed: int) -> torch.Tensor:
    """Both ends of an episode and random times between, (frames,) in seconds: gaps of every length are met."""
    inner = torch.rand(frames - 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return seconds * torch.cat([torch.zeros(1), inner.sort().values, torch.ones(1)]).double()


def lessons(
    world: World,
    kind: str,
    number: int,
    *,
    folder: Path,
    frames: int = 24,
    resolution: int = 64,
    seconds: float = 2.0,
    rays: int = 1,
    progress: bool = False,
) -> tuple[list[Seen], float]:
    """So many episodes of a kind, of seeds that no shipped clip uses, and how many seconds it took to draw them.

    Finished files in `folder` are read, the others drawn.  Raises UserError for an unknown kind.
    """
    place = Path(folder) / f"{world.name}.{kind}.{resolution}.{frames}.{rays}.{seconds:g}.{drawn_by(world)}"
    found, spent = [], 0.0
    for seed in tqdm(free_seeds(world, number), f"draw {world.name}", unit="episode", disable=not progress):
        path = place / f"{seed}.safetensors"
        if not path.is_file():
            draw(path, world, kind, seed, moments(frames, seconds, seed), seconds, resolution, rays)
        tensors, told = read_safetensors(path, FORMAT, "an episode to learn from")
        found.append(Seen(as_images(tensors["images"]), tensors["ts"]))
        spent += float(told["seconds"])
    return found, spent


def draw(path: Path, world: World, kind: str, seed: int, ts, seconds: float, resolution: int, rays: int) -> None:
    """Write the frames of one episode at times ts, atomically, with the seconds it took."""
    began = time.time()
    images = world.images(world.episode(kind, seed, seconds).factors(ts), resolution, samples=rays)
    spent = f"{time.time() - began:.4f}"
    with files.written_whole(path) as scratch:
        save_file({"images": levels(images), "ts": ts}, scratch, {"format": FORMAT, "seconds": spent})
