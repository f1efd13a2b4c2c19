"""Neural CDE (Kidger et al. 2020): dh = F(h) dX, where X interpolates the observations and time."""

import torch
import torchcde
from torch import nn

from dynode.dynamics.relatives.recurrent import Recurrent, mlp


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
