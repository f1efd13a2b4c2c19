"""Latent ODE (Rubanova et al. 2019): one hidden state, found from all observations, carried through time by an ODE."""

import torch
from torch import nn

from dynode.dynamics.baselines.recurrent import mlp
from dynode.dynamics.solvers.rollout import SolverSettings, rollout

THROUGH = SolverSettings("rk4", step=0.05)  # step: share of the clip


class Encoder(nn.Module):
    """Reads observations (n, K) at times (n,) backwards; what it remembers at each, (n, hidden), in order of time."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.gru = nn.GRU(width + 1, hidden, batch_first=True)

    def forward(self, taus, u):
        gaps = taus.diff(append=taus[-1:])[:, None]
        return self.gru(torch.cat([u, gaps], -1).flip(0)[None])[0][0].flip(0)


class LatentODE(nn.Module):
    """q(h0) from the encoder, dh/dt = MLP(h), states read out linearly; its ELBO with Gaussian observations.

    Asked without gradients it follows the mean of q(h0).
    """

    def __init__(self, width: int, settings):
        super().__init__()
        hidden, self.noise = settings.hidden, settings.noise
        self.encoder = Encoder(width, hidden)
        self.posterior = nn.Linear(hidden, 2 * hidden)
        self.field = mlp(hidden, hidden, 2 * hidden)
        self.read = nn.Linear(hidden, width)

    def forward(self, taus, u, asked):
        mean, spread = self.posterior(self.encoder(taus, u)[0]).chunk(2)
        spread = nn.functional.softplus(spread - 3) + 1e-4
        start = mean + spread * torch.randn_like(mean) * torch.is_grad_enabled()
        self.kl = 0.5 * (mean.square() + spread.square() - 1 - 2 * spread.log()).sum()
        return self.read(self.carried(start, asked.clamp(min=float(taus[0])), taus[:1]))

    def carried(self, start, asked, first) -> torch.Tensor:
        """Hidden states (T, hidden) at times asked (T,), from `start` at the time `first` (1,)."""
        later = asked[asked > first]
        if not len(later):
            return start.expand(len(asked), -1)
        states = rollout(lambda t, h: self.field(h), start, torch.cat([first, later]), THROUGH).states
        return torch.cat([states[:1].expand(len(asked) - len(later), -1), states[1:]])

    def loss(self, errors, progress):
        """The negative ELBO, whose KL term grows over the first half; divided by what the likelihood counts."""
        likelihood = 0.5 * (errors / self.noise).square().sum()
        return (likelihood + min(1.0, 2 * progress) * self.kl) * self.noise**2 / errors.numel()
