"""The one door to the ODE solvers: `rollout`, over torchdiffeq or our own `dopri5`, evaluations counted, errors plain."""

from dataclasses import dataclass

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


class SolverError(UserError):
    """The solver gave up; the message says what to change."""


@dataclass(frozen=True)
class SolverSettings:
    """rtol, atol: tolerances of the adaptive solvers.  step: step of the fixed-step ones, in the field's time.

    max_nfe: a solve that evaluates the field more often than this is given up with a SolverError.
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
    """Counts the evaluations of a field (NFE) and stops a solve that needs more than its budget."""

    def __init__(self, field, budget: int):
        super().__init__()
        self.field, self.budget, self.nfe = field, budget, 0

    def count(self) -> None:
        self.nfe += 1
        if self.nfe > self.budget:
            raise SolverError(
                f"The solve needed more than {self.budget} evaluations of the field: it has become too steep. "
                "Lower training.lr, standardise the codes, use a smooth activation, or raise solver.max_nfe."
            )

    def forward(self, t, u):
        self.count()
        return self.field(t, u)


@dataclass(frozen=True)
class Rollout:
    """states (T, ...) at the asked times, and the number of field evaluations the solve took."""

    states: torch.Tensor
    nfe: int


def rollout(field, u0: torch.Tensor, ts: torch.Tensor, settings: SolverSettings | None = None) -> Rollout:
    """Solve du/dt = f(t, u), u(ts[0]) = u0  (paper Eq. 5).

    field(t, u) -> du/dt; the solver `dopri5` without an adjoint is our own where it is a module, torchdiffeq's elsewhere.
    u0: (...) initial state.  ts: (T,) strictly monotone, T >= 2, in the field's time.
    Returns states (T, ...) with states[0] == u0.  Raises SolverError when the step size vanishes or the state stops
    being finite.
    """
    settings = settings or SolverSettings()
    counted = Counted(field, settings.max_nfe)
    own = settings.solver == "dopri5" and not settings.adjoint and isinstance(field, nn.Module)
    states = (dopri5_states if own else torchdiffeq_states)(counted, u0, ts.to(u0), settings)
    if not torch.isfinite(states[-1].detach()).all():
        raise SolverError(
            f"The solution left the range of {u0.dtype}: lower the learning rate or standardise the codes."
        )
    return Rollout(states, counted.nfe)


def dopri5_states(counted: Counted, u0, ts, settings: SolverSettings) -> torch.Tensor:
    if not strictly_monotone(ts):
        raise SolverError(UNSORTED)
    try:
        return dopri5.solve(counted.field, u0, ts, settings.rtol, settings.atol, counted.count)
    except dopri5.Underflow:
        raise SolverError(STEEP.format("dopri5")) from None


def torchdiffeq_states(field, u0, ts, settings: SolverSettings) -> torch.Tensor:
    options = {"step_size": settings.step} if settings.fixed_step else None
    solve = torchdiffeq.odeint_adjoint if settings.adjoint else torchdiffeq.odeint
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
