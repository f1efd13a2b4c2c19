"""Tubes: training beside the observed codes, so that a field says the same of an edited code as of the code itself.

Nothing in the paper's losses tells the field what to do where no code was seen.  With a tube each solve starts from u + d and
is to end at the target plus the same d: for a field that has learned it, following it from an edited code carries the edit
along unchanged.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Tube:
    """What starts and targets are moved by: Gaussian noise, or shares of given edits.

    scale: the noise's standard deviation in root mean squares of the states about their mean; of edits (M, R, K), in the
    field's space, the farthest share that is gone, either way.
    """

    scale: float
    spread: float
    edits: torch.Tensor | None = None

    @classmethod
    def around(cls, u: torch.Tensor, scale: float, edits: torch.Tensor | None = None) -> "Tube":
        """About states u (n, R, K)."""
        return cls(scale, float((u - u.mean(0)).square().mean().sqrt()), edits)

    def draw(self, states: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        """One offset for each of the states (..., R, K), on their device."""
        shape = states.shape
        if self.edits is None:
            noise = torch.randn(shape, generator=draws)
            return self.scale * self.spread * noise.to(states)
        chosen = torch.randint(len(self.edits), shape[:-2], generator=draws)
        share = self.scale * (2 * torch.rand(shape[:-2], generator=draws) - 1)
        return share[..., None, None].to(states) * self.edits.to(states)[chosen.to(self.edits.device)]
