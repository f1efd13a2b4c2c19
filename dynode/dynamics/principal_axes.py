"""Principal component analysis of codes: coordinates on the principal axes, and the explained variance."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class PrincipalAxes:
    """Directions of codes (L, D) in the order of their variance.

    centre (L, D): the mean code.  axes (r, L*D): orthonormal.  fractions (r,): of the variance explained, falling, sum 1.
    """

    centre: torch.Tensor
    axes: torch.Tensor
    fractions: torch.Tensor

    @classmethod
    def of(cls, ws: torch.Tensor) -> "PrincipalAxes":
        """Of codes ws (T, L, D), T >= 2; codes that are all equal have one axis, of fraction 1."""
        ws = ws.double()
        centre = ws.mean(0)
        _, values, axes = torch.linalg.svd((ws - centre).flatten(1), full_matrices=False)
        kept = values > 1e-6 * values[0].clamp(min=1e-12)  # centred codes have one dimension less
        kept[0] = True
        variance = values[kept].square()
        return cls(centre, axes[kept], variance / variance.sum() if variance.sum() else torch.ones_like(variance))

    def scores(self, ws: torch.Tensor, count: int = 2) -> torch.Tensor:
        """Coordinates (..., count) of codes (..., L, D) on the first axes; 0 beyond the last axis."""
        scores = self.coordinates(ws - self.centre.to(ws.device), self.axes[:count])
        return torch.nn.functional.pad(scores, (0, count - scores.shape[-1]))

    @staticmethod
    def coordinates(offsets: torch.Tensor, axes: torch.Tensor) -> torch.Tensor:
        """Coordinates (..., k) of offsets (..., L, D) along axes (k, L*D)."""
        return offsets.double().flatten(-2) @ axes.T

    def components_for(self, fraction: float) -> int:
        """How many components explain this fraction of the variance, 0 to 1."""
        return min(int((self.fractions.cumsum(0) < fraction - 1e-9).sum()) + 1, len(self.fractions))

    def squared_distance(self, ws: torch.Tensor) -> torch.Tensor:
        """Squared distance (T,) of codes ws (T, L, D) from the affine space that all axes span."""
        offsets = (ws.double() - self.centre).flatten(1)
        return (offsets.square().sum(1) - self.coordinates(ws - self.centre, self.axes).square().sum(1)).clamp(min=0)

    def residual_axis(self, offset: torch.Tensor, count: int = 2) -> torch.Tensor:
        """The unit axis (1, L*D) of the part of an offset (L, D) orthogonal to the first axes; zeros where there is none."""
        flat = offset.double().flatten()
        residual = flat - self.axes[:count].T @ (self.axes[:count] @ flat)
        length = residual.norm()
        return (residual / length if length > 1e-6 * flat.norm() else torch.zeros_like(residual))[None]
