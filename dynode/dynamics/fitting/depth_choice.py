"""The choice of DEPTH inside a fit, which the paper adjusts "depending on the dataset" (Sec. B.3) without saying how.

Every second observed frame is left out, a short fit of each depth is made to the others, and the depth is taken whose
path is nearest to the frames left out.  Frames that the clip's sampling hides have no part in it.
"""

import dataclasses
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from dynode.clips import Clip
from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.presets import DynamicsSettings, latent_only
from dynode.dynamics.solvers.rollout import SolverError

DEPTHS: tuple[int, ...] = (1, 2, 3, 4, 5)
TRIAL_ITERATIONS = 300  # at most, of either kind, with the latent loss alone


@dataclass(frozen=True)
class DepthChoice:
    """What the trials came to.

    errors: by depth, the mean squared error at the codes left out over the variance of the observed ones; None for a fit
    whose solver gave up before its last iteration.  nfe: evaluations of the field, of all trials.
    """

    errors: dict[int, float | None]
    seconds: float = 0.0
    nfe: int = 0

    @property
    def depth(self) -> int:
        """The depth of the lowest error, the smaller of equals; the smallest where no trial came to its end."""
        return min(self.errors, key=lambda depth: math.inf if (e := self.errors[depth]) is None else e)

    def log(self) -> dict[str, Any]:
        """For the log of a fit."""
        return {"depth": self.depth, "depth_errors": {str(depth): error for depth, error in self.errors.items()}}


def choose_depth(
    clip: Clip, settings: DynamicsSettings, fit: Callable[[Clip, DynamicsSettings], NeuralODE]
) -> DepthChoice:
    """The depth for the observed frames of a clip of one shot.

    fit: of one shot under settings.  With two observed frames there is none to leave out: no trials, the smallest depth.
    """
    began, nfe = time.time(), 0
    errors: dict[int, float | None] = dict.fromkeys(DEPTHS)
    observed = clip.observations()
    left_out = between(len(observed))
    if left_out.any():
        kept = dataclasses.replace(observed, observed=~left_out)
        for depth in DEPTHS:
            errors[depth], count = trial(kept, trial_settings(settings, depth), fit)
            nfe += count
    return DepthChoice(errors, time.time() - began, nfe)


def between(frames: int) -> torch.Tensor:
    """Every second of `frames` frames (n,) bool, but for the first and the last."""
    at = torch.arange(frames)
    return (at % 2 == 1) & (at < frames - 1)


def trial_settings(settings: DynamicsSettings, depth: int) -> DynamicsSettings:
    """The settings of a short fit of this depth."""
    lengths = {
        key: min(TRIAL_ITERATIONS, getattr(settings.training, key)) for key in ("iterations", "segment_iterations")
    }
    return dataclasses.replace(
        latent_only(settings),
        field=dataclasses.replace(settings.field, depth=depth),
        training=dataclasses.replace(settings.training, **lengths),
    )


def trial(
    kept: Clip, settings: DynamicsSettings, fit: Callable[[Clip, DynamicsSettings], NeuralODE]
) -> tuple[float | None, int]:
    """The error at the codes that `kept` leaves out, and the evaluations of the field that it took."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a trial is steep is what its error says
            fitted = fit(kept, settings)
        if fitted.log["stopped"]:
            return None, fitted.log["nfe"]
        left_out = ~kept.observed
        error = (fitted(kept.ts[left_out]) - kept.ws[left_out]).square().mean()
    except SolverError:
        return None, 0
    variance = kept.ws.var(0, unbiased=False).mean().clamp(min=1e-12)
    return (float(error / variance) if error.isfinite() else None), fitted.log["nfe"]
