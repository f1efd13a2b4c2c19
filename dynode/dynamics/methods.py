"""`fit(clip, method)`: the one way to a trajectory, by the neural ODE or by any baseline."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics import presets
from dynode.dynamics.fitting import batched, trainer
from dynode.dynamics.fitting.losses import ImageLoss, LossSettings
from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.registry import METHODS, How, Method
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.settings import choose


def fit(
    clip: Clip,
    method: str | Any = "dynode",
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
) -> Trajectory:
    """Fit a method to the observed frames of a clip; a clip with cuts gets one trajectory for each shot.

    method: a name of METHODS, or the settings of one (such as `changed(preset("dynode"), {"field.depth": 4})`).
    checkpoint: a file that a killed fit goes on from.  Raises UserError for other names.
    """
    chosen, settings = resolved(method)
    return chosen.fit(clip, settings, seed, How(device, progress, checkpoint))


def fit_many(
    clips: Sequence[Clip],
    method: str | Any = "dynode",
    *,
    seeds: Sequence[int] | None = None,
    device: torch.device | str = "cpu",
) -> list[Trajectory]:
    """A trajectory of every clip, with the seed of the same position (0 where none are given).

    Where the settings allow it, fits of one shape are one batched problem: the same results up to rounding.
    """
    seeds = [0] * len(clips) if seeds is None else seeds
    settings = settings_of(method)
    if isinstance(settings, DynamicsSettings) and batched.can_batch(settings):
        return batched.fit_batched(clips, seeds, settings, device)
    return [fit(clip, method, seed=seed, device=device) for clip, seed in zip(clips, seeds, strict=True)]


def resolved(method: str | Any) -> tuple[Method, Any]:
    """The method and its settings, of a name or of settings.  Raises UserError for what is neither."""
    if isinstance(method, str):
        return (known := choose("method", method, METHODS)), known.settings
    name = getattr(method, "preset", None)
    if name not in METHODS or type(METHODS[name].settings) is not type(method):
        raise UserError(
            f"A method is a name such as dynode or linear, or the settings of one, got a {type(method).__name__}."
        )
    return METHODS[name], method


def settings_of(method: str | Any) -> Any:
    """The settings of a method given by name or by its settings; None where there is nothing to set."""
    return resolved(method)[1]


def label_of(method: str | Any) -> str:
    """The name of a method in records, which says where settings are changed."""
    chosen, settings = resolved(method)
    return chosen.name if settings is None else settings.label


def unlearned_names() -> list[str]:
    """Names of the methods with nothing to set: interpolation and Gaussian processes."""
    return [name for name, method in METHODS.items() if method.settings is None]


def learned_names() -> list[str]:
    """Names of the methods that have settings: presets of the neural ODE, and what learns beside it."""
    return [name for name, method in METHODS.items() if method.settings is not None]


def learned(name: str, latent_only: bool = False) -> Any:
    """The settings of a method that has some.  latent_only: without losses in images.  Raises UserError for other names."""
    settings = settings_of(choose("preset", name, {each: each for each in learned_names()}))
    return presets.latent_only(settings) if latent_only and in_images(settings) else settings


def in_images(settings: Any) -> bool:
    """Whether a fit under these settings looks at images."""
    return isinstance(settings, DynamicsSettings) and settings.losses.in_images


@dataclass
class Networks:
    """The frozen networks that losses in images need, loaded when first asked for."""

    device: torch.device | str = "cpu"
    loaded: dict = field(default_factory=dict)

    def get(self, name: str, build):
        if name not in self.loaded:
            self.loaded[name] = build()
        return self.loaded[name]

    def image_loss(self, clip: Clip, settings: LossSettings) -> ImageLoss:
        """The losses in images of the observed frames of a clip.  Raises UserError for codes of other weights."""
        from dynode.perception.identity import Identity  # torchvision takes seconds to import
        from dynode.perception.lpips import LPIPS

        name = clip.meta.get("generator", "")
        generators.require_same(name, clip.meta.get("generator_hash", ""), f"The clip {clip.name}")
        generator = self.get(name, lambda: generators.load(name, self.device))
        perceptual = settings.lpips and self.get(settings.lpips_net, lambda: LPIPS(settings.lpips_net).to(self.device))
        identity = settings.identity and self.get("identity", lambda: Identity().to(self.device))
        targets = generators.render(generator, clip.observations().ws, settings.resolution)
        return ImageLoss(settings, targets, generator.synthesis, perceptual or None, identity or None)


def fit_neural_ode(clip: Clip, settings: DynamicsSettings, seed: int, how: How) -> Trajectory:
    """The neural ODE under a preset, with the networks that its losses need."""
    networks = Networks(how.device) if settings.losses.in_images else None
    choices = {"device": how.device, "progress": how.progress, "checkpoint": how.checkpoint}
    return trainer.fit(clip, settings, seed, networks=networks, **choices)


for _name, _settings in presets.PRESETS.items():
    METHODS.add(_name, Method(_name, _settings, fit_neural_ode, NeuralODE))
