"""Cost and accuracy of solvers: field evaluations against error, and gradients with and without the adjoint method."""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.graph import saved_tensors_hooks

from dynode.clips import Clip
from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.solvers.rollout import SolverSettings, rollout
from dynode.evaluation.records import Row
from dynode.experiments.ablations.run import category_of, solved_with

TIGHT = {"solver": "dopri8", "rtol": 1e-10, "atol": 1e-11}  # in double precision: the reference of the others
STEPS = {"euler": (0.25, 0.0625), "midpoint": (0.5, 0.125), "rk4": (1.0, 0.5, 0.25, 0.125)}  # fractions of an interval
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
GRADIENTS = {
    "dopri5 1e-3": SolverSettings(rtol=1e-3, atol=1e-4),
    "dopri5 1e-5": SolverSettings(rtol=1e-5, atol=1e-6),
    "rk4": SolverSettings("rk4", step=0.02),
}


def solver_choices(fit: NeuralODE) -> dict[str, dict[str, Any]]:
    """The solvers to compare on a fit, label -> settings; the steps of a roll-out are fractions of its mean interval."""
    unit = float(observed_times(fit).diff().mean()) if fit.settings.path == "rollout" else 1.0
    steps = {
        f"{name} 1/{round(1 / fraction)}": {"solver": name, "step": fraction * unit}
        for name, fractions in STEPS.items()
        for fraction in fractions
    }
    return steps | {f"dopri5 {rtol:.0e}": {"solver": "dopri5", "rtol": rtol, "atol": rtol / 10} for rtol in TOLERANCES}


def observed_times(fit: NeuralODE) -> torch.Tensor:
    """The field's times (n,) of all observations of a fit."""
    ts = torch.tensor(fit.meta["ts"], dtype=torch.float64)
    return fit.clock(ts[torch.tensor(fit.meta["observed"])]).to(fit.starts)


def solve(fit: NeuralODE, taus: torch.Tensor, solver: dict[str, Any]) -> tuple[torch.Tensor, int, float]:
    """States (T, R, K) at the field's times, evaluations of the field, seconds."""
    key = "solver" if fit.settings.path == "rollout" else "segment_solver"
    solved, began = solved_with(fit, {key: solver}), time.perf_counter()
    with torch.no_grad():
        states = solved.states(taus)
    return states, solved.nfe, time.perf_counter() - began


def in_double(fit: NeuralODE) -> NeuralODE:
    """A copy of a fit in double precision."""
    double = copy.copy(fit)
    double.field, double.starts, double.taus = copy.deepcopy(fit.field).double(), fit.starts.double(), fit.taus.double()
    return double


def identity_of(fit: NeuralODE, clip: Clip, variant: str) -> dict[str, Any]:
    """The fields that identify a row of a fit."""
    named = {"clip": clip.name, "category": category_of(clip), "method": fit.settings.label, "space": ""}
    return named | {"variant": variant}


def solver_rows(name: str, fit: NeuralODE, clip: Clip, seed: int) -> Iterator[Row]:
    """Evaluations, error and seconds of every solver on the same fit at the clip's times.

    The error is the RMS difference from a tight solution in double precision, as a fraction of the states' RMS.
    """
    taus = fit.clock(clip.ts)
    exact, *_ = solve(in_double(fit), taus, TIGHT)
    for label, solver in solver_choices(fit).items():
        states, nfe, seconds = solve(fit, taus, solver)
        error = (states - exact).square().mean().sqrt() / exact.square().mean().sqrt()
        for metric, value in (("nfe", nfe), ("solver_error", error), ("seconds", seconds)):
            yield Row(metric, float(value), seed=seed, **identity_of(fit, clip, f"{name}: {label}"))


@dataclass(frozen=True)
class Gradient:
    """A gradient (P,), the seconds of its computation, and the megabytes kept for the backward pass."""

    value: torch.Tensor
    seconds: float
    megabytes: float


def gradient(field: torch.nn.Module, u: torch.Tensor, taus: torch.Tensor, settings: SolverSettings) -> Gradient:
    """Gradient of the mean squared state along a roll-out from u (R, K) through times taus (T,), by the field's weights."""
    weights, kept, began = list(field.parameters()), {}, time.perf_counter()

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = rollout(field, u, taus, settings).states.square().mean()
    value = torch.cat([each.flatten() for each in torch.autograd.grad(loss, weights)])
    return Gradient(value, time.perf_counter() - began, sum(kept.values()) / 1e6)


def adjoint_rows(name: str, fit: NeuralODE, clip: Clip, seed: int) -> Iterator[Row]:
    """Direct and adjoint gradients under each of GRADIENTS: their difference from a tight one, seconds, megabytes."""
    field, taus = copy.deepcopy(fit.field).requires_grad_(True), observed_times(fit)
    tight = gradient(copy.deepcopy(field).double(), fit.starts[0].double(), taus.double(), SolverSettings(**TIGHT))
    for label, settings in GRADIENTS.items():
        for mode in ("direct", "adjoint"):
            solver = SolverSettings(settings.solver, settings.rtol, settings.atol, settings.step, mode == "adjoint")
            result = gradient(field, fit.starts[0], taus, solver)
            difference = float((result.value - tight.value).norm() / tight.value.norm())
            values = {"gradient_error": difference, "seconds": result.seconds, "megabytes": result.megabytes}
            for metric, value in values.items():
                yield Row(metric, value, seed=seed, **identity_of(fit, clip, f"{name}: {label}, {mode}"))
