"""Latent SDE (Li et al. 2020): a hidden path with noise, its drift told what is to come, by variational inference."""

import torch
import torchsde
from torch import nn

from dynode.dynamics.baselines.latent_ode import Encoder
from dynode.dynamics.baselines.recurrent import mlp

STEP = 0.02  # of Euler and Maruyama, share of the clip
PATHS = 8  # that a mean is taken over


class SDE(nn.Module):
    """Posterior drift f(h, context), prior drift h(h), diagonal noise g(h) in (0, 0.5); states are read out linearly.

    forward gives the mean of the posterior's paths; `paths` the single ones.
    """

    noise_type, sde_type = "diagonal", "ito"

    def __init__(self, width: int, settings):
        super().__init__()
        hidden, self.noise = settings.hidden, settings.noise
        self.encoder = Encoder(width, hidden)
        self.posterior = nn.Linear(hidden, 2 * hidden)
        self.drift, self.prior = mlp(2 * hidden + 1, hidden, hidden), mlp(hidden, hidden, hidden)
        self.spread = nn.ParameterList([torch.randn(hidden, 8), torch.zeros(hidden, 8), 0.3 * torch.randn(hidden, 8)])
        self.read = nn.Linear(hidden, width)

    def forward(self, taus, u, asked):
        return self.paths(taus, u, asked).mean(0)

    def paths(self, taus, u, asked, count: int = PATHS) -> torch.Tensor:
        """States (count, T, K) of so many paths at increasing times asked (T,)."""
        self.context, self.taus = self.encoder(taus, u), taus
        mean, spread = self.posterior(self.context[0]).chunk(2)
        spread = nn.functional.softplus(spread - 3) + 1e-4
        start = mean + spread * torch.randn(count, len(mean))
        times, back = torch.unique(torch.cat([taus[[0, -1]], asked]), return_inverse=True)
        times = times.clamp(min=float(taus[0])).unique()
        noise = torchsde.BrownianInterval(
            times[0], times[-1], (count, len(mean) + 1), entropy=int(torch.randint(2**31, ()))
        )
        hidden, ratio = torchsde.sdeint(self, start, times, bm=noise, dt=STEP, method="euler", logqp=True)
        self.kl = 0.5 * (mean.square() + spread.square() - 1 - 2 * spread.log()).sum() + ratio.sum(0).mean()
        where = torch.searchsorted(times, asked.clamp(min=float(taus[0])))
        return self.read(hidden[where]).movedim(1, 0)

    def f(self, t, h):
        """The posterior's drift: it knows what the encoder read from the next observation on."""
        following = self.context[torch.searchsorted(self.taus, t.detach()).clamp(max=len(self.taus) - 1)]
        return self.drift(torch.cat([h, following.expand(len(h), -1), t.expand(len(h), 1)], -1))

    def h(self, t, h):
        """The prior's drift."""
        return self.prior(h)

    def g(self, t, h):
        """The noise of each hidden number, given that number: one small network for each, all at once."""
        scale, shift, weight = self.spread
        return 0.5 * torch.sigmoid(((h[..., None] * scale + shift).tanh() * weight).sum(-1)) + 1e-3

    def loss(self, errors, progress):
        """The negative ELBO, whose KL terms grow over the first half; divided by what the likelihood counts."""
        likelihood = 0.5 * (errors / self.noise).square().sum()
        return (likelihood + min(1.0, 2 * progress) * self.kl) * self.noise**2 / errors.numel()
