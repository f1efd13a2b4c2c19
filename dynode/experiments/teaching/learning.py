"""Checks of T3: a field that learns a path."""

from collections.abc import Callable
from typing import Any

import torch
import torchdiffeq
from torch import nn
from torch.func import jacrev, stack_module_state

from dynode.dynamics.solvers.rollout import SolverError
from dynode.experiments.teaching.checks import exercise, returned
from dynode.experiments.teaching.paths import close, sample

Loss = Callable[[Callable, torch.Tensor, torch.Tensor], Any]  # field, codes (n, K), times (n,) -> a scalar
SEEDS = 3


class Swirl(nn.Module):
    """A field whose velocity depends on the code and on the time: dw/dt = A w + t b."""

    def __init__(self, seed: int = 0):
        super().__init__()
        self.turn = nn.Parameter(0.7 * sample(2, 2, seed=seed))
        self.drift = nn.Parameter(sample(2, seed=seed + 1))

    def forward(self, t: Any, w: torch.Tensor) -> torch.Tensor:
        return w @ self.turn.T + torch.as_tensor(t).to(w)[..., None] * self.drift


def observations() -> tuple[torch.Tensor, torch.Tensor]:
    """Codes (6, 2), and times (6,) at uneven distances."""
    return sample(6, 2, seed=5), torch.tensor([0.0, 0.1, 0.25, 0.3, 0.5, 0.6], dtype=torch.float64)


def solved(field: nn.Module, start: torch.Tensor, ts: torch.Tensor) -> torch.Tensor:
    return torchdiffeq.odeint(field, start, ts, rtol=1e-9, atol=1e-10)  # pyright: ignore[reportReturnType]


def squares(field: nn.Module, ws: torch.Tensor, ts: torch.Tensor) -> torch.Tensor:
    """What each interval (n - 1,) misses the code at its end by, squared, from the code at its beginning."""
    ends = [solved(field, ws[k], ts[k : k + 2])[1] for k in range(len(ws) - 1)]
    return (torch.stack(ends) - ws[1:]).square().sum(1)


def near(value: Any, other: Any) -> bool:
    """Whether two numbers agree to three digits, as far as the solvers of this course do."""
    one, two = (float(torch.as_tensor(each).detach()) for each in (value, other))
    return abs(one - two) <= 1e-3 * abs(two)


@exercise("T3.segment_loss", "solve from each code but the last to the time of the next, and compare with that one.")
def segment_loss(of: Loss) -> str:
    field, (ws, ts) = Swirl(), observations()
    got, each = returned(of, field, ws, ts), squares(field, ws, ts).detach()
    if not isinstance(got, torch.Tensor) or got.numel() != 1:
        return "one number is wanted, as a tensor: the mean over all intervals."
    if near(got, each.mean()):
        return (
            "" if got.requires_grad else "no gradient arrives at the field: nothing may be detached, or made a float."
        )
    whole = (solved(field, ws[0], ts)[1:] - ws[1:]).square().sum(1).detach()
    if near(got, whole.mean()) or near(got, whole.sum()):
        return "that is a roll-out from the first code: here every interval starts anew from its own observed code."
    if near(got, each.sum()):
        return "the mean over the intervals is wanted, not their sum."
    if near(got, each.mean() / ws.shape[1]):
        return "the squared length of a difference is the sum over its coordinates: only the intervals are averaged."
    if near(got, each.sqrt().mean()):
        return "the lengths of the differences are squared before their mean is taken."
    return "on uneven times it is off: has every interval its own times, and is its end compared with the code there?"


def bent(t: Any, w: torch.Tensor) -> torch.Tensor:
    """A field of codes (3,) with a Jacobian that is not symmetric."""
    return torch.tanh(sample(3, 3, seed=2) @ w) + torch.as_tensor(t) * w


@exercise(
    "T3.adjoint",
    "two velocities are wanted: the field's own, and minus a vector-Jacobian product with a, for which w requires a gradient.",
)
def adjoint(of: Callable) -> str:
    w, a = sample(2, 3, seed=4)
    got = returned(of, bent, 0.3, w, a)
    if not isinstance(got, tuple | list) or len(got) != 2:
        return "two velocities are wanted, that of w and that of a, as a pair of tensors."
    if not close(got[0], bent(0.3, w)):
        return "the first of the two is the velocity of w: what the field says."
    jacobian = jacrev(lambda w: bent(0.3, w))(w)
    wrong = (
        (jacobian.T @ a, "the sign of the second is turned round."),
        (-jacobian @ a, "the Jacobian is transposed."),
    )
    for value, fault in wrong:
        if close(got[1], value):
            return fault
    return (
        "" if close(got[1], -jacobian.T @ a) else "the second is minus the gradient of a . f(t, w) with respect to w."
    )


@exercise("T3.crossing", "one and the same end must serve both passes: which end has the least mean squared distance?")
def crossing(of: Callable) -> str:
    for seed in (7, 8):
        first, second = sample(2, 4, seed=seed)
        gap, value = float((first - second).square().sum()), float(returned(of, first, second))
        if abs(value - gap) < 1e-9:
            return "that is the squared distance of the two ends: the best answer lies between them."
        if abs(value - gap / 2) < 1e-9:
            return "that is the sum over the two passes: their mean is wanted."
        if abs(value - gap / 16) < 1e-9:
            return "the mean is over the two passes: over coordinates the squares are added."
        if abs(value - gap / 4) > 1e-9:
            return "take the end in the middle of the two: how far, squared, is each of them from it?"
    return ""


class Tired:
    """A step of training that fails at the call number `at`, by that error."""

    def __init__(self, at: int, error: type[Exception] = SolverError):
        self.at, self.error, self.calls = at, error, 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise self.error("the step has become vanishingly small")


@exercise("T3.survived", "count the steps that came to an end; `except SolverError` is where training stops.")
def survived(of: Callable[[Callable[[], None], int], int]) -> str:
    whole = Tired(at=10**6)
    if returned(of, whole, 7) != 7 or whole.calls != 7:
        return "seven steps that all succeed are seven calls of step(), and count as 7."
    early = Tired(at=4)
    try:
        count = returned(of, early, 7)
    except SolverError:
        return "the SolverError of a step that fails must be caught, for training ends there."
    if early.calls > 4:
        return "after a step that fails no other is wanted."
    if count != 3:
        return "where the fourth step fails, three came to an end."
    try:
        of(Tired(at=2, error=ZeroDivisionError), 7)
    except ZeroDivisionError:
        return ""
    return "catch SolverError alone: any other error is a mistake that you want to see."


@exercise("T3.seeds", "torch.vmap over a function of one seed's weights, which functional_call puts into the field.")
def seeds(of: Callable) -> str:
    fields, (ws, ts) = [Swirl(seed) for seed in range(0, 2 * SEEDS, 2)], observations()
    stacked = {name: each.detach().requires_grad_() for name, each in stack_module_state(fields)[0].items()}
    got = returned(of, fields[-1], stacked, ws, ts)
    right = torch.stack([squares(field, ws, ts).mean() for field in fields]).detach()
    if not isinstance(got, torch.Tensor) or got.shape != right.shape:
        return f"a loss for each of the {SEEDS} seeds is wanted, a tensor ({SEEDS},): not their sum, nor one of them."
    if torch.allclose(got, got[:1].expand(SEEDS), rtol=1e-6):
        return "all losses are equal: the field's own weights were used, not those of each seed."
    if not torch.allclose(got.detach(), right, rtol=1e-3):
        return "the losses are not the segment losses of Exercise 1."
    return "" if got.requires_grad else "no gradient arrives at the weights."
