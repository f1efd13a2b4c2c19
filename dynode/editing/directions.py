"""Editors that move every code the same way: along one direction of W, in standard deviations of random codes."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Direction:
    """An editor: direction (D,) of unit length, sigma the standard deviation of random codes along it."""

    name: str
    direction: torch.Tensor
    sigma: float
    space = "w+"

    def edit(self, ws: torch.Tensor, strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) moved by `strength` standard deviations, the first `rows` style rows only (0: all)."""
        steps = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device).reshape(-1, 1, 1)
        moved = ws + steps * self.sigma * self.direction.to(ws)
        return moved if not rows else torch.cat([moved[:, :rows], ws[:, rows:]], 1)
