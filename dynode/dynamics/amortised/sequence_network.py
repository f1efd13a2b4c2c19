"""Sequence models that clips of a category share: controls of the field, without dynamics of the states of codes.

gru         a gated recurrent network over the observed states and the gaps, from both sides (Che et al. 2018)
latent_ode  an encoder that reads the observed states backwards, and an ODE from its hidden state (Rubanova et al. 2019)

They learn from the same clips in the same coordinates as the field (`network`), and see the same of an observed state: itself, its
difference from the first one, its time as waves; and the gaps beside it.  Untrained, each is the path that it departs from.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from dynode.dynamics.amortised.network import AmortisedNetworkSettings, Waves
from dynode.dynamics.baselines.recurrent import mlp
from dynode.dynamics.solvers.rollout import SolverSettings, rollout

SOLVER = SolverSettings("rk4", step=1 / 24)  # of the latent ODE; step: seconds
MAX_GAP = 1e-6  # seconds, below which two observations are one


@dataclass(frozen=True)
class ObservedStates:
    """The observed states of clips, in order of time, filled up: u (B, n, K) at times ts (B, n), `counts` (B,) of them each."""

    u: torch.Tensor
    ts: torch.Tensor
    counts: torch.Tensor

    @classmethod
    def of(cls, u: torch.Tensor, ts: torch.Tensor, observed: torch.Tensor | None) -> "ObservedStates":
        """Of states u (B, n, K) at increasing times ts (B, n), of which `observed` (B, n) bool count; the first one always does."""
        observed = torch.ones(ts.shape, dtype=torch.bool) if observed is None else observed
        order, counts = (~observed).int().argsort(dim=1, stable=True), observed.sum(1)
        ts, last = ts.gather(1, order), counts[:, None] - 1
        ts = torch.where(torch.arange(ts.shape[1]) > last, ts.gather(1, last), ts)
        return cls(u.gather(1, order[..., None].expand_as(u)), ts, counts)

    @property
    def gaps(self) -> torch.Tensor:
        """Seconds (B, n, 2) to the observation before and to the one after; 0 at the ends."""
        steps = self.ts.diff(dim=1)
        return torch.stack([nn.functional.pad(steps, (1, 0)), nn.functional.pad(steps, (0, 1))], -1)

    def around(self, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Indices (B, T) of the observations at or before, and after, times (T,) in seconds; at the ends both are the last one there."""
        valid = torch.arange(self.ts.shape[1]) < self.counts[:, None]
        before = ((self.ts[:, None] <= times[:, None] + MAX_GAP) & valid[:, None]).sum(2) - 1
        return before.clamp(min=0), torch.minimum(before + 1, self.counts[:, None] - 1)

    def at(self, index: torch.Tensor, values: torch.Tensor | None = None) -> torch.Tensor:
        """Values (B, T, F) of the observations `index` (B, T), by default their states."""
        values = self.u if values is None else values
        return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))

    def interpolated(self, times: torch.Tensor) -> torch.Tensor:
        """States (B, T, K) at times (T,) by linear interpolation, held before the first and after the last observation."""
        (before, after), ts = self.around(times), self.ts[..., None]
        start, end = self.at(before, ts), self.at(after, ts)
        share = (times[:, None] - start) / (end - start).clamp(min=MAX_GAP)
        return torch.lerp(self.at(before), self.at(after), share.clamp(0, 1))


class SharedSequence(nn.Module, ABC):
    """States of clips at any times from their observed states: what `read_out` adds to linear interpolation, or to the first state."""

    def __init__(self, settings: AmortisedNetworkSettings):
        super().__init__()
        self.settings, self.waves = settings, Waves(settings)
        self.tokens = 2 * settings.coordinates + self.waves.width + 2

    def forward(
        self,
        u: torch.Tensor,
        ts: torch.Tensor,
        times: torch.Tensor,
        observed: torch.Tensor | None = None,
        rng: torch.Generator | None = None,
    ) -> torch.Tensor:
        """States (B, T, K) at increasing times (T,), from u (B, n, K) at increasing times ts (B, n); seconds since the first one.

        observed (B, n) bool: which of the states count; the first one always does.  rng: draws what a model samples in training.
        """
        known = ObservedStates.of(u, ts, observed)
        start = known.interpolated(times) if self.settings.straight else known.u[:, :1]
        return start + self.read_out(known, times, rng)

    def read(self, known: ObservedStates) -> torch.Tensor:
        """What is known of every observation, (B, n, tokens)."""
        return torch.cat([known.u, known.u - known.u[:, :1], self.waves(known.ts), known.gaps], -1)

    def penalty(self) -> torch.Tensor:
        """What the last call adds to the squared errors of each clip (B,), or of all; by default nothing."""
        return torch.zeros(())

    @abstractmethod
    def read_out(self, known: ObservedStates, times: torch.Tensor, rng: torch.Generator | None) -> torch.Tensor:
        """(B, T, K) at times (T,)."""


class SharedGRU(SharedSequence):
    """A GRU from both sides; a state is read out from the hidden states of the observations around it, the gaps and the time."""

    def __init__(self, settings: AmortisedNetworkSettings):
        super().__init__(settings)
        width, layers = settings.context, settings.layers
        self.gru = nn.GRU(self.tokens, width, layers, batch_first=True, bidirectional=True)
        self.write = last_at_zero(mlp(2 * width + 2 + self.waves.width, settings.coordinates, settings.hidden))

    def read_out(self, known: ObservedStates, times: torch.Tensor, rng: torch.Generator | None) -> torch.Tensor:
        ahead, back = hidden_states(self.gru, self.read(known), known.counts).chunk(2, -1)
        before, after = known.around(times)
        ts, of_time = known.ts[..., None], self.waves(times).expand(len(ahead), -1, -1)
        gaps = torch.cat([times[:, None] - known.at(before, ts), known.at(after, ts) - times[:, None]], -1)
        return self.write(torch.cat([known.at(before, ahead), known.at(after, back), gaps, of_time], -1))


class SharedLatentODE(SharedSequence):
    """q(h0) from a GRU that reads the observations backwards, dh/dt = MLP(h), states read out; its ELBO with Gaussian observations.

    Without draws it starts from the mean of q(h0).  Before the first observation it stands still.
    """

    kl: torch.Tensor  # KL divergence (B,) of q(h0) from a standard normal, of the last call

    def __init__(self, settings: AmortisedNetworkSettings):
        super().__init__(settings)
        width, hidden = settings.context, settings.hidden
        self.gru = nn.GRU(self.tokens, width, settings.layers, batch_first=True)
        self.posterior = nn.Linear(width, 2 * width)
        self.field = mlp(width, width, hidden)
        self.write = last_at_zero(mlp(width, settings.coordinates, hidden))

    def read_out(self, known: ObservedStates, times: torch.Tensor, rng: torch.Generator | None) -> torch.Tensor:
        backwards = (known.counts[:, None] - 1 - torch.arange(known.ts.shape[1])).clamp(min=0)
        read = hidden_states(self.gru, known.at(backwards, self.read(known)), known.counts)
        mean, std = self.posterior(known.at(known.counts[:, None] - 1, read)[:, 0]).chunk(2, -1)
        std = nn.functional.softplus(std - 3) + 1e-4
        self.kl = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).sum(1)
        start = mean if rng is None else mean + std * torch.randn(mean.shape, generator=rng)
        later = times[times > 0]
        if not len(later):
            return self.write(start[:, None].expand(-1, len(times), -1))
        solved = rollout(lambda t, h: self.field(h), start, torch.cat([later.new_zeros(1), later]), SOLVER).states
        return self.write(torch.cat([solved[:1].expand(len(times) - len(later), -1, -1), solved[1:]])).transpose(0, 1)

    def penalty(self) -> torch.Tensor:
        return 2 * self.settings.noise**2 * self.kl


def last_at_zero(network: nn.Sequential) -> nn.Sequential:
    """The network, whose last layer is set to zero."""
    for parameter in network[-1].parameters():
        nn.init.zeros_(parameter)
    return network


def hidden_states(gru: nn.GRU, tokens: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Hidden states (B, n, H) of the last layer after the tokens (B, n, F), of which there are `counts` (B,); zeros beyond."""
    packed = pack_padded_sequence(tokens, counts.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(gru(packed)[0], batch_first=True, total_length=tokens.shape[1])[0]


class SequenceOfClip(nn.Module):
    """A shared sequence model with the observed states u (n, K) of one clip at times ts (n,), seconds since the first."""

    u: torch.Tensor
    ts: torch.Tensor

    def __init__(self, model: SharedSequence, u: torch.Tensor, ts: torch.Tensor):
        super().__init__()
        self.model = model
        self.register_buffer("u", u)
        self.register_buffer("ts", ts)

    def states(self, times: torch.Tensor) -> torch.Tensor:
        """States (T, K) at increasing times (T,), float32."""
        return self.model(self.u[None], self.ts[None], times)[0]


MODELS: dict[str, type[SharedSequence]] = {"gru": SharedGRU, "latent_ode": SharedLatentODE}
