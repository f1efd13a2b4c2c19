"""Neural CDEs (Kidger et al. 2020): dh = F(h) dX, where X interpolates time and observations; with splines, and causal."""

from typing import Any

import torch
import torchcde
from torch import nn

from dynode.dynamics.baselines.recurrent import ModelSettings, SequenceModel, mlp


class CDE(SequenceModel):
    """X: natural cubic splines through (t, u); h starts from X's first value; states are read out linearly."""

    def __init__(self, width: int, settings: ModelSettings):
        super().__init__(width, settings)
        self.channels, self.hidden = width + 1, settings.hidden
        self.start = nn.Linear(self.channels, self.hidden)
        self.field = mlp(self.hidden, self.hidden * self.channels, self.hidden, nn.Tanh())
        self.read = nn.Linear(self.hidden, width)

    def forward(self, taus: torch.Tensor, u: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        path = torchcde.CubicSpline(torchcde.natural_cubic_coeffs(torch.cat([taus[:, None], u], -1), taus), taus)
        inside = times.clamp(float(taus[0]), float(taus[-1]))  # X ends there
        solved_at, inverse = torch.unique(torch.cat([taus[[0, -1]], inside]), return_inverse=True)
        start, options = self.start(path.evaluate(taus[0])), {"step_size": 0.05}
        solved = torchcde.cdeint(path, self.velocity, start, solved_at, adjoint=False, method="rk4", options=options)
        return self.read(solved)[inverse[2:]]

    def velocity(self, t: torch.Tensor | float, h: torch.Tensor) -> torch.Tensor:
        """F(h), (..., hidden, channels)."""
        return self.field(h).unflatten(-1, (self.hidden, self.channels))


class OnlineCDE(nn.Module):
    """A causal neural CDE: its hidden state at a time depends only on observations until then.

    X is the rectilinear interpolation of (t, u) (Morrill et al. 2021): between two observations first the time changes,
    then the value, so X up to now does not depend on later observations, as the natural splines of `CDE` do.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.channels, self.hidden = width + 1, hidden
        self.start = nn.Linear(self.channels, hidden)
        self.field = mlp(hidden, hidden * self.channels, hidden, nn.Tanh())
        self.read = nn.Linear(hidden, width)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, taus: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """Hidden states (n, hidden) after each of the observations u (n, K) at times taus (n,)."""
        knots = torchcde.linear_interpolation_coeffs(torch.cat([taus[:, None], u], -1), rectilinear=0)
        path = torchcde.LinearInterpolation(knots)
        exact = {"step_size": 1.0, "perturb": True}  # one step for each linear piece, with its own slope
        solved: Any = torchcde.cdeint(
            path, self.velocity, self.start(knots[0]), path.grid_points, adjoint=False, method="midpoint", options=exact
        )
        return solved[::2]

    def later(self, h: torch.Tensor, gaps: torch.Tensor) -> torch.Tensor:
        """Hidden states h (m, hidden) after gaps (m,) in time without an observation, by the midpoint method."""
        middle = h + gaps[:, None] / 2 * self.velocity(0.0, h)[..., 0]
        return h + gaps[:, None] * self.velocity(0.0, middle)[..., 0]

    def velocity(self, t: torch.Tensor | float, h: torch.Tensor) -> torch.Tensor:
        """F(h), (..., hidden, channels)."""
        return self.field(h).unflatten(-1, (self.hidden, self.channels))
