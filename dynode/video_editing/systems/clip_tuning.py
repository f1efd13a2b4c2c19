"""Pivotal tuning of one generator over all frames of a shot (Roich et al. 2021), as STIT and TCSVE use it.

    loss = lambda_mse |G'(w) - c|^2 + lambda_lpips LPIPS(G'(w), c) + lambda_locality (|G'(v) - G(v)|^2 + LPIPS(G'(v), G(v)))

with v a code near the pivot.  One frame a step at a constant rate; the pivots stay fixed.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dynode.errors import UserError
from dynode.inversion.observer import Observer
from dynode.inversion.projection_settings import PRECISIONS
from dynode.inversion.tuning_losses import TuningLoss, Weights, near_pivot
from dynode.inversion.tuning_settings import TuningSettings
from dynode.inversion.tuning_steps import Tuner
from dynode.perception.lpips import LPIPS
from dynode.settings import to_json
from dynode.video_editing.systems.kept_stages import Stage, digest_of, tell, uses_since
from dynode.video_editing.systems.scene import Scene
from dynode.video_editing.systems.trained_weights import counted, halved, relative_rates

SMALLEST = 128  # pixels a side: smaller images are enlarged for AlexNet


@dataclass(frozen=True)
class ClipTuning:
    """How a generator is tuned on a shot; the defaults are those of STIT's examples."""

    passes: int = 80  # over all frames; 0: the generator stays as it is
    lr: float = 3e-5
    lambda_mse: float = 10.0
    lambda_lpips: float = 1.0
    locality_every: int = 0  # every N-th step holds the image of a code near the pivot; 0: none does
    lambda_locality: float = 0.1
    locality_distance: float = 30.0  # of that code from the pivot, all rows together
    locality_psi: float = 0.5  # truncation of the random code towards which it lies
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self):
        if self.passes and not self.lr > 0:
            raise UserError(f"The learning rate of a tuning must be above 0, got {self.lr:g}.")

    def for_frames(self, frames: int, resolution: int) -> TuningSettings:
        """The settings of the package's own tuning that do this."""
        return TuningSettings(
            steps=self.passes * frames,
            lr=self.lr,
            warmup=0,
            precision=self.precision,
            lambda_mse=self.lambda_mse,
            lambda_lpips=self.lambda_lpips,
            lambda_id=0.0,
            lpips_net="alex",
            lpips_resolution=SMALLEST if resolution < SMALLEST else 0,
            regions=1.0,
            locality_every=self.locality_every,
            lambda_locality=self.lambda_locality,
            locality_distance=self.locality_distance,
            stop_lpips=0.0,
            resolution=resolution,
            seed=self.seed,
        )


class PivotalTuner(Tuner):
    """A tuner at a constant rate, whose passes and steps are counted; its random codes are truncated by psi.

    uses_before: of parts, by the run that its checkpoint comes from.
    """

    def __init__(self, *arguments, psi: float, observer: Observer):
        super().__init__(*arguments)
        self.psi, self.observer = psi, observer
        self.optimiser = torch.optim.Adam(relative_rates(self.update, self.settings.lr))
        self.uses_before, self.began = {}, observer.counts()

    def step(self, share: float) -> None:
        super().step(0.0)
        self.observer.count("tuning_steps")

    def numbers(self) -> dict[str, Any]:
        uses = Counter(self.uses_before) + Counter(uses_since(self.observer, self.began))
        return super().numbers() | {"uses_before": dict(uses)}

    def resume(self, path: Path, job: str) -> None:
        """As a tuner does; the observer is notified of what was used before."""
        super().resume(path, job)
        tell(self.observer, self.uses_before | {"tuning_steps": self.done})
        self.began = self.observer.counts()

    def images(self, code: torch.Tensor) -> torch.Tensor:
        return counted(super().images(code), self.observer)

    def locality(self, pivot: torch.Tensor) -> torch.Tensor:
        rng = torch.Generator(pivot.device).manual_seed(self.settings.seed + self.done)
        with torch.no_grad():
            z = torch.randn(1, self.generator.z_dim, generator=rng, device=pivot.device)
            code = near_pivot(pivot, self.generator.mapping(z, self.psi), self.settings.locality_distance)
            before = counted(self.generator.synthesis(code, self.settings.resolution), self.observer)
        return self.loss.locality(self.images(code), before)


def tuned_on(scene: Scene, pivots: torch.Tensor, settings: ClipTuning, observer: Observer, perceptual: LPIPS) -> Stage:
    """The differences of weights after tuning on all frames of a scene, whose codes are pivots (T, L, D).

    Its numbers: steps, and the mean LPIPS and squared error of the first and of the last pass over the frames.
    """
    if not settings.passes:
        return Stage({}, {"steps": 0})
    decided_by = {**scene.weights, "frames": scene.frames, "pivots": pivots, "settings": settings}

    def make() -> Stage:
        s = settings.for_frames(len(pivots), scene.resolution)
        loss = tuning_loss(settings, s, perceptual)
        job = to_json(settings) + digest_of(decided_by)
        with scene.kept.checkpoint("tuning", decided_by) as checkpoint:
            parts = scene.generator, pivots, scene.frames, s, loss
            tuner = PivotalTuner(*parts, psi=settings.locality_psi, observer=observer)
            tuner.resume(checkpoint, job)
            tuner.run(checkpoint, job, progress=True)
        return Stage(halved(tuner.differences()), {"steps": tuner.done, **ends_of(tuner.curve, len(pivots))})

    with observer.stage("tune"):
        return scene.kept.stage("tuning", decided_by, make, observer)


def tuning_loss(settings: ClipTuning, tuning: TuningSettings, perceptual: LPIPS) -> TuningLoss:
    """L2 and LPIPS of AlexNet, without identity and regions."""
    weights = Weights(settings.lambda_mse, settings.lambda_lpips, 0.0, 1.0)
    return TuningLoss(perceptual, weights, enlarged=tuning.lpips_resolution, precision=PRECISIONS[settings.precision])


def ends_of(curve: list[list[float]], frames: int) -> dict[str, float]:
    """Means over the first and over the last pass of a curve of (loss, LPIPS, squared error)."""
    parts = {"first": curve[:frames], "last": curve[-frames:]}
    columns = {"lpips": 1, "mse": 2}
    return {
        f"{name}_{when}": sum(row[k] for row in rows) / len(rows)
        for when, rows in parts.items()
        for name, k in columns.items()
    }
