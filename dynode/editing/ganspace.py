"""Unnamed directions of a generator: the principal components of its W (Härkönen et al. 2020, "GANSpace", Sec. 3.1).

Nobody labels them, so each is called by what it is: "ganspace component 1" is where random faces differ most.
"""

from dataclasses import dataclass

import torch

from dynode.editing.directions import Direction

SAMPLES = 10_000  # of W


@dataclass(frozen=True)
class Component(Direction):
    """An editor that moves codes along one component.

    share: of the variance of W.  The published code counts components from 0, this from 1.
    """

    share: float


@torch.no_grad()
def component(generator, number: int = 1, samples: int = SAMPLES, seed: int = 0) -> Component:
    """The `number`-th principal component, from 1, of so many random codes in W.

    A component has no sign of its own: its largest number is made positive.  Raises ValueError for a number beyond W.
    """
    if not 1 <= number <= generator.w_dim:
        raise ValueError(f"W has components 1 to {generator.w_dim}, got {number}")
    z = torch.randn(samples, generator.z_dim, generator=torch.Generator().manual_seed(seed))
    ws = torch.cat([generator.mapping(part.to(generator.w_avg))[:, 0] for part in z.split(1000)]).double().cpu()
    variances, directions = torch.linalg.eigh(torch.cov(ws.T))  # rising
    direction = directions[:, -number]
    direction = direction * direction[direction.abs().argmax()].sign()
    variance = variances[-number]
    share = float(variance / variances.sum())
    return Component(f"ganspace component {number}", direction.float(), float(variance.sqrt()), share)
