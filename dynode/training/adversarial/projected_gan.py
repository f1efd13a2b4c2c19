"""Training of a generator by pictures alone: a projected GAN (Sauer et al. 2021) that never sees what a picture shows.

z is Gaussian noise.  One batch of generated images serves both players: the heads are updated first, then the generator
by the updated heads, so that features are computed once.  Hinge loss, augmentation of both sides, a running average.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dynode import runtime
from dynode.errors import UserError
from dynode.generators import weights
from dynode.generators.stylegan2 import StyleGAN2Settings
from dynode.generators.weights import WeightsGenerator
from dynode.io import assets
from dynode.io.images import area_resize, from_levels
from dynode.perception.lpips import LPIPS
from dynode.settings import require_positive, to_json
from dynode.training.adversarial.augmentation import augmented, require_augmentations
from dynode.training.adversarial.discriminator import (
    SCALES,
    Heads,
    Projection,
    generator_loss,
    made_loss,
    real_loss,
)
from dynode.training.adversarial.recording import Recorded
from dynode.training.gan_training import require_same_shape
from dynode.training.loops import WARM_UP, Trainer, follow, minimise, running_average

LEAST_Z, SMALLEST = 64, 16  # numbers of a latent; pixels a side, below which VGG16's last scale is empty
EXAMPLES = 256  # pictures that features are standardised by
MEASURES = ("frechet", "precision", "recall", "told_apart")
COLUMNS = ("pictures_shown", "hours", "resolution", *MEASURES)  # of the curve of quality
Judge = Callable[[WeightsGenerator, int], dict[str, float]]  # of images of a resolution


@dataclass(frozen=True)
class ProjectedGANSettings:
    """How a generator is trained adversarially; lengths are in real pictures shown, and as many are generated."""

    generator: StyleGAN2Settings = field(default_factory=lambda: StyleGAN2Settings(depth=2))
    batch: int = 16
    pictures: int = 1_000_000
    coarse: float = 0.2  # fraction of them at half the resolution, at a quarter of the cost
    lr: float = 0.002
    heads_lr: float = 0.002
    beta2: float = 0.99
    cooling: float = 0.2  # fraction at the end in which learning rates fall to a tenth
    augmentations: str = "translation,cutout"  # any of them and colour; "" for none
    widths: tuple[int, ...] = (32, 64, 64, 128, 128)  # channels that features are mixed into, from fine to coarse
    width: int = 64  # of the heads
    ema: int = 10_000  # half-life of the running average, in images
    judged_every: int = 25_000  # images between two points of the curve of quality
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "pictures", "lr", "heads_lr", "width", "ema", "judged_every")
        require_augmentations(self.augmentations)
        if len(self.widths) != len(SCALES) or min(self.widths) < 1:
            raise UserError(
                f"Features of {len(SCALES)} scales are mixed into channels, got widths {self.widths}: give as many numbers."
            )
        if self.generator.resolution < SMALLEST or self.generator.z_dim < LEAST_Z:
            raise UserError(
                f"A generator that learns from pictures alone has at least {SMALLEST} pixels a side and {LEAST_Z} numbers of "
                f"noise, got {self.generator.resolution} and {self.generator.z_dim}: set generator.resolution and generator.z_dim."
            )


class ProjectedGANTrainer(Trainer):
    """The training of a generator, its running average and the heads of its discriminator.

    pictures: uint8 (n, 3, R, R), all that is known of the world.  network: LPIPS of VGG16, which becomes a part of this.
    judge: measures the running average for the curve of quality.  renew: draws pictures anew, given how many were shown.
    compiled: fuse small operations of the generator by torch.compile, see `dynode.training.fusing`.  start: a file of weights to start from.
    """

    subject, checkpoint_format = "the generator", "dynode-projected-gan-checkpoint-1"

    def __init__(
        self,
        settings: ProjectedGANSettings,
        pictures: torch.Tensor,
        network: LPIPS,
        device: torch.device | str = "cpu",
        *,
        compiled: bool = False,
        judge: Judge | None = None,
        renew: Callable[[int], None] | None = None,
        start: Path | None = None,
    ):
        runtime.seed_everything(settings.seed)
        super().__init__(settings.seed, device)
        s = self.settings = settings
        self.pictures, self.judge, self.renew = pictures.to(self.device), judge, renew
        self.batch, self.total = s.batch, s.pictures
        self.mixed = runtime.fast_bfloat16(self.device)
        self.generator: WeightsGenerator = self.laid_out(weights.build(s.generator))
        self.start = start
        if start is not None:
            self.load_weights(start)
        self.average = running_average(self.generator)
        dtype = torch.bfloat16 if self.mixed else torch.float32
        self.projection: Projection = self.laid_out(Projection(network, dtype, s.widths))
        self.projection.features.measure(from_levels(self.pictures[:EXAMPLES]))
        self.heads: Heads = self.laid_out(Heads(s.generator.resolution, s.widths, s.width))
        self.fast_generator = self.fuse(self.generator, compiled)
        adam = torch.optim.Adam
        on_gpu = self.device.type == "cuda"
        options: dict[str, Any] = {"betas": (0.0, s.beta2), "capturable": on_gpu}
        rates = [torch.tensor(rate, device=self.device) if on_gpu else rate for rate in (s.lr, s.heads_lr)]
        self.g_optimiser = adam(self.generator.parameters(), lr=rates[0], **options)
        self.d_optimiser = adam(self.heads.parameters(), lr=rates[1], **options)
        self.step = Recorded(self.both_players, self.rng) if on_gpu else self.both_players
        self.curve = torch.zeros(s.pictures // s.judged_every, len(COLUMNS), dtype=torch.float64)

    def laid_out(self, network: nn.Module):
        """A network on the device, in the memory format of convolutions."""
        return network.to(device=self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def load_weights(self, path: Path) -> None:
        """Start from the weights of a file.  Raises UserError where their shape is not that of the settings."""
        held = weights.load(path, path.stem)
        require_same_shape(held.settings, self.settings.generator, path)
        self.generator.load_state_dict(held.state_dict())

    def job(self) -> str:
        return to_json(self.settings) + (assets.sha256_of(self.start)[:12] if self.start else "")

    def size(self) -> int:
        """The resolution that is trained at now."""
        whole = self.settings.generator.resolution
        coarse = self.position() < self.settings.coarse * self.total and whole >= 2 * SMALLEST
        return whole // 2 if coarse else whole

    def real(self, size: int) -> torch.Tensor:
        """A batch of pictures (B, 3, R, R) in [-1, 1] at a resolution."""
        chosen = torch.randint(len(self.pictures), (self.batch,), generator=self.rng, device=self.device)
        return area_resize(from_levels(self.pictures[chosen]), size)

    def latents(self) -> torch.Tensor:
        """Gaussian noise (B, Z)."""
        shape = self.batch, self.settings.generator.z_dim
        return torch.randn(shape, generator=self.rng, device=self.device)

    def projected(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The mixed features of augmented images."""
        images = augmented(images, self.settings.augmentations, self.rng)
        with self.precision():
            return self.projection(images)

    def ramp(self) -> None:
        """Learning rates: constant, and falling to a tenth at the end; the generator's rises first, while heads are new."""
        s, left = self.settings, 1 - self.position() / self.total
        factor = max(0.1, min(1.0, left / s.cooling)) if s.cooling else 1.0
        warm = min(1.0, (self.shown / s.batch + 1) / WARM_UP) * self.warmth()
        set_rate(self.g_optimiser, s.lr * factor * warm)
        set_rate(self.d_optimiser, s.heads_lr * factor)

    def train_batch(self) -> torch.Tensor:
        """One step of the heads, then one of the generator; the loss of the heads."""
        self.ramp()
        if self.renew is not None:
            self.renew(self.batch)
        return self.step(self.size())

    def both_players(self, size: int) -> torch.Tensor:
        """`train_batch` at a resolution: what a GPU records."""
        with torch.no_grad():
            real = self.projected(self.real(size))
        with self.precision():
            made = self.fast_generator(self.latents(), size)
        made = self.projected(made)
        loss = self.heads_step(real, [each.detach() for each in made])
        self.generator_step(made)
        return loss.detach()

    def heads_step(self, real: list[torch.Tensor], made: list[torch.Tensor]) -> torch.Tensor:
        self.heads.iterate()
        with self.precision():
            loss = real_loss(self.heads(real)) + made_loss(self.heads(made))
        minimise(self.d_optimiser, loss)
        return loss

    def generator_step(self, made: list[torch.Tensor]) -> None:
        self.heads.requires_grad_(False)
        with self.precision():
            loss = generator_loss(self.heads(made))
        minimise(self.g_optimiser, loss)
        self.heads.requires_grad_(True)

    def after_batch(self) -> None:
        follow(self.average, self.generator, self.settings.ema, self.batch, self.shown)
        rows = self.shown // self.settings.judged_every
        if self.judge is not None and rows > (self.shown - self.batch) // self.settings.judged_every:
            measured = self.judge(self.average, self.size())
            row = [self.shown, self.seconds / 3600, self.size(), *(measured[name] for name in MEASURES)]
            self.curve[rows - 1] = torch.tensor(row, dtype=torch.float64)

    def quality_curve(self) -> list[dict[str, float]]:
        """The points of the curve of quality: pictures shown, hours, the resolution that is trained at, and every measure."""
        points = self.curve[self.curve[:, 0] > 0].tolist()
        return [dict(zip(COLUMNS, [round(value, 4) for value in point], strict=True)) for point in points]

    def run(self, checkpoint=None, *, until: float = math.inf, progress: bool = False) -> WeightsGenerator:
        """Train to the end, or until a moment (`time.time()`); returns the running average, with w_avg and w_std measured.

        Raises UserError when the loss is not finite.
        """
        self.loop(checkpoint, until=until, progress=progress)
        self.average.measure()
        return self.average

    def networks(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator,
            "average": self.average,
            "heads": self.heads,
            "mixing": self.projection.mixing,
        }

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator_adam": self.g_optimiser, "heads_adam": self.d_optimiser}

    def buffers(self) -> dict[str, torch.Tensor]:
        return dict(self.projection.features.named_buffers(prefix="features")) | {"curve": self.curve}


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of an optimiser, in place where it is a tensor."""
    group = optimiser.param_groups[0]
    if isinstance(group["lr"], torch.Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate
