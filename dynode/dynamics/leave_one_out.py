"""The method `auto`: of quick methods the one that predicts observed frames best which are left out of its fit, one at a time.

Cross-validation by leave-one-out (Stone 1974) over the observed frames between the first and the last one; frames that the
clip's sampling hides have no part in it.  Each shot has a choice of its own, as it has a fit of its own.
"""

import json
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from tqdm import tqdm

from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.registry import METHODS, How, Method
from dynode.dynamics.solvers.rollout import SolverError
from dynode.dynamics.trajectory import Times, Trajectory, joined
from dynode.errors import UserError
from dynode.settings import from_json, require_positive, to_json

SIMPLEST = "linear"  # where there is too little to compare by
FEW = 4  # observed frames of a shot, below which a path hardly differs from linear interpolation


@dataclass(frozen=True)
class AutoSettings:
    """Everything a choice depends on, apart from the clip and the seed."""

    preset: str = "auto"
    candidates: str = "linear,pchip,cubic,gp,gp_periodic,trend,dynode"  # names of methods, the simplest first
    left_out: int = 12  # observed frames at most, evenly chosen

    def __post_init__(self):
        require_positive(self, "left_out")

    @property
    def label(self) -> str:
        """The method's name in records, which marks changed settings."""
        return self.preset if self == AUTO else f"{self.preset}[changed]"

    @property
    def names(self) -> list[str]:
        """The candidates, the simplest first.  Raises UserError for none, one that is unknown, and `auto` itself."""
        names = [name.strip() for name in self.candidates.split(",")]
        for name in names:
            if name == self.preset:
                raise UserError("auto cannot choose itself: name other methods as candidates, such as linear,cubic,gp.")
            methods.resolved(name)
        return names


AUTO = AutoSettings()


@dataclass(frozen=True)
class Comparison:
    """Errors of candidates at observed frames of one shot, each left out of a fit to all others.

    ts (F,): times of the frames left out, seconds.  errors: of each candidate, the simplest first, the mean squared error
    (F,) of the code's numbers at each of these frames; infinite where a fit failed.
    """

    ts: torch.Tensor
    errors: Mapping[str, torch.Tensor]

    @property
    def means(self) -> dict[str, float]:
        """The mean squared error of every candidate."""
        return {name: float(errors.mean()) for name, errors in self.errors.items()}

    def ratio(self, name: str) -> float:
        """The mean squared error of a candidate over that of linear interpolation, which is one of them."""
        return self.means[name] / max(self.means[SIMPLEST], 1e-30)

    @property
    def best(self) -> str:
        """The candidate of the lowest mean squared error, the simpler of equals."""
        return min(self.means, key=self.means.__getitem__, default=SIMPLEST)

    @property
    def chosen(self) -> str:
        """The simplest candidate whose error exceeds the lowest by at most one standard error of their difference.

        The rule of one standard error (Breiman et al. 1984, Sec. 3.4.3), paired by frame.
        """
        return next((name for name in self.errors if self.level(name)), self.best)

    def level(self, name: str) -> bool:
        """Whether a candidate is as good as the best one, to one standard error of their difference."""
        excess = self.errors[name] - self.errors[self.best]
        if not excess.isfinite().all():
            return name == self.best
        spread = float(excess.std()) if len(excess) > 1 else 0.0
        return float(excess.mean()) <= spread / math.sqrt(len(excess))

    def log(self) -> dict[str, Any]:
        """For the log of a fit: what was chosen, seconds of the frames left out, mean squared errors there (None: failed)."""
        means = {name: mean if math.isfinite(mean) else None for name, mean in self.means.items()}
        return {"chosen": self.chosen, "left_out": self.ts.tolist(), "left_out_errors": means}


def compare(shot: Clip, settings: AutoSettings = AUTO, seed: int = 0, how: How | None = None) -> Comparison:
    """Leave-one-out errors on the observed frames of a clip of one shot; none where fewer than FEW are observed.

    Raises UserError as `AutoSettings.names` does, and as the fits do.
    """
    how, observed, names = how or How(), shot.observations(), settings.names
    if len(observed) < FEW:
        return Comparison(observed.ts[:0], {})
    frames = evenly(len(observed) - 2, settings.left_out) + 1
    errors = {name: torch.full((len(frames),), math.inf, dtype=torch.float64) for name in names}
    jobs = [(name, k, int(frame)) for name in names for k, frame in enumerate(frames)]
    for name, k, frame in tqdm(jobs, "leave one out", unit="fit", disable=not how.progress, delay=0.1):
        errors[name][k] = error_at(observed, frame, name, seed, how.device)
    return Comparison(observed.ts[frames], errors)


def evenly(count: int, most: int) -> torch.Tensor:
    """Indices of at most `most` of `count` things, evenly chosen, increasing."""
    if count <= most:
        return torch.arange(count)
    return ((torch.arange(most) + 0.5) * count / most).long()


def error_at(observed: Clip, frame: int, name: str, seed: int, device: torch.device | str) -> float:
    """The mean squared error of a code whose frame a method is not fitted to; infinite where the fit fails."""
    kept = observed.where(torch.arange(len(observed)) != frame)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a fit of a candidate is poor is what its error says
            path = methods.fit(kept, methods.settings_of(name, latent_only=True) or name, seed=seed, device=device)
            error = (path(observed.ts[frame : frame + 1])[0] - observed.ws[frame]).double().square().mean()
    except SolverError:
        return math.inf
    return float(error) if error.isfinite() else math.inf


@dataclass(repr=False)
class Chosen(Trajectory):
    """The path of the method that was chosen for a shot.

    log: that of the path, with the errors of all candidates and the seconds of all fits.
    """

    kind: ClassVar[str] = "auto"

    settings: AutoSettings
    path: Trajectory
    log: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        self.span = self.path.span

    @property
    def label(self) -> str:
        return self.settings.label

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.path(ts)

    def derivative(self, ts: Times) -> torch.Tensor:
        return self.path.derivative(ts)

    def chunks(self, ts: Times, size: int) -> Iterator[torch.Tensor]:
        return self.path.chunks(ts, size)

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        tensors, text = self.path.packed()
        rest = {"kind": self.kind, "settings": to_json(self.settings), "log": self.log, "meta": self.meta}
        return tensors, json.dumps(rest | {"path": json.loads(text)})

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> "Chosen":
        settings, path = from_json(AutoSettings, rest["settings"]), fit_files.unpacked(tensors, rest["path"])
        return cls(settings, path, rest["log"], rest["meta"])


def fit(clip: Clip, settings: AutoSettings, seed: int, how: How) -> Trajectory:
    """The path of the chosen method through the observed frames of a clip, shot by shot.

    Raises UserError as `compare` does.
    """
    return joined([fit_shot(shot, settings, seed, how) for shot in clip.split()])


def fit_shot(shot: Clip, settings: AutoSettings, seed: int, how: How) -> Chosen:
    """`fit` of a clip of one shot."""
    began = time.time()
    compared = compare(shot, settings, seed, how)
    method = methods.settings_of(compared.chosen, latent_only=True) or compared.chosen
    path = methods.fit(shot, method, seed=seed, device=how.device)
    log = {**path.log, **compared.log(), "seconds": round(time.time() - began, 3)}
    return Chosen(settings, path, log, {**path.meta, "seed": seed})


def inputs_of(clip: Clip, settings: AutoSettings) -> str:
    """What the candidates read besides the clip, such as the other clips that a prior is learned from."""
    return "".join(METHODS[name].inputs(clip, METHODS[name].settings) for name in settings.names)


METHODS.add("auto", Method("auto", AUTO, fit, Chosen, inputs=inputs_of))
