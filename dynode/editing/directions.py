"""Editors that shift every code by the same direction of W, in standard deviations of random codes."""

from dataclasses import dataclass

import torch

from dynode.editing.editors import Strength, first_rows, per_code


@dataclass(frozen=True)
class Direction:
    """An editor: direction (D,) of unit length, sigma the standard deviation of random codes along it."""

    name: str
    direction: torch.Tensor
    sigma: float
    space = "w+"

    def edit(self, ws: torch.Tensor, strength: Strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) shifted by `strength` standard deviations, in the first `rows` style rows only (0: all)."""
        return first_rows(ws + per_code(strength, ws) * self.sigma * self.direction.to(ws), ws, rows)
