"""Random codes of W+ by style mixing: blocks of rows from several random codes of W.

A random code of W is the same in all rows and so carries no information on which row an attribute depends; and projected
codes, whose rows differ, are unlike it.  Mixtures are scored by their own images, cached as those of `random_samples`.
"""

from collections.abc import Iterator

import torch

from dynode import generators, runtime
from dynode.editing import random_samples
from dynode.editing.random_samples import SampleSettings
from dynode.generators.protocol import Generator
from dynode.perception import attributes

MAX_BLOCKS = 4  # blocks of rows in a mixture, at most
SEED = 1  # other codes than the samples of seed 0


def row_parents(count: int, rows: int, seed: int) -> torch.Tensor:
    """Index (N, L) of the parent, 0 to 3, of each row of each mixture: two to four blocks of rows in order.

    A larger count extends the same sequence.
    """
    rng = torch.Generator().manual_seed(runtime.legal_seed(seed))
    parents = torch.zeros(count, rows, dtype=torch.long)
    for k in range(count):
        blocks = min(int(torch.randint(2, MAX_BLOCKS + 1, (1,), generator=rng)), rows)
        begins = 1 + torch.randperm(max(rows - 1, 1), generator=rng)[: blocks - 1]
        for begin in begins.tolist():
            parents[k, begin:] += 1
    return parents


def codes(generator: Generator, count: int, truncation_psi: float = 0.7, seed: int = SEED) -> torch.Tensor:
    """Codes (N, L, D) of mixtures; a larger count extends the same sequence."""
    parents = random_samples.codes(generator, SampleSettings(MAX_BLOCKS * count, seed, truncation_psi)).view(
        count, MAX_BLOCKS, -1
    )
    chosen = row_parents(count, generator.num_ws, seed)
    return parents.gather(1, chosen[..., None].expand(-1, -1, parents.shape[-1]))


def pictures(
    generator: Generator, count: int, truncation_psi: float = 0.7, seed: int = SEED, progress: bool = False
) -> Iterator[torch.Tensor]:
    """Images (B, 3, R, R) in [-1, 1] of the mixtures, in parts of 50, cached as by `random_samples.pictures`."""
    folder = random_samples.cache_folder(generator, SampleSettings(count, seed, truncation_psi))
    ws = codes(generator, count, truncation_psi, seed)
    yield from random_samples.cached_pictures(generator, ws, folder.with_name(folder.name + ".mixed"), progress)


@torch.no_grad()
def scored(
    generator: Generator,
    count: int,
    truncation_psi: float = 0.7,
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> torch.Tensor:
    """Scores (N, A) of the mixtures' images, NaN where an attribute cannot be measured."""
    score = attributes.attribute_scorer(generators.category_of(generator.name), device)
    parts = pictures(generator, count, truncation_psi, progress=progress)
    return torch.cat([score(part.to(device)).float().cpu() for part in parts])
