"""`fit(clip, method)`: a trajectory of a clip, by the neural ODE or by any baseline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dynode import runtime
from dynode.border import public
from dynode.clips import Clip
from dynode.dynamics import presets
from dynode.dynamics.fitting import batched, single
from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.registry import METHODS, How, Method
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.settings import choose


@public
def fit(
    clip: Clip,
    method: str | Any = "dynode",
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = False,
    checkpoint: Path | str | None = None,
) -> Trajectory:
    """Fit a method to the observed frames of a clip; a clip with cuts gets one trajectory for each shot.

    method: a name of METHODS, or the settings of one (such as `changed(preset("dynode"), {"field.depth": 4})`).
    checkpoint: a file that a killed fit resumes from.  Raises UserError for an unknown method.
    """
    chosen, settings = resolved(method)
    how = How(runtime.device(device), progress, Path(checkpoint) if checkpoint else None)
    return chosen.fit(clip, settings, runtime.legal_seed(seed), how)


@public
def fit_many(
    clips: Sequence[Clip],
    method: str | Any = "dynode",
    *,
    seeds: Sequence[int] | None = None,
    device: torch.device | str = "cpu",
) -> list[Trajectory]:
    """A trajectory of every clip, with the seed of the same position (0 by default).

    Where `batched.can_batch` allows it, fits of one shape are one batched problem: the same results up to rounding.
    """
    seeds = [0] * len(clips) if seeds is None else [runtime.legal_seed(seed) for seed in seeds]
    if len(seeds) != len(clips):
        raise UserError(f"There are {len(clips)} clips and {len(seeds)} seeds: give one for each.")
    settings, device = settings_of(method), runtime.device(device)
    if isinstance(settings, DynamicsSettings) and batched.can_batch(settings):
        return batched.fit_batched(clips, seeds, settings, device)
    return [fit(clip, method, seed=seed, device=device) for clip, seed in zip(clips, seeds, strict=True)]


def resolved(method: str | Any) -> tuple[Method, Any]:
    """The method and its settings, from its name or its settings.  Raises UserError for anything else."""
    if isinstance(method, str):
        named = choose("method", method, METHODS)
        return named, named.settings
    name = getattr(method, "preset", "")
    if name not in METHODS or type(METHODS[name].settings) is not type(method):
        raise UserError(
            f"A method is a name such as dynode or linear, or the settings of one, got a {type(method).__name__}."
        )
    return METHODS[name], method


def settings_of(method: str | Any, latent_only: bool = False) -> Any:
    """The settings of a method given by name or by its settings; None for a method without settings.

    latent_only: without losses in images.  Raises UserError for an unknown method.
    """
    settings = resolved(method)[1]
    return presets.latent_only(settings) if latent_only and in_images(settings) else settings


def label_of(method: str | Any) -> str:
    """The name of a method in records, which marks changed settings."""
    chosen, settings = resolved(method)
    return chosen.name if settings is None else settings.label


def unlearned_names() -> list[str]:
    """Names of the methods without settings: interpolation and Gaussian processes."""
    return [name for name, method in METHODS.items() if method.settings is None]


def learned_names() -> list[str]:
    """Names of the methods with settings: presets of the neural ODE, sequence models, the motion prior."""
    return [name for name, method in METHODS.items() if method.settings is not None]


def in_images(settings: Any) -> bool:
    """Whether a fit under these settings has losses in images."""
    return isinstance(settings, DynamicsSettings) and settings.losses.in_images


def fit_neural_ode(clip: Clip, settings: DynamicsSettings, seed: int, how: How) -> Trajectory:
    """The neural ODE under a preset, or changed settings of one."""
    return single.fit(clip, settings, seed, device=how.device, progress=how.progress, checkpoint=how.checkpoint)


for _name, _settings in presets.PRESETS.items():
    METHODS.add(_name, Method(_name, _settings, fit_neural_ode, NeuralODE))
