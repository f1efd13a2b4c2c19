"""Recurrent networks that are told the time: what they remember of the observations on either side gives a state."""

import torch
from torch import nn

from dynode.dynamics.solvers.rollout import SolverSettings, rollout

BETWEEN = SolverSettings("midpoint", step=0.5)  # step: share of an interval


def mlp(width_in: int, width_out: int, hidden: int, last=None) -> nn.Sequential:
    """One hidden layer with tanh."""
    return nn.Sequential(
        nn.Linear(width_in, hidden), nn.Tanh(), nn.Linear(hidden, width_out), *([last] if last else [])
    )


class Recurrent(nn.Module):
    """What relatives share that need no likelihood: the loss is the mean squared error."""

    def loss(self, errors: torch.Tensor, progress: float) -> torch.Tensor:
        """Of errors (n, K) at all observations, those hidden in this iteration among them; progress: 0 to 1."""
        return errors.square().mean()


class GRU(Recurrent):
    """From each side a GRU over (state, gap to the one before); a state is read out of both memories and the gaps."""

    def __init__(self, width: int, settings):
        super().__init__()
        hidden = settings.hidden
        self.ahead, self.back = (nn.GRU(width + 1, hidden, batch_first=True) for _ in range(2))
        self.read = mlp(2 * hidden + 2, width, hidden)

    def forward(self, taus, u, asked):
        left, right = self.memories(taus, u)
        k = neighbours(taus, asked)
        gaps = torch.stack([asked - taus[k], taus[k + 1] - asked], -1)
        return self.read(torch.cat([left[k], right[k + 1], gaps], -1))

    def memories(self, taus, u) -> tuple[torch.Tensor, torch.Tensor]:
        """What each side remembers at every observation, (n, hidden) twice."""
        gaps = taus.diff(prepend=taus[:1])[:, None]
        left = self.ahead(torch.cat([u, gaps], -1)[None])[0][0]
        gaps = taus.diff(append=taus[-1:])[:, None]
        return left, self.back(torch.cat([u, gaps], -1).flip(0)[None])[0][0].flip(0)


class ODERNN(Recurrent):
    """The same with memories that an ODE moves between observations; both are moved to the time that is asked for."""

    def __init__(self, width: int, settings):
        super().__init__()
        hidden = settings.hidden
        self.cells = nn.ModuleList(nn.GRUCell(width, hidden) for _ in range(2))
        self.fields = nn.ModuleList(mlp(hidden, hidden, hidden, nn.Tanh()) for _ in range(2))
        self.read = mlp(2 * hidden, width, hidden)
        self.hidden = hidden

    def forward(self, taus, u, asked):
        k = neighbours(taus, asked)
        left, right = self.memories(0, taus, u), self.memories(1, -taus.flip(0), u.flip(0)).flip(0)
        left = self.moved(0, left[k], asked - taus[k])
        right = self.moved(1, right[k + 1], taus[k + 1] - asked)
        return self.read(torch.cat([left, right], -1))

    def memories(self, side: int, taus, u) -> torch.Tensor:
        """After each observation, (n, hidden)."""
        memory, found = u.new_zeros(1, self.hidden), []
        for gap, state in zip(taus.diff(prepend=taus[:1]), u, strict=True):
            if found:
                memory = self.moved(side, memory, gap[None])
            memory = self.cells[side](state[None], memory)
            found.append(memory)
        return torch.cat(found)

    def moved(self, side: int, memory, lengths) -> torch.Tensor:
        """Memories (T, hidden) after so much time (T,) of the field's."""

        def field(s, h):
            return lengths[:, None] * self.fields[side](h)

        return rollout(field, memory, lengths.new_tensor([0.0, 1.0]), BETWEEN).states[1]


def neighbours(taus, asked) -> torch.Tensor:
    """Index of the observation at or before each time, at most the last but one."""
    return (torch.searchsorted(taus, asked.contiguous(), right=True) - 1).clamp(0, len(taus) - 2)
