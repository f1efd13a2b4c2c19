"""Random codes of W+ by style mixing: rows of several random codes of W, in as many blocks.

A random code of W is the same in all rows, so that it cannot tell which row an attribute is in; and a projected code,
whose rows differ, is like none of them.  Mixtures are scored by their own pictures, drawn once as those of `samples`.
"""

from collections.abc import Iterator

import torch

from dynode import generators, runtime
from dynode.editing import random_samples
from dynode.editing.random_samples import SampleSettings
from dynode.perception import attributes

MOST = 4  # blocks of rows in a mixture, at most
SEED = 1  # their parts are other codes than the samples of seed 0


def sources(count: int, rows: int, seed: int) -> torch.Tensor:
    """Which of four parents each row of each mixture comes from (N, L): blocks of rows in order, two to four of them.

    Drawn one mixture after the other, so that the first are the same for any count.
    """
    draws = torch.Generator().manual_seed(runtime.legal_seed(seed))
    found = torch.zeros(count, rows, dtype=torch.long)
    for k in range(count):
        blocks = min(int(torch.randint(2, MOST + 1, (1,), generator=draws)), rows)
        begins = 1 + torch.randperm(max(rows - 1, 1), generator=draws)[: blocks - 1]
        for begin in begins.tolist():
            found[k, begin:] += 1
    return found


def codes(generator, count: int, truncation_psi: float = 0.7, seed: int = SEED) -> torch.Tensor:
    """Codes (N, L, D): the first of them are the same for any count."""
    parents = random_samples.codes(generator, SampleSettings(MOST * count, seed, truncation_psi)).view(count, MOST, -1)
    chosen = sources(count, generator.num_ws, seed)
    return parents.gather(1, chosen[..., None].expand(-1, -1, parents.shape[-1]))


def pictures(generator, count: int, truncation_psi: float = 0.7, seed: int = SEED, progress: bool = False) -> Iterator:
    """Images (B, 3, R, R) in [-1, 1] of the mixtures, in parts of 50, as `samples.pictures` keeps its own."""
    folder = random_samples.place_of(generator, SampleSettings(count, seed, truncation_psi))
    ws = codes(generator, count, truncation_psi, seed)
    yield from random_samples.drawn(generator, ws, folder.with_name(folder.name + ".mixed"), progress)


@torch.no_grad()
def scored(generator, count: int, truncation_psi: float = 0.7, *, device="cpu", progress: bool = False) -> torch.Tensor:
    """Scores (N, A) of the mixtures' pictures, NaN where a thing cannot be measured."""
    score = attributes.of(generators.category_of(generator.name), device)
    parts = pictures(generator, count, truncation_psi, progress=progress)
    return torch.cat([score(part.to(device)).float().cpu() for part in parts])
