"""The part of a motion that another code can bear: along some axes of a latent space, in the coarse rows.

Codes of W+ found by optimisation move in directions that no random code has.  On their own code they compensate each
other; on another they make what is no face.
"""

from collections.abc import Iterator

import torch

from dynode.dynamics.trajectory import Times, Trajectory, double
from dynode.errors import UserError


class Limited(Trajectory):
    """z(t0) + P (z(t) - z(t0)): a path whose motion has only its parts along orthonormal axes (K, D), in the first rows.

    rows: of the codes (L, D), the others stay as they are at the beginning; 0: all.
    Raises UserError for axes of another space.
    """

    def __init__(self, path: Trajectory, axes: torch.Tensor, rows: int = 0):
        self.path, self.span, self.label, self.meta = path, path.span, path.label, path.meta
        self.first = path(double([path.span[0]]))[0]
        if axes.dim() != 2 or axes.shape[1] != self.first.shape[1]:
            raise UserError(
                f"A motion of codes {tuple(self.first.shape)} wants axes (K, {self.first.shape[1]}), got {tuple(axes.shape)}."
            )
        self.axes, self.rows = axes.to(self.first), rows or len(self.first)

    def part(self, motion: torch.Tensor) -> torch.Tensor:
        """The part of offsets or velocities (T, L, D) that is kept."""
        coarse = motion[:, : self.rows] @ self.axes.T @ self.axes
        return torch.cat([coarse, torch.zeros_like(motion[:, self.rows :])], dim=1)

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.first + self.part(self.path(ts) - self.first)

    def derivative(self, ts: Times) -> torch.Tensor:
        return self.part(self.path.derivative(ts))

    def chunks(self, ts: Times, size: int) -> Iterator[torch.Tensor]:
        for codes in self.path.chunks(ts, size):
            yield self.first + self.part(codes - self.first)
