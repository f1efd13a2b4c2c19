"""The `Trajectory` protocol: a path in W+ that can be asked for any time."""

from typing import Protocol

import torch


class Trajectory(Protocol):
    """What every method's `fit(clip, settings, seed)` returns."""

    span: tuple[float, float]

    def __call__(self, ts: torch.Tensor) -> torch.Tensor:
        """Codes (T, L, D) at times ts (T,) in seconds, in any order; outside `span` they are extrapolated."""

    def derivative(self, ts: torch.Tensor) -> torch.Tensor:
        """dz/dt (T, L, D) at times ts, per second."""
