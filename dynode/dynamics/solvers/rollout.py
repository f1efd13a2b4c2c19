"""Solving du/dt = f(t, u): `rollout`, by torchdiffeq or our own `dopri5`, counts evaluations of the field and explains errors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torchdiffeq
from torch import nn

from dynode.dynamics.solvers import dopri5
from dynode.errors import UserError
from dynode.settings import choose, require_positive

ADAPTIVE = ("dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun")
FIXED_STEP = ("euler", "midpoint", "heun2", "heun3", "rk4")
STEEP = (
    "{} had to make its step vanishingly small: the field has become too steep or is not finite. "
    "Lower the learning rate, use a smooth activation, or take a fixed-step solver such as rk4."
)
UNSORTED = "The times to solve at must strictly increase or strictly decrease: sort them and drop repeats."
SOLVERS = {name: name in ADAPTIVE for name in (*ADAPTIVE, *FIXED_STEP)}
Field: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (t, u) -> du/dt


class SolverError(UserError):
    """A solve failed; the message says what to change."""


@dataclass(frozen=True)
class SolverSettings:
    """rtol, atol: tolerances of the adaptive solvers.  step: step of the fixed-step ones, in the field's time.

    max_nfe: a solve that needs more evaluations of the field raises SolverError.
    """

    solver: str = "dopri5"
    rtol: float = 1e-4
    atol: float = 1e-5
    step: float = 0.05
    adjoint: bool = False
    max_nfe: int = 20_000

    def __post_init__(self):
        choose("solver", self.solver, SOLVERS)
        require_positive(self, "step", "max_nfe")

    @property
    def fixed_step(self) -> bool:
        return not SOLVERS[self.solver]


class Counted(nn.Module):
    """Counts the evaluations of a field (NFE).  Raises SolverError where a solve needs more than its budget."""

    def __init__(self, field: Field, budget: int):
        super().__init__()
        self.field, self.budget, self.nfe = field, budget, 0

    def count(self) -> None:
        self.nfe += 1
        if self.nfe > self.budget:
            raise SolverError(
                f"The solve needed more than {self.budget} evaluations of the field: it has become too steep. "
                "Lower training.lr, standardise the codes, use a smooth activation, or raise solver.max_nfe."
            )

    def forward(self, t: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        self.count()
        return self.field(t, u)


@dataclass(frozen=True)
class Rollout:
    """states (T, ...) at the query times, and nfe, the number of field evaluations that the solve took."""

    states: torch.Tensor
    nfe: int


def rollout(field: Field, u0: torch.Tensor, ts: torch.Tensor, settings: SolverSettings | None = None) -> Rollout:
    """Solve du/dt = f(t, u), u(ts[0]) = u0  (paper Eq. 5).

    field(t, u) -> du/dt; where it is a module, `dopri5` without an adjoint is our own, else torchdiffeq's.
    u0: (...) initial state.  ts: (T,) strictly monotone, T >= 2, in the field's time.
    Returns states (T, ...) with states[0] == u0.  Raises SolverError when the step size vanishes, the budget of
    evaluations is spent, or the state stops being finite.
    """
    settings = settings or SolverSettings()
    counted, ts = Counted(field, settings.max_nfe), ts.to(u0)
    if settings.solver == "dopri5" and not settings.adjoint and isinstance(field, nn.Module):
        states = dopri5_states(field, counted.count, u0, ts, settings)
    else:
        states = torchdiffeq_states(counted, u0, ts, settings)
    if not torch.isfinite(states[-1].detach()).all():
        raise SolverError(
            f"The solution left the range of {u0.dtype}: lower the learning rate or standardise the codes."
        )
    return Rollout(states, counted.nfe)


def dopri5_states(
    field: nn.Module, count: Callable[[], None], u0: torch.Tensor, ts: torch.Tensor, settings: SolverSettings
) -> torch.Tensor:
    """By our own solver; `count` is called at every evaluation.  Raises SolverError."""
    if not strictly_monotone(ts):
        raise SolverError(UNSORTED)
    try:
        return dopri5.solve(field, u0, ts, settings.rtol, settings.atol, count)
    except dopri5.Underflow:
        raise SolverError(STEEP.format("dopri5")) from None


def torchdiffeq_states(field: Counted, u0: torch.Tensor, ts: torch.Tensor, settings: SolverSettings) -> torch.Tensor:
    """By torchdiffeq.  Raises SolverError."""
    options = {"step_size": settings.step} if settings.fixed_step else None
    solve: Callable[..., Any] = torchdiffeq.odeint_adjoint if settings.adjoint else torchdiffeq.odeint
    tolerances = {"rtol": settings.rtol, "atol": settings.atol}
    try:
        return solve(field, u0, ts, **tolerances, method=settings.solver, options=options)
    except AssertionError as error:
        raise SolverError(explain(error, settings)) from None


def strictly_monotone(ts: torch.Tensor) -> bool:
    steps = ts.diff()
    return bool((steps > 0).all() or (steps < 0).all())


def explain(error: AssertionError, settings: SolverSettings) -> str:
    """A sentence for torchdiffeq's assertion."""
    text = str(error)
    if "underflow in dt" in text:
        return STEEP.format(settings.solver)
    if "monotone" in text or "strictly" in text:
        return UNSORTED
    return f"{settings.solver} failed ({text or 'a non-finite state'}): lower the learning rate or the tolerances."
