"""Neural CDE (Kidger et al. 2020): dh = F(h) dX, where X interpolates the observations and time; and one that is causal."""

import torch
import torchcde
from torch import nn

from dynode.dynamics.baselines.recurrent import Recurrent, mlp


class CDE(Recurrent):
    """X: natural cubic splines through (t, u); h starts from X's first value; states are read out linearly."""

    def __init__(self, width: int, settings):
        super().__init__()
        self.channels, self.hidden = width + 1, settings.hidden
        self.start = nn.Linear(self.channels, self.hidden)
        self.field = mlp(self.hidden, self.hidden * self.channels, self.hidden, nn.Tanh())
        self.read = nn.Linear(self.hidden, width)

    def forward(self, taus, u, asked):
        path = torchcde.CubicSpline(torchcde.natural_cubic_coeffs(torch.cat([taus[:, None], u], -1), taus), taus)
        inside = asked.clamp(*(float(end) for end in taus[[0, -1]]))  # beyond the ends nothing controls it
        times, back = torch.unique(torch.cat([taus[[0, -1]], inside]), return_inverse=True)
        start = self.start(path.evaluate(taus[0]))
        solved = torchcde.cdeint(
            path, self.velocity, start, times, adjoint=False, method="rk4", options={"step_size": 0.05}
        )
        return self.read(solved)[back[2:]]

    def velocity(self, t, h):
        return self.field(h).unflatten(-1, (self.hidden, self.channels))


class OnlineCDE(nn.Module):
    """A neural CDE that never looks ahead: what it remembers at a time comes from observations until then.

    X is the rectilinear interpolation of (t, u) (Morrill et al. 2021): between two observations first time passes, then
    the value changes, so X is known up to now whatever comes.  The natural splines of `CDE` are not: they bend at once
    for an observation that lies ahead.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.channels, self.hidden = width + 1, hidden
        self.start = nn.Linear(self.channels, hidden)
        self.field = mlp(hidden, hidden * self.channels, hidden, nn.Tanh())
        self.read = nn.Linear(hidden, width)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, taus, u):
        """What it remembers after each of the observations u (n, K) at times taus (n,), (n, hidden)."""
        knots = torchcde.linear_interpolation_coeffs(torch.cat([taus[:, None], u], -1), rectilinear=0)
        path = torchcde.LinearInterpolation(knots)
        exact = {"step_size": 1.0, "perturb": True}  # one step a piece, each with its own slope
        solved = torchcde.cdeint(
            path, self.velocity, self.start(knots[0]), path.grid_points, adjoint=False, method="midpoint", options=exact
        )
        return solved[::2]

    def later(self, memory, gaps):
        """Memories (m, hidden) after so much time (m,) without news: the first half of the step to a next observation."""
        middle = memory + gaps[:, None] / 2 * self.velocity(0.0, memory)[..., 0]
        return memory + gaps[:, None] * self.velocity(0.0, middle)[..., 0]

    def velocity(self, t, h):
        return self.field(h).unflatten(-1, (self.hidden, self.channels))
