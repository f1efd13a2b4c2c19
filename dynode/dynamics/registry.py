"""Methods by name: each fits a trajectory to a clip.  A baseline is one module of `dynode.dynamics.baselines`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory, described, joined
from dynode.lazy import Registry

T = TypeVar("T", bound=type[Trajectory])


@dataclass(frozen=True, repr=False)
class Method:
    """fit(clip, settings, seed, how) -> Trajectory, from the observed frames of a clip, which may have cuts.

    settings: its defaults, a frozen dataclass with `preset` (the method's name) and `label`; None for a method without any.
    path: the class of the trajectory of one shot; its `unpacked` reads stored fits.
    """

    name: str
    settings: Any
    fit: Callable[[Clip, Any, int, "How"], Trajectory]
    path: type[Trajectory]
    module: str = ""  # that defines what is fitted, where `fit` and `path` are of this package and that is not
    inputs: Callable[[Clip, Any], str] = lambda clip, settings: ""  # a text that changes with what else a fit reads

    def __reduce__(self) -> tuple:
        """In another process a method is that of the same name: its functions are not sent."""
        return METHODS.__getitem__, (self.name,)

    def __repr__(self):
        return f"<Method {self.name}: {self.settings or 'no settings'}>"

    @property
    def modules(self) -> set[str]:
        """The modules that decide what a fit is."""
        return {self.module, self.fit.__module__, self.path.__module__, type(self.settings).__module__} - {""}


@dataclass(frozen=True)
class How:
    """How a fit is run, which does not change its result: device, progress bars, the checkpoint that a killed fit resumes from."""

    device: torch.device | str = "cpu"
    progress: bool = False
    checkpoint: Path | None = None


METHODS: Registry[Method] = Registry(
    "dynode.dynamics.baselines",
    "dynode.methods",
    first=("dynode.dynamics.methods", "dynode.dynamics.leave_one_out", "dynode.dynamics.amortised.amortised_path"),
)


def baseline(name: str) -> Callable[[T], T]:
    """Register a class of trajectories as a method without settings.

    Its class method fit(clip) returns the trajectory of a clip of one shot.  Raises TypeError for a class without it.
    """

    def register(cls: T) -> T:
        fit_shot: Callable[[Clip], Trajectory] | None = getattr(cls, "fit", None)
        if fit_shot is None:
            raise TypeError(f"{cls.__name__} needs a class method fit(clip) to be the baseline {name!r}")
        if taken := [each.name for each in METHODS.held.values() if each.path is cls or each.path.kind == name]:
            raise ValueError(
                f"{cls.__name__} cannot be the baseline {name!r}: its class or its files are those of {taken[0]!r}"
            )
        cls.label = cls.kind = name

        def fit(clip: Clip, settings: None, seed: int, how: How) -> Trajectory:
            return joined([measured(fit_shot, shot) for shot in clip.split()])

        METHODS.add(name, Method(name, None, fit, cls, module=cls.__module__))
        return cls

    return register


def measured(fit: Callable[[Clip], Trajectory], clip: Clip) -> Trajectory:
    """The trajectory of a clip of one shot, with metadata, and a log of the relative error at the observed frames and the time."""
    started, observed = time.time(), clip.observations()
    path = fit(clip)
    variance = observed.ws.var(0, unbiased=False).mean().clamp(min=1e-12)
    error = (path(observed.ts) - observed.ws).square().mean() / variance
    path.log = {"observed_error": float(error), "seconds": round(time.time() - started, 3), "parameters": 0, **path.log}
    path.meta = described(clip, seed=0)
    return path
