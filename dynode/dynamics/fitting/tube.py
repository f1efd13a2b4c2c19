"""Tubes: training with offset codes, so that the field has the same velocity at an edited code as at the code itself.

The paper's losses constrain the field at the observed codes only.  With a tube each solve starts from u + d, and its target
is offset by the same d: a field that has learned this propagates an edit unchanged.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Tube:
    """The distribution of offsets: Gaussian noise, or fractions of given edits.

    scale: standard deviation of the noise in units of `rms`, the root mean square of the states about their mean; for
    edits (M, R, K), in the field's space, the largest fraction in either direction.
    """

    scale: float
    rms: float
    edits: torch.Tensor | None = None

    @classmethod
    def around(cls, u: torch.Tensor, scale: float, edits: torch.Tensor | None = None) -> "Tube":
        """The tube about states u (n, R, K)."""
        return cls(scale, float((u - u.mean(0)).square().mean().sqrt()), edits)

    def draw(self, states: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """One random offset for each of the states (..., R, K), on their device."""
        shape = states.shape
        if self.edits is None:
            noise = torch.randn(shape, generator=rng)
            return self.scale * self.rms * noise.to(states)
        index = torch.randint(len(self.edits), shape[:-2], generator=rng)
        fraction = self.scale * (2 * torch.rand(shape[:-2], generator=rng) - 1)
        return fraction[..., None, None].to(states) * self.edits.to(states)[index.to(self.edits.device)]
