"""Methods by name: each fits a trajectory to a clip.  A baseline is one module of `dynode.dynamics.baselines`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory, joined
from dynode.lazy import Registry

T = TypeVar("T", bound=type[Trajectory])


@dataclass(frozen=True)
class Method:
    """fit(clip, settings, seed, how) -> Trajectory, from the observed frames of a clip, which may have cuts.

    settings: its defaults, a frozen dataclass with `preset` (the method's name) and `label`; None for a method without any.
    path: the class of the trajectory of one shot; its `unpacked` reads stored fits.
    """

    name: str
    settings: Any
    fit: Callable[[Clip, Any, int, "How"], Trajectory]
    path: type[Trajectory]


@dataclass(frozen=True)
class How:
    """How a fit is run, which does not change its result: device, progress bars, the checkpoint that a killed fit resumes from."""

    device: torch.device | str = "cpu"
    progress: bool = False
    checkpoint: Path | None = None


METHODS: Registry[Method] = Registry("dynode.dynamics.baselines", "dynode.methods", first=("dynode.dynamics.methods",))


def baseline(name: str) -> Callable[[T], T]:
    """Register a class of trajectories as a method without settings.

    Its class method fit(clip) returns the trajectory of a clip of one shot.  Raises TypeError for a class without it.
    """

    def register(cls: T) -> T:
        fit_shot: Callable[[Clip], Trajectory] | None = getattr(cls, "fit", None)
        if fit_shot is None:
            raise TypeError(f"{cls.__name__} needs a class method fit(clip) to be the baseline {name!r}")
        cls.label = cls.kind = name

        def fit(clip: Clip, settings: None, seed: int, how: How) -> Trajectory:
            return joined([fit_shot(shot) for shot in clip.split()])

        METHODS.add(name, Method(name, None, fit, cls))
        return cls

    return register
