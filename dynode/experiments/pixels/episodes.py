"""Training episodes of a world: rendered once, one file each, so that a stopped run is continued."""

import time
from itertools import count, islice
from pathlib import Path

import torch
from tqdm import tqdm

from dynode import clips
from dynode.experiments.pixels.frames import ObservedFrames
from dynode.io.images import from_levels, to_levels
from dynode.io.tensor_files import read_safetensors, write_safetensors
from dynode.training.rendered_pictures import renderer_hash
from dynode.worlds import World

FORMAT = "dynode-lesson-1"
FIRST_SEED = 1000  # of training episodes


def shipped_seeds(world: World) -> set[int]:
    """Seeds of the world's episodes, of any kind, of which clips ship."""
    episodes = (clips.load(name).meta.get("episode", {}) for name in clips.shipped_names())
    return {episode["seed"] for episode in episodes if episode.get("world") == world.name}


def free_seeds(world: World, number: int) -> list[int]:
    """The first `number` seeds that no shipped clip of the world uses."""
    known = shipped_seeds(world)
    return list(islice((seed for seed in count(FIRST_SEED) if seed not in known), number))


def random_times(frames: int, seconds: float, seed: int) -> torch.Tensor:
    """Both ends of an episode and random times between, (frames,) in seconds: gaps of every length occur."""
    inner = torch.rand(frames - 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return seconds * torch.cat([torch.zeros(1), inner.sort().values, torch.ones(1)]).double()


def training_episodes(
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
) -> tuple[list[ObservedFrames], float]:
    """`number` episodes of a kind, with seeds that no shipped clip uses, and the seconds that rendering them took.

    Finished files in `folder` are read, the others rendered.  Raises UserError for an unknown kind.
    """
    folder = Path(folder) / f"{world.name}.{kind}.{resolution}.{frames}.{rays}.{seconds:g}.{renderer_hash(world)}"
    episodes, total = [], 0.0
    for seed in tqdm(free_seeds(world, number), f"draw {world.name}", unit="episode", disable=not progress):
        path = folder / f"{seed}.safetensors"
        if not path.is_file():
            render_episode(path, world, kind, seed, random_times(frames, seconds, seed), seconds, resolution, rays)
        tensors, metadata = read_safetensors(path, FORMAT, "an episode to learn from")
        episodes.append(ObservedFrames(from_levels(tensors["images"]), tensors["ts"]))
        total += float(metadata["seconds"])
    return episodes, total


def render_episode(
    path: Path, world: World, kind: str, seed: int, ts: torch.Tensor, seconds: float, resolution: int, rays: int
) -> None:
    """Write the frames of one episode at times ts (T,), atomically, with the seconds that rendering took."""
    began = time.time()
    images = world.images(world.episode(kind, seed, seconds).factors(ts), resolution, samples=rays)
    spent = f"{time.time() - began:.4f}"
    write_safetensors(path, {"images": to_levels(images), "ts": ts}, FORMAT, seconds=spent)
