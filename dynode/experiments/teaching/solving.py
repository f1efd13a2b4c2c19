"""Checks of T2: solving an ODE yourself."""

import math
from collections.abc import Callable
from typing import Any

import torch

from dynode.dynamics.solvers.rollout import Rollout, SolverSettings, rollout
from dynode.experiments.teaching.checks import exercise, returned

Step = Callable[[Callable, float, torch.Tensor, float], torch.Tensor]  # field, t, y, h -> y at t + h
STIFFNESS = (1.0, 30.0)
CLOSE = 1e-6


def growth(t: float, y: torch.Tensor) -> torch.Tensor:
    """exp(t) from 1."""
    return y


def cubic(t: float, y: torch.Tensor) -> torch.Tensor:
    """t^4 from 0: it depends on the time alone."""
    return torch.full_like(y, 4 * t**3)


def bending(t: float, y: torch.Tensor) -> torch.Tensor:
    """A field of the time and the state on which methods of order four differ."""
    return torch.sin(3 * y) + t * y


def classical(field: Callable, t: float, y: torch.Tensor, h: float) -> torch.Tensor:
    """The classical Runge-Kutta method, the answer of T2.rk4_step."""
    first = field(t, y)
    second = field(t + h / 2, y + h / 2 * first)
    third = field(t + h / 2, y + h / 2 * second)
    last = field(t + h, y + h * third)
    return y + h / 6 * (first + 2 * second + 2 * third + last)


def after(step: Step, field: Callable, start: float, t: float, h: float) -> float:
    """The state after one step of somebody's."""
    return float(returned(step, field, t, torch.tensor([start], dtype=torch.float64), h))


@exercise("T2.euler_step", "go on for the length h, in the direction that the field has where the step begins.")
def euler_step(step: Step) -> str:
    if not math.isclose(after(step, growth, 1.0, 0.0, 0.25), 1.25, rel_tol=1e-9):
        return "from y = 1, where the field is y, a step of 0.25 changes y by a quarter of the field's value there."
    if not math.isclose(after(step, cubic, 0.5, 1.0, 0.1), 0.9, rel_tol=1e-9):
        return "the field is wanted at the time at which the step begins, and at no other."
    return ""


@exercise(
    "T2.rk4_step",
    "four slopes: at the start, twice in the middle, at the end; then their mean with weights 1, 2, 2, 1.",
)
def rk4_step(step: Step) -> str:
    grown, exact = after(step, growth, 1.0, 0.0, 0.1), math.exp(0.1)
    if abs(grown - exact) > 1e-4:
        return "the error of one step is as large as a simpler method's: do the weights add up to one, and are the steps halves?"
    if abs(grown - exact) > 1e-7:
        return "the order is below four: what are the weights, and which slope does each in the middle start from?"
    if not math.isclose(after(step, cubic, 1.0, 1.0, 0.5), 1.5**4, rel_tol=1e-9):
        return "a field that changes in time is met at the wrong moments: which times do the four slopes belong to?"
    if not math.isclose(after(step, bending, 1.0, 1.0, 0.5), after(classical, bending, 1.0, 1.0, 0.5), rel_tol=1e-9):
        return (
            "as accurate, but another method, as Kutta's 3/8 rule is, which torchdiffeq calls `rk4`: of the classical "
            "one both middle slopes belong to t + h/2, and the states that all slopes are taken at begin at y."
        )
    return ""


@exercise("T2.order", "on logarithmic axes, error = constant * h^p is a line: what is its slope?")
def order(of: Callable[[torch.Tensor, torch.Tensor], float]) -> str:
    hs = torch.tensor([0.4, 0.1, 0.05, 0.01], dtype=torch.float64)
    for p in (1.0, 2.5, 4.0):
        slope = float(returned(of, hs, 7 * hs**p))
        if math.isclose(slope, p, rel_tol=1e-6):
            continue
        if math.isclose(slope, -p, rel_tol=1e-3):
            return "the sign is turned round: the error falls when the steps do."
        if math.isclose(1 / slope if slope else 0, p, rel_tol=1e-3):
            return "the axes are swapped: errors are the heights, steps the horizontal positions."
        return f"for errors 7 h^{p:g} the order is {p:g}, yours is {slope:.3g}: fit through the logarithms of both."
    return ""


@exercise("T2.next_length", "solve tolerance = constant * h^order for h, take a little less, and forbid great leaps.")
def next_length(of: Callable[[float, float, int], float]) -> str:
    h = 0.2
    if float(returned(of, h, 1.0, 5)) >= h:
        return "at an error of exactly the tolerance the next step must be a little shorter, by the safety factor 0.9."
    if not math.isclose(returned(of, h, 32.0, 5), 0.9 * h / 2, rel_tol=1e-9):
        return "with order 5, an error 32 times too large asks for half the step, times the safety factor."
    if not math.isclose(returned(of, h, 1e-12, 5), 10 * h, rel_tol=1e-9):
        return "a step that was far too accurate may grow tenfold, and no more."
    if not math.isclose(returned(of, h, 1e12, 5), 0.2 * h, rel_tol=1e-9):
        return "a step that failed badly shrinks to a fifth, and no further at once."
    return (
        "" if math.isclose(returned(of, h, 4.0, 2), 0.9 * h / 2, rel_tol=1e-9) else "the exponent depends on the order."
    )


def evaluations_of(stiffness: float) -> int:
    """How many evaluations dopri5 takes for y' = -k (y - cos t) from y(0) = 1 to t = 10."""
    ts, start = torch.tensor([0.0, 10.0], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    return rollout(lambda t, y: -stiffness * (y - t.cos()), start, ts, SolverSettings(rtol=1e-5, atol=1e-6)).nfe


@exercise("T2.stiffness", "`rollout(field, y0, ts, settings)` returns the states, and beside them `nfe`.")
def stiffness(of: Callable[[float], int]) -> str:
    counts = [returned(of, each) for each in STIFFNESS]
    if any(isinstance(count, Rollout) or (torch.is_tensor(count) and count.numel() > 1) for count in counts):
        return "the number of evaluations alone is wanted, not the states."
    if counts[0] == counts[1]:
        return "the stiffness has no part in your field."
    if [int(count) for count in counts] != [evaluations_of(each) for each in STIFFNESS]:
        return "another problem is solved: y' = -k (y - cos t), y(0) = 1, to t = 10, under the settings above."
    return ""


@exercise("T2.agreement", "solve the circle twice, by torchdiffeq.odeint and by rollout, both at tolerances of 1e-9.")
def agreement(states: Any) -> str:
    if not isinstance(states, tuple | list) or len(states) != 2:
        return "two solutions are wanted: torchdiffeq's and this package's."
    first, second = states
    if first is None or second is None or first is ... or second is ...:
        return "one of the two solutions is still missing."
    if not torch.is_tensor(first) or not torch.is_tensor(second):
        return "two tensors are wanted: `rollout` returns its states beside the number of evaluations."
    truth = circle(torch.linspace(0, 2 * math.pi, len(first), dtype=torch.float64))
    for name, each in (("first", first), ("second", second)):
        if each.dtype != torch.float64:
            return f"the {name} solution is in {each.dtype}: seven digits are too few for this comparison."
        if each.shape != truth.shape or (each - truth).abs().max() > CLOSE:
            return f"the {name} solution is more than {CLOSE:g} off the circle: are the tolerances small enough?"
    return "one solution is a copy of the other." if torch.equal(first, second) else ""


def circle(ts: torch.Tensor) -> torch.Tensor:
    """The unit circle (T, 2) at angles ts (T,)."""
    return torch.stack([ts.cos(), ts.sin()], 1)
