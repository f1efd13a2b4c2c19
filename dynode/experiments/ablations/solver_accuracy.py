"""What a solver costs and misses: evaluations of the field against the error, and gradients with and without adjoint."""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.autograd.graph import saved_tensors_hooks

from dynode.clips import Clip
from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.solvers.rollout import SolverSettings, rollout
from dynode.evaluation.records import Row
from dynode.experiments.ablations.run import category_of, read_by

TIGHT = {"solver": "dopri8", "rtol": 1e-10, "atol": 1e-11}  # in double precision: what the others are compared with
STEPS = {"euler": (0.25, 0.0625), "midpoint": (0.5, 0.125), "rk4": (1.0, 0.5, 0.25, 0.125)}  # shares of an interval
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
GRADIENTS = {
    "dopri5 1e-3": SolverSettings(rtol=1e-3, atol=1e-4),
    "dopri5 1e-5": SolverSettings(rtol=1e-5, atol=1e-6),
    "rk4": SolverSettings("rk4", step=0.02),
}


def choices(fit: NeuralODE) -> dict[str, dict]:
    """The solvers to read a fit by, label -> settings; the steps of a roll-out are shares of its mean interval."""
    unit = float(observed(fit).diff().mean()) if fit.settings.path == "rollout" else 1.0
    steps = {
        f"{name} 1/{round(1 / share)}": {"solver": name, "step": share * unit}
        for name, shares in STEPS.items()
        for share in shares
    }
    return steps | {f"dopri5 {rtol:.0e}": {"solver": "dopri5", "rtol": rtol, "atol": rtol / 10} for rtol in TOLERANCES}


def observed(fit: NeuralODE) -> torch.Tensor:
    """The field's times (n,) of all that the fit saw."""
    ts = torch.tensor(fit.meta["ts"], dtype=torch.float64)
    return fit.clock(ts[torch.tensor(fit.meta["observed"])]).to(fit.seen)


def solved(fit: NeuralODE, taus: torch.Tensor, solver: dict) -> tuple[torch.Tensor, int, float]:
    """States (T, R, K) at the field's times, evaluations of the field, seconds."""
    key = "solver" if fit.settings.path == "rollout" else "segment_solver"
    read, began = read_by(fit, {key: solver}), time.perf_counter()
    with torch.no_grad():
        states = read.states(taus)
    return states, read.nfe, time.perf_counter() - began


def in_double(fit: NeuralODE) -> NeuralODE:
    found = copy.copy(fit)
    found.field, found.seen, found.taus = copy.deepcopy(fit.field).double(), fit.seen.double(), fit.taus.double()
    return found


def solver_rows(name: str, fit: NeuralODE, clip: Clip, seed: int) -> Iterator[Row]:
    """Evaluations, error and seconds of every solver that reads the same fit at the clip's times.

    The error is the RMS difference from a tight solution in double precision, as a share of the states' RMS.
    """
    taus = fit.clock(clip.ts)
    exact, *_ = solved(in_double(fit), taus, TIGHT)
    for label, solver in choices(fit).items():
        states, nfe, seconds = solved(fit, taus, solver)
        error = (states - exact).square().mean().sqrt() / exact.square().mean().sqrt()
        named = {
            "clip": clip.name,
            "category": category_of(clip),
            "method": fit.settings.label,
            "variant": f"{name}: {label}",
            "space": "",
            "seed": seed,
        }
        for metric, value in (("nfe", nfe), ("solver_error", error), ("seconds", seconds)):
            yield Row(metric, float(value), **named)


@dataclass(frozen=True)
class Gradient:
    """A gradient (P,), the seconds and megabytes that it took: of what was kept for the way back."""

    value: torch.Tensor
    seconds: float
    megabytes: float


def gradient(field, u: torch.Tensor, taus: torch.Tensor, settings: SolverSettings) -> Gradient:
    """Of the mean squared state along a roll-out from u (R, K) through times taus (T,), by the field's weights."""
    weights, kept, began = list(field.parameters()), {}, time.perf_counter()

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = rollout(field, u, taus, settings).states.square().mean()
    found = torch.autograd.grad(loss, weights)
    value = torch.cat([each.flatten() for each in found])
    return Gradient(value, time.perf_counter() - began, sum(kept.values()) / 1e6)


def adjoint_rows(name: str, fit: NeuralODE, clip: Clip, seed: int) -> Iterator[Row]:
    """Direct and adjoint gradients under each of GRADIENTS: how far both are from a tight one, seconds, megabytes."""
    field, taus = copy.deepcopy(fit.field).requires_grad_(True), observed(fit)
    tight = gradient(copy.deepcopy(field).double(), fit.seen[0].double(), taus.double(), SolverSettings(**TIGHT))
    for label, settings in GRADIENTS.items():
        for way in ("direct", "adjoint"):
            chosen = SolverSettings(settings.solver, settings.rtol, settings.atol, settings.step, way == "adjoint")
            found = gradient(field, fit.seen[0], taus, chosen)
            difference = (found.value - tight.value).norm() / tight.value.norm()
            named = {
                "clip": clip.name,
                "category": category_of(clip),
                "method": fit.settings.label,
                "variant": f"{name}: {label}, {way}",
            }
            values = {"gradient_error": difference, "seconds": found.seconds, "megabytes": found.megabytes}
            for metric, value in values.items():
                yield Row(metric, float(value), space="", seed=seed, **named)
