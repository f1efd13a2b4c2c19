"""Every method by the name it has in records: `fit(name, clip, settings, seed) -> Trajectory`."""

from dataclasses import dataclass, field
from pathlib import Path

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics import presets
from dynode.dynamics.baselines import gaussian_process, interpolation, motion_prior, sequence_models
from dynode.dynamics.fitting import trainer
from dynode.dynamics.fitting.losses import ImageLoss, LossSettings
from dynode.dynamics.trajectory import Shots
from dynode.settings import choose

INTERPOLATORS = {
    "hold": interpolation.Hold,
    "linear": interpolation.Linear,
    "slerp": interpolation.Slerp,
    "cubic": interpolation.Cubic,
    "pchip": interpolation.Pchip,
    "catmull_rom": interpolation.CatmullRom,
    "gp": gaussian_process.GaussianProcess,
    "gp_periodic": gaussian_process.PeriodicProcess,
}
LEARNED = presets.PRESETS | sequence_models.RELATIVES | {"prior": motion_prior.PRIOR}
METHODS = (*INTERPOLATORS, *LEARNED)


def learned(name: str, latent_only: bool = False):
    """The settings of a learned method: a preset of the neural ODE, one of its relatives, or the motion prior.

    latent_only: without losses in images, which relatives never have.  Raises UserError for other names.
    """
    settings = choose("preset", name, LEARNED)
    return presets.latent_only(settings) if latent_only and in_images(settings) else settings


def in_images(settings) -> bool:
    """Whether a fit under these settings looks at images."""
    return isinstance(settings, presets.DynamicsSettings) and settings.losses.in_images


@dataclass
class Networks:
    """The frozen networks that losses in images need, loaded when first asked for."""

    device: object = "cpu"
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


def fit(
    name: str,
    clip: Clip,
    settings=None,
    seed: int = 0,
    *,
    device="cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
):
    """Fit the method of that name to the observed frames of a clip; a clip with cuts gets one path for each shot.

    settings: to use instead of the method's own.  Raises UserError for other names.
    """
    choose("method", name, METHODS)
    if name in INTERPOLATORS:
        paths = [INTERPOLATORS[name].fit(shot) for shot in clip.split()]
        return paths[0] if len(paths) == 1 else Shots(paths)
    settings = settings or LEARNED[name]
    if isinstance(settings, sequence_models.RelativeSettings):
        return sequence_models.fit(clip, settings, seed, progress=progress)
    if isinstance(settings, motion_prior.PriorSettings):
        return motion_prior.fit(clip, settings, seed)
    return trainer.fit(
        clip, settings, seed, networks=Networks(device), device=device, progress=progress, checkpoint=checkpoint
    )
