"""Episodes of a world with codes by an encoder, a few frames of each: kept in the cache, so that encoding can be resumed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from dynode.generators.protocol import Generator
from dynode.inversion import encoder_files
from dynode.io import assets, files
from dynode.training.rendered_pictures import renderer_hash
from dynode.worlds import Episode, World

FIRST, LAST = 5, 2999  # seeds: those of shipped clips are lower, those of test episodes higher
SECONDS, FPS = 2.0, 24.0
FRAMES = round(SECONDS * FPS)
COUNTS = (8, 8, 12, 12, 20)  # frames of an episode, by its seed
AT_ONCE = 20  # frames that an encoder gets


@dataclass(frozen=True)
class EncodedEpisodes:
    """Codes ws (N, M, L, D) and factors (N, M, F) of the frames `index` (N, M); valid (N, M): where an episode has that many."""

    index: torch.Tensor
    valid: torch.Tensor
    ws: torch.Tensor
    factors: torch.Tensor

    def __len__(self) -> int:
        return len(self.index)

    def parts(self) -> list[int]:
        """How many frames each episode has."""
        return self.valid.sum(1).tolist()


def episode_of(world: World, seed: int) -> Episode:
    """The episode of a development seed; the kinds of the world take turns."""
    kinds = list(world.kinds)
    return world.episode(kinds[(seed - FIRST) % len(kinds)], seed, SECONDS)


def factors_of(world: World, seed: int, index: torch.Tensor) -> torch.Tensor:
    """Factors (M, F) of the frames `index` (M,) of a development episode."""
    return episode_of(world, seed).factors(index.double().numpy() / FPS)


def drawn_frames(seed: int) -> torch.Tensor:
    """The frames of an episode that are encoded: the first, and others drawn at random, in order."""
    rng, count = np.random.default_rng(seed + 10**6), COUNTS[seed % len(COUNTS)]
    return torch.from_numpy(np.concatenate([[0], np.sort(rng.choice(np.arange(1, FRAMES), count - 1, replace=False))]))


def encode_episodes(
    world: World,
    seeds: Sequence[int],
    generator: Generator,
    *,
    whole: bool = False,
    folder: Path | None = None,
    progress: bool = False,
) -> EncodedEpisodes:
    """The episodes of these seeds.  whole: all their frames.  folder: of the files, by default in the user's cache."""
    path = encoder_files.shipped_for(generator)
    encoder = encoder_files.load(path, generator)
    name = f"{generator.name}.{encoder_files.hash_of(path)}.{renderer_hash(world)}"
    folder = Path(folder or assets.own_dir() / "episodes") / name
    kept = []
    for seed in tqdm(seeds, desc=f"encode {world.name}", unit="episode", disable=not progress, mininterval=2):
        index = torch.arange(FRAMES) if whole else drawn_frames(seed)
        file = folder / f"{seed}{'.whole' if whole else ''}.safetensors"
        if not file.is_file():
            images = world.images(factors_of(world, seed, index), generator.resolution, device=generator.w_avg.device)
            ws = torch.cat([encoder(part).cpu() for part in images.split(AT_ONCE)])
            with files.written_whole(file, keep=False) as scratch:
                save_file({"ws": ws.half()}, scratch)
        kept.append((index, load_file(file)["ws"].float(), factors_of(world, seed, index)))
    return gathered(kept)


def gathered(kept: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> EncodedEpisodes:
    """(index, ws, factors) of each episode as tensors of all, filled up with zeros."""
    valid = [torch.ones(len(index), dtype=torch.bool) for index, _, _ in kept]
    columns = [[index for index, _, _ in kept], valid, [ws for _, ws, _ in kept], [f for _, _, f in kept]]
    index, valid, ws, factors = (torch.nn.utils.rnn.pad_sequence(column, batch_first=True) for column in columns)
    return EncodedEpisodes(index, valid, ws, factors)
