"""The principal axes of codes: the plane that a figure shows of a path, and how much of the path that is."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class PrincipalAxes:
    """Directions of codes (L, D) in the order of their variance.

    centre (L, D): the mean code.  axes (r, L*D): orthonormal.  share (r,): of the codes' variance, falling, sum 1.
    """

    centre: torch.Tensor
    axes: torch.Tensor
    share: torch.Tensor

    @classmethod
    def of(cls, ws: torch.Tensor) -> "PrincipalAxes":
        """Of codes ws (T, L, D), T >= 2; codes that are all the same have an axis with the whole of no variance."""
        ws = ws.double()
        centre = ws.mean(0)
        _, values, axes = torch.linalg.svd((ws - centre).flatten(1), full_matrices=False)
        kept = values > 1e-6 * values[0].clamp(min=1e-12)  # the mean took one dimension
        kept[0] = True
        variance = values[kept].square()
        return cls(centre, axes[kept], variance / variance.sum() if variance.sum() else torch.ones_like(variance))

    def scores(self, ws: torch.Tensor, count: int = 2) -> torch.Tensor:
        """Coordinates (..., count) of codes (..., L, D) on the first axes; 0 on axes that there are not."""
        found = self.along(ws - self.centre.to(ws.device), self.axes[:count])
        return torch.nn.functional.pad(found, (0, count - found.shape[-1]))

    @staticmethod
    def along(offsets: torch.Tensor, axes: torch.Tensor) -> torch.Tensor:
        """Coordinates (..., k) of offsets (..., L, D) along axes (k, L*D)."""
        return offsets.double().flatten(-2) @ axes.T

    def reaching(self, share: float) -> int:
        """How many components together reach that share of the variance, 0 to 1."""
        return min(int((self.share.cumsum(0) < share - 1e-9).sum()) + 1, len(self.share))

    def outside(self, ws: torch.Tensor) -> torch.Tensor:
        """Squared distance (T,) of codes ws (T, L, D) from the affine space that all axes span."""
        offsets = (ws.double() - self.centre).flatten(1)
        return (offsets.square().sum(1) - self.along(ws - self.centre, self.axes).square().sum(1)).clamp(min=0)

    def beside(self, offset: torch.Tensor, count: int = 2) -> torch.Tensor:
        """The unit axis (1, L*D) of what of an offset (L, D) the first axes do not show; zeros where they show all."""
        flat = offset.double().flatten()
        rest = flat - self.axes[:count].T @ (self.axes[:count] @ flat)
        length = rest.norm()
        return (rest / length if length > 1e-6 * flat.norm() else torch.zeros_like(rest))[None]
