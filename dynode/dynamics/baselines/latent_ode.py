"""Latent ODE (Rubanova et al. 2019): an initial hidden state is inferred from all observations and propagated by an ODE."""

import torch
from torch import nn

from dynode.dynamics.baselines.recurrent import ModelSettings, SequenceModel, mlp
from dynode.dynamics.solvers.rollout import SolverSettings, rollout

SOLVER = SolverSettings("rk4", step=0.05)  # step: fraction of the clip


class Encoder(nn.Module):
    """A GRU that reads observations (n, K) at times (n,) backwards; its hidden states (n, hidden), in order of time."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.gru = nn.GRU(width + 1, hidden, batch_first=True)

    def forward(self, taus: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        gaps = taus.diff(append=taus[-1:])[:, None]
        return self.gru(torch.cat([u, gaps], -1).flip(0)[None])[0][0].flip(0)


class LatentODE(SequenceModel):
    """q(h0) from the encoder, dh/dt = MLP(h), states read out linearly; its ELBO with Gaussian observations.

    Without gradients it starts from the mean of q(h0).
    """

    kl: torch.Tensor  # KL divergence of q(h0) from a standard normal, of the last call

    def __init__(self, width: int, settings: ModelSettings):
        super().__init__(width, settings)
        hidden, self.noise = settings.hidden, settings.noise
        self.encoder = Encoder(width, hidden)
        self.posterior = nn.Linear(hidden, 2 * hidden)
        self.field = mlp(hidden, hidden, 2 * hidden)
        self.read = nn.Linear(hidden, width)

    def forward(self, taus: torch.Tensor, u: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        mean, std = self.posterior(self.encoder(taus, u)[0]).chunk(2)
        std = nn.functional.softplus(std - 3) + 1e-4
        start = mean + std * torch.randn_like(mean) * torch.is_grad_enabled()
        self.kl = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).sum()
        return self.read(self.propagated(start, times.clamp(min=float(taus[0])), taus[:1]))

    def propagated(self, start: torch.Tensor, times: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """Hidden states (T, hidden) at increasing times (T,), from `start` (hidden,) at the time `first` (1,)."""
        later = times[times > first]
        if not len(later):
            return start.expand(len(times), -1)
        states = rollout(lambda t, h: self.field(h), start, torch.cat([first, later]), SOLVER).states
        return torch.cat([states[:1].expand(len(times) - len(later), -1), states[1:]])

    def loss(self, errors: torch.Tensor, progress: float) -> torch.Tensor:
        """The negative ELBO, with a KL term that grows over the first half, in units of the mean squared error."""
        likelihood = 0.5 * (errors / self.noise).square().sum()
        return (likelihood + min(1.0, 2 * progress) * self.kl) * self.noise**2 / errors.numel()
