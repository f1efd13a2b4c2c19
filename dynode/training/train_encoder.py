"""`dynode train encoder`: images of a world, losses after every pass, a weights file with a model card."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from dynode import generators, runtime
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.inversion import encoder_files as encoders
from dynode.inversion.encoder import Encoder, EncoderSettings
from dynode.io import names
from dynode.io.images import from_levels
from dynode.metrics import METRICS
from dynode.perception.lpips import LPIPS
from dynode.settings import require_positive, to_json
from dynode.training.loops import EncoderTraining, follow, require_minutes, running_average
from dynode.training.rendered_pictures import HELD_OUT_SEED, FreshPictures, pictures, require_some
from dynode.worlds import World, world

CPU_RATE = 15  # images a second on two cores, an order of magnitude for the estimate printed before the work starts
HELD_OUT = 256  # images that quality is measured on


@dataclass(frozen=True)
class EncoderTrainingSettings:
    """How an encoder is trained: part of every batch are the generator's own images, whose codes are known."""

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    batch: int = 8
    pictures: int = 40_000  # images shown, each for all passes
    own: float = 0.25  # fraction of a batch that the generator makes
    lr: float = 1e-3
    lpips: float = 0.1  # weight relative to the squared error
    code: float = 0.01  # weight of the squared error of known codes, in units of w_std
    ema: int = 0  # half-life of the running average, in images; 0: none, the weights themselves
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "pictures", "lr")


class EncoderTrainer(EncoderTraining[Encoder]):
    """The training of an encoder and its running average.

    images: uint8 (n, 3, R, R) of the generator's world.  perceptual: None without its loss.
    compiled: fuse the generator's small operations by torch.compile.  fresh: draws images anew as training goes on.
    """

    subject, checkpoint_format = "the encoder", "dynode-encoder-checkpoint-1"

    def __init__(
        self,
        settings: EncoderTrainingSettings,
        generator: Generator,
        images: torch.Tensor,
        perceptual: LPIPS | None,
        device: torch.device | str = "cpu",
        compiled: bool = False,
        fresh: FreshPictures | None = None,
    ):
        runtime.seed_everything(settings.seed)
        super().__init__(settings.seed, device)
        self.settings, self.generator, self.perceptual = settings, generator, perceptual
        self.images, self.fresh = images.to(self.device), fresh
        self.batch, self.total = settings.batch, settings.pictures
        self.encoder = self.placed(Encoder(settings.encoder, generator))
        self.average = running_average(self.encoder, generator) if settings.ema else self.encoder
        self.optimiser = torch.optim.Adam(self.encoder.parameters(), lr=settings.lr, betas=(0.9, 0.99))
        self.encoder.synthesis = self.synthesis = self.fuse(generator.synthesis, compiled)

    def examples(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images (B, 3, R, R), their codes (B, L, D) and which codes are known (B,) float."""
        s, draw = self.settings, {"generator": self.rng, "device": self.device}
        if self.fresh is not None:
            self.fresh.renew_after(s.batch)
        images = from_levels(self.images[torch.randint(len(self.images), (s.batch,), **draw)])
        own = int(round(s.own * s.batch))
        codes = self.generator.w_avg.expand(s.batch, self.generator.num_ws, -1).clone()
        if own:
            z = torch.randn(2, own, self.generator.z_dim, **draw)
            row = torch.randint(1, self.generator.num_ws + 1, (), **draw)
            later = torch.arange(self.generator.num_ws, device=self.device) >= row
            with torch.no_grad(), self.precision():
                one, other = (self.generator.mapping(each) for each in z)
                codes[:own] = torch.where(later[:, None], other, one)  # style mixing: rows differ, as in W+
                images[:own] = self.synthesis(codes)[:own].clamp(-1, 1)
        return images, codes, (torch.arange(s.batch, device=self.device) < own).float()

    def train_batch(self) -> torch.Tensor:
        """All passes over one batch, an optimiser step after each (ReStyle, Sec. 3.2); the last pass's squared error."""
        s, (images, codes, known) = self.settings, self.examples()
        ws, error = self.encoder.start(s.batch), images.new_zeros(())
        progress = self.position() / self.total
        rate = s.lr * (0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * progress)))
        self.optimiser.param_groups[0]["lr"] = self.warmth() * rate
        with self.precision():
            features = self.perceptual.features(images) if self.perceptual and s.lpips else None
        for _ in range(s.encoder.passes):
            with self.precision():
                ws = self.encoder.refined(images, ws, *self.encoder.image_and_gradient(images, ws))
                made = self.synthesis(ws)
                error, loss = self.loss(images, made, ((ws - codes) / self.generator.w_std).square(), known, features)
            self.optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
            self.optimiser.step()
            ws = ws.detach()
        return error.detach()

    def loss(
        self,
        images: torch.Tensor,
        made: torch.Tensor,
        code_errors: torch.Tensor,
        known: torch.Tensor,
        features: list[torch.Tensor] | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The squared error of made images (B, 3, R, R), and the loss: with those of known codes (B, L, D), and LPIPS."""
        error = (made - images).square().mean((1, 2, 3)).mean()
        loss = error + self.settings.code * (known * code_errors.mean((1, 2))).mean()
        if self.perceptual is not None and features is not None:
            distances = self.perceptual.distance_to(features, made.clamp(-1.9, 1.9))
            loss = loss + self.settings.lpips * distances.mean()
        return error, loss

    def after_batch(self) -> None:
        if self.settings.ema:
            follow(self.average, self.encoder, self.settings.ema, self.batch, self.shown)

    def networks(self) -> dict[str, nn.Module]:
        average: dict[str, nn.Module] = {"average": self.average} if self.settings.ema else {}
        return {"encoder": self.encoder} | average

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"adam": self.optimiser}


def train_world_encoder(
    generator_name: str,
    output: Path,
    settings: EncoderTrainingSettings,
    *,
    distinct: int = 12_288,
    minutes: float = math.inf,
    device: torch.device | str = "cpu",
    compiled: bool = False,
    progress: bool = False,
) -> dict:
    """Train the encoder of a generator of a world and write it to `output`; returns its card.

    distinct: number of different images.  minutes: stop after this time; the same call resumes.
    Raises UserError for a generator that is not of a world, and for a checkpoint of another training.
    """
    require_minutes(minutes)
    require_some(distinct)
    known = world_of(generator_name)
    minutes_needed = settings.pictures / CPU_RATE / 60
    print(f"{settings.pictures} pictures to show, about {minutes_needed:.0f} minutes on 2 CPU cores.")
    generator = generators.load(generator_name, device)
    choices = {"device": device, "progress": progress}
    _, images = pictures(known, distinct, generator.resolution, **choices)
    trainer = EncoderTrainer(settings, generator, images, LPIPS("alex", checked=False).to(device), device, compiled)
    checkpoint = names.beside(output, ".checkpoint")
    trainer.resume(checkpoint)
    encoder = trainer.run(checkpoint, until=time.time() + 60 * minutes, progress=progress)
    _, held_out = pictures(known, HELD_OUT, generator.resolution, seed=HELD_OUT_SEED, **choices)
    card = {
        "generator": {"name": generator_name, "hash": generator.hash},
        "settings": to_json(settings),
        "pictures_shown": trainer.shown,
        "hours": round(trainer.seconds / 3600, 2),
        "quality": measure(encoder, from_levels(held_out).to(device)),
        "provenance": runtime.provenance(torch.device(device), compiled=compiled),
    }
    encoders.save(encoder, output, generator_name, card)
    if trainer.shown >= settings.pictures:
        checkpoint.unlink(missing_ok=True)
    return card


def world_of(generator_name: str) -> World:
    """The world that a generator shows.  Raises UserError for a generator of faces."""
    category = generators.category_of(generator_name)
    if category == "face":
        raise UserError(
            f"{generator_name} shows no world: an encoder learns from pictures of one, such as stylegan2-scene."
        )
    return world(category)


@torch.no_grad()
def measure(encoder: Encoder, images: torch.Tensor) -> dict[str, float]:
    """MSE of held-out images (n, 3, R, R) of the world after each pass, and SSIM after the last."""
    parts, quality, made = images.split(32), {}, images
    for passes in range(1, encoder.passes + 1):
        made = torch.cat([encoder.synthesis(encoder(part, passes)).clamp(-1, 1) for part in parts])
        quality[f"mse_after_{passes}"] = round(float(METRICS["mse"](made, images).mean()), 5)
    return quality | {"ssim": round(float(METRICS["ssim"](made.cpu(), images.cpu()).mean()), 4)}
