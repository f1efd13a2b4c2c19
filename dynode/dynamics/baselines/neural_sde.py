"""Latent SDE (Li et al. 2020): the posterior drift is conditioned on an encoding of the observations; variational inference."""

import torch
import torchsde
from torch import nn

from dynode.dynamics.baselines.latent_ode import Encoder
from dynode.dynamics.baselines.recurrent import ModelSettings, SequenceModel, mlp

STEP = 0.02  # of Euler and Maruyama, fraction of the clip
PATHS = 8  # sampled for a mean


class SDE(SequenceModel):
    """Posterior drift f(h, context), prior drift h(h), diagonal noise g(h) in (0, 0.5); states are read out linearly.

    forward gives the mean of sampled posterior paths, `sample_paths` the single ones.
    """

    noise_type, sde_type = "diagonal", "ito"
    context: torch.Tensor  # of the last call: the encoder's hidden states (n, hidden)
    taus: torch.Tensor  # their times (n,)
    kl: torch.Tensor  # KL divergence of the posterior from the prior

    def __init__(self, width: int, settings: ModelSettings):
        super().__init__(width, settings)
        hidden, self.noise = settings.hidden, settings.noise
        self.encoder = Encoder(width, hidden)
        self.posterior = nn.Linear(hidden, 2 * hidden)
        self.drift, self.prior = mlp(2 * hidden + 1, hidden, hidden), mlp(hidden, hidden, hidden)
        # of g; `spread` is its name in fit files
        self.spread = nn.ParameterList([torch.randn(hidden, 8), torch.zeros(hidden, 8), 0.3 * torch.randn(hidden, 8)])
        self.read = nn.Linear(hidden, width)

    def forward(self, taus: torch.Tensor, u: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return self.sample_paths(taus, u, times).mean(0)

    def sample_paths(
        self, taus: torch.Tensor, u: torch.Tensor, times: torch.Tensor, paths: int = PATHS
    ) -> torch.Tensor:
        """States (paths, T, K) of random paths at increasing times (T,), from observations as in `forward`."""
        self.context, self.taus = self.encoder(taus, u), taus
        mean, std = self.posterior(self.context[0]).chunk(2)
        std = nn.functional.softplus(std - 3) + 1e-4
        start = mean + std * torch.randn(paths, len(mean))
        solved_at = torch.cat([taus[[0, -1]], times]).clamp(min=float(taus[0])).unique()
        entropy = int(torch.randint(2**31, ()))
        noise = torchsde.BrownianInterval(solved_at[0], solved_at[-1], (paths, len(mean) + 1), entropy=entropy)
        hidden, ratio = torchsde.sdeint(self, start, solved_at, bm=noise, dt=STEP, method="euler", logqp=True)
        self.kl = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).sum() + ratio.sum(0).mean()
        index = torch.searchsorted(solved_at, times.clamp(min=float(taus[0])))
        return self.read(hidden[index]).movedim(1, 0)

    def f(self, t: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """The posterior's drift, given the encoding of the observations from the next one on."""
        following = self.context[torch.searchsorted(self.taus, t.detach()).clamp(max=len(self.taus) - 1)]
        return self.drift(torch.cat([h, following.expand(len(h), -1), t.expand(len(h), 1)], -1))

    def h(self, t: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """The prior's drift."""
        return self.prior(h)

    def g(self, t: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """The noise of each hidden number as a function of that number: one small network for each, all at once."""
        scale, shift, weight = self.spread
        return 0.5 * torch.sigmoid(((h[..., None] * scale + shift).tanh() * weight).sum(-1)) + 1e-3

    def loss(self, errors: torch.Tensor, progress: float) -> torch.Tensor:
        """The negative ELBO, with KL terms that grow over the first half, in units of the mean squared error."""
        likelihood = 0.5 * (errors / self.noise).square().sum()
        return (likelihood + min(1.0, 2 * progress) * self.kl) * self.noise**2 / errors.numel()
