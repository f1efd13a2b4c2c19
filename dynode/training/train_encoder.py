"""`dynode train encoder`: images of a world or of a generator of yours, losses after every pass, a weights file with a card."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from dynode.worlds import WORLDS, World

CPU_RATE = 15  # images a second on two cores, an order of magnitude for the estimate printed before the work starts
HELD_OUT, HELD_OUT_SAMPLES = 256, 32  # images that quality is measured on, of a world or of the generator itself


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

    images: uint8 (n, 3, R, R) of the generator's world; None: all images are the generator's own.  perceptual: None without
    its loss.
    compiled: fuse the generator's small operations by torch.compile.  fresh: draws images anew as training goes on.
    """

    subject, checkpoint_format = "the encoder", "dynode-encoder-checkpoint-1"

    def __init__(
        self,
        settings: EncoderTrainingSettings,
        generator: Generator,
        images: torch.Tensor | None,
        perceptual: LPIPS | None,
        device: torch.device | str = "cpu",
        compiled: bool = False,
        fresh: FreshPictures | None = None,
    ):
        runtime.seed_everything(settings.seed)
        super().__init__(settings.seed, device)
        self.settings, self.generator, self.perceptual = settings, generator, perceptual
        self.images, self.fresh = images if images is None else images.to(self.device), fresh
        self.batch, self.total = settings.batch, settings.pictures
        self.encoder = self.placed(Encoder(settings.encoder, generator))
        self.average = running_average(self.encoder, generator) if settings.ema else self.encoder
        self.optimiser = torch.optim.Adam(self.encoder.parameters(), lr=settings.lr, betas=(0.9, 0.99))
        self.encoder.synthesis = self.synthesis = self.fuse(generator.synthesis, compiled)

    def examples(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images (B, 3, R, R), their codes (B, L, D) and which codes are known (B,) float."""
        s, generator = self.settings, self.generator
        own = s.batch if self.images is None else int(round(s.own * s.batch))
        images = torch.zeros(s.batch, 3, generator.resolution, generator.resolution, device=self.device)
        if self.images is not None:
            if self.fresh is not None:
                self.fresh.renew_after(s.batch)
            chosen = torch.randint(len(self.images), (s.batch,), generator=self.rng, device=self.device)
            images = from_levels(self.images[chosen])
        codes = generator.w_avg.expand(s.batch, generator.num_ws, -1).clone()
        if own:
            with torch.no_grad(), self.precision():
                codes[:own] = mixed_codes(generator, own, self.rng)
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


def mixed_codes(generator: Generator, n: int, rng: torch.Generator) -> torch.Tensor:
    """Random codes (n, L, D): up to some row of one style, from there on of another, since rows differ in W+."""
    z = torch.randn(2, n, generator.z_dim, generator=rng, device=rng.device)
    row = torch.randint(1, generator.num_ws + 1, (), generator=rng, device=rng.device)
    later = torch.arange(generator.num_ws, device=rng.device) >= row
    one, other = (generator.mapping(each) for each in z)
    return torch.where(later[:, None], other, one)


def train_image_encoder(
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
    """Train the encoder of a generator and write it to `output`; returns its card.

    A generator of a world learns from the world's pictures and its own, any other one from its own alone.
    distinct: number of different pictures of the world.  minutes: stop after this time; the same call resumes.
    Raises UserError for a checkpoint of another training, and for a generator whose encoder is trained otherwise.
    """
    require_minutes(minutes)
    require_some(distinct)
    shown = shown_world(generator_name)
    minutes_needed = settings.pictures / CPU_RATE / 60
    scale = "" if shown else ", and more where the generator is larger than those of worlds"
    print(f"{settings.pictures} pictures to show, about {minutes_needed:.0f} minutes on 2 CPU cores{scale}.")
    generator = generators.load(generator_name, device)
    choices = {"device": device, "progress": progress}
    images = pictures(shown, distinct, generator.resolution, **choices)[1] if shown else None
    trainer = EncoderTrainer(settings, generator, images, LPIPS("alex", checked=False).to(device), device, compiled)
    checkpoint = names.beside(output, ".checkpoint")
    trainer.resume(checkpoint)
    encoder = trainer.run(checkpoint, until=time.time() + 60 * minutes, progress=progress)
    card = {
        "generator": {"name": generator_name, "hash": generator.hash},
        "settings": to_json(settings),
        "pictures_shown": trainer.shown,
        "hours": round(trainer.seconds / 3600, 2),
        "quality": measure(encoder, held_out(generator, shown, choices)),
        "provenance": runtime.provenance(torch.device(device), compiled=compiled),
    }
    encoders.save(encoder, output, generator_name, card)
    if trainer.shown >= settings.pictures:
        checkpoint.unlink(missing_ok=True)
    return card


def shown_world(generator_name: str) -> World | None:
    """The world that a generator shows; None for one of another's pictures in a file.

    Raises UserError for a form of the package's generator of faces whose codes are no W+.
    """
    shown = WORLDS.get(generators.category_of(generator_name))
    base, at, _ = generator_name.partition("@")
    if shown is None and at and base in generators.SOURCES:
        raise UserError(
            f"{generator_name} shows no world: an encoder learns from pictures of one, or for codes of W+ by {base}."
        )
    return shown


@torch.no_grad()
def held_out(generator: Generator, shown: World | None, choices: dict[str, Any]) -> torch.Tensor:
    """Images (n, 3, R, R) that quality is measured on: of the world that the generator shows, else of new codes."""
    device = generator.w_avg.device
    if shown:
        levels = pictures(shown, HELD_OUT, generator.resolution, seed=HELD_OUT_SEED, **choices)[1]
        return from_levels(levels).to(device)
    codes = mixed_codes(generator, HELD_OUT_SAMPLES, torch.Generator(device).manual_seed(HELD_OUT_SEED))
    return torch.cat([generator.synthesis(each).clamp(-1, 1) for each in codes.split(1)])


@torch.no_grad()
def measure(encoder: Encoder, images: torch.Tensor) -> dict[str, float]:
    """MSE of held-out images (n, 3, R, R) after each pass, and SSIM after the last."""
    parts, quality, made = images.split(32 if images.shape[-1] <= 128 else 1), {}, images
    for passes in range(1, encoder.passes + 1):
        made = torch.cat([encoder.synthesis(encoder(part, passes)).clamp(-1, 1) for part in parts])
        quality[f"mse_after_{passes}"] = round(float(METRICS["mse"](made, images).mean()), 5)
    return quality | {"ssim": round(float(METRICS["ssim"](made.cpu(), images.cpu()).mean()), 4)}
