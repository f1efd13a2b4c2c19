"""Unnamed directions of a generator: the principal components of its W (Härkönen et al. 2020, "GANSpace", Sec. 3.1).

Nobody labels them, so each is called by what it is: "ganspace component 1" is where random faces differ most.
"""

from dataclasses import dataclass

import torch

SAMPLES = 10_000  # of W


@dataclass(frozen=True)
class Component:
    """An editor that moves codes along one component: direction (D,) of unit length, sigma its standard deviation.

    share: of the variance of W.  The published code counts components from 0, this from 1.
    """

    name: str
    direction: torch.Tensor
    sigma: float
    share: float
    space = "w+"

    def edit(self, ws: torch.Tensor, strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) moved by `strength` standard deviations, the first `rows` style rows only (0: all)."""
        steps = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device).reshape(-1, 1, 1)
        moved = ws + steps * self.sigma * self.direction.to(ws)
        return moved if not rows else torch.cat([moved[:, :rows], ws[:, rows:]], 1)


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
