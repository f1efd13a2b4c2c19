"""What all sequence models share, and two recurrent ones whose inputs include the time between observations."""

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import nn

from dynode.dynamics.solvers.rollout import SolverSettings, rollout

SOLVER = SolverSettings("midpoint", step=0.5)  # step: fraction of an interval


def mlp(width_in: int, width_out: int, hidden: int, last: nn.Module | None = None) -> nn.Sequential:
    """One hidden layer with tanh; `last` is an activation of the output."""
    return nn.Sequential(
        nn.Linear(width_in, hidden), nn.Tanh(), nn.Linear(hidden, width_out), *([last] if last else [])
    )


class ModelSettings(Protocol):
    """hidden: width of hidden states and layers.  noise: standard deviation of an observation, in units of the states'."""

    @property
    def hidden(self) -> int: ...

    @property
    def noise(self) -> float: ...


class SequenceModel(nn.Module, ABC):
    """States at query times from observed states, all of them K numbers wide."""

    def __init__(self, width: int, settings: ModelSettings):
        super().__init__()

    @abstractmethod
    def forward(self, taus: torch.Tensor, u: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """States (T, K) at increasing query times (T,), from observations u (n, K) at increasing times taus (n,) in [0, 1]."""

    def loss(self, errors: torch.Tensor, progress: float) -> torch.Tensor:
        """Of errors (n, K) at all observations, held-out ones included, by default their mean square; progress: 0 to 1."""
        return errors.square().mean()


class GRU(SequenceModel):
    """A GRU from each side over (state, gap to the one before); a state is read out from both hidden states and the gaps."""

    def __init__(self, width: int, settings: ModelSettings):
        super().__init__(width, settings)
        hidden = settings.hidden
        self.ahead, self.back = (nn.GRU(width + 1, hidden, batch_first=True) for _ in range(2))
        self.read = mlp(2 * hidden + 2, width, hidden)

    def forward(self, taus: torch.Tensor, u: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        left, right = self.hidden_states(taus, u)
        k = neighbours(taus, times)
        gaps = torch.stack([times - taus[k], taus[k + 1] - times], -1)
        return self.read(torch.cat([left[k], right[k + 1], gaps], -1))

    def hidden_states(self, taus: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states (n, hidden) at every observation, from the left and from the right."""
        gaps = taus.diff(prepend=taus[:1])[:, None]
        left = self.ahead(torch.cat([u, gaps], -1)[None])[0][0]
        gaps = taus.diff(append=taus[-1:])[:, None]
        return left, self.back(torch.cat([u, gaps], -1).flip(0)[None])[0][0].flip(0)


class ODERNN(SequenceModel):
    """The same with an ODE for the hidden states between observations; both sides are propagated to the query time."""

    def __init__(self, width: int, settings: ModelSettings):
        super().__init__(width, settings)
        hidden = settings.hidden
        self.cells = nn.ModuleList(nn.GRUCell(width, hidden) for _ in range(2))
        self.fields = nn.ModuleList(mlp(hidden, hidden, hidden, nn.Tanh()) for _ in range(2))
        self.read = mlp(2 * hidden, width, hidden)
        self.hidden = hidden

    def forward(self, taus: torch.Tensor, u: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        k = neighbours(taus, times)
        left, right = self.hidden_states(0, taus, u), self.hidden_states(1, -taus.flip(0), u.flip(0)).flip(0)
        left = self.propagated(0, left[k], times - taus[k])
        right = self.propagated(1, right[k + 1], taus[k + 1] - times)
        return self.read(torch.cat([left, right], -1))

    def hidden_states(self, side: int, taus: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """Hidden states (n, hidden) after each observation; side: 0 from the left, 1 from the right."""
        h, states = u.new_zeros(1, self.hidden), []
        for gap, state in zip(taus.diff(prepend=taus[:1]), u, strict=True):
            if states:
                h = self.propagated(side, h, gap[None])
            h = self.cells[side](state[None], h)
            states.append(h)
        return torch.cat(states)

    def propagated(self, side: int, h: torch.Tensor, durations: torch.Tensor) -> torch.Tensor:
        """Hidden states h (T, hidden) after durations (T,)."""

        def field(s: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
            return durations[:, None] * self.fields[side](h)

        return rollout(field, h, durations.new_tensor([0.0, 1.0]), SOLVER).states[1]


def neighbours(taus: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """Index (T,) of the observation, of times taus (n,), at or before each query time, at most the last but one."""
    return (torch.searchsorted(taus, times.contiguous(), right=True) - 1).clamp(0, len(taus) - 2)
