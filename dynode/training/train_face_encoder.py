"""`dynode train encoder mobilestylegan-ffhq`: an encoder of faces, from the generator's own samples alone.

Three things are learned together: the draft (`dynode.generators.draft`) of new samples, the first pass from many samples
whose codes are known, and all passes of a part of them from losses on drafts: squared error, LPIPS and identity.
"""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import nn

from dynode import generators, runtime
from dynode.generators.draft import RESOLUTION
from dynode.generators.mobile_stylegan import MobileStyleGAN
from dynode.generators.protocol import Generator
from dynode.inversion import encoder_files
from dynode.inversion.face_encoder import FaceEncoder, FaceEncoderSettings
from dynode.io import names
from dynode.metrics import METRICS
from dynode.perception.lpips import LPIPS
from dynode.settings import choose, require_positive, to_json
from dynode.training.degradations import Degradations, degrade
from dynode.training.face_samples import CodeDraws, Pool
from dynode.training.loops import EncoderTraining, follow, require_minutes, running_average

PRECISIONS = ("float32", "bfloat16")
FIRST_SAMPLES = 512  # in the pool before learning begins
MEASURED, MEASURED_SEED = 16, 1  # new samples that the quality is measured on


@dataclass(frozen=True)
class FaceEncoderTrainingSettings:
    """How an encoder of faces is trained: for a CPU, on which a new sample costs as much as learning from five."""

    encoder: FaceEncoderSettings = field(default_factory=FaceEncoderSettings)
    draws: CodeDraws = field(default_factory=CodeDraws)
    degradations: Degradations = field(default_factory=Degradations)
    batch: int = 24
    fresh: int = 3  # new samples for each batch: with one, samples that come again are learned by heart
    judged: int = 4  # samples of a batch that get losses on images, and all passes
    codes_first: float = 0.5  # fraction of the training without losses on images
    pool: int = 3072  # samples kept
    pictures: int = 80_000  # images shown
    lr: float = 1e-3
    draft_lr: float = 3e-3
    mse: float = 1.0
    lpips: float = 0.8
    identity: float = 0.2
    code: float = 0.5  # weight of the squared error of codes, in units of w_std; falls to a tenth
    tinted_code: float = 0.4  # weight of codes of images that were moved or have other colours, relative to the others
    ema: int = 4000  # half-life of the running average, in images
    precision: str = "bfloat16"
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "fresh", "pool", "pictures", "lr", "draft_lr")
        choose("precision", self.precision, PRECISIONS)


ACCELERATED = {"batch": 64, "fresh": 64, "judged": 64, "codes_first": 0.0, "pool": 128, "pictures": 600_000}


def settings_for_device(device: torch.device | str) -> FaceEncoderTrainingSettings:
    """The settings for a CPU; on an accelerator every sample is new and gets all losses."""
    accelerated = torch.device(device).type != "cpu"
    return FaceEncoderTrainingSettings(**(ACCELERATED if accelerated else {}))


class FaceEncoderTrainer(EncoderTraining[FaceEncoder]):
    """The training of an encoder of faces with its draft, and of their running average."""

    subject, checkpoint_format = "the encoder of faces", "dynode-face-encoder-checkpoint-1"

    def __init__(
        self,
        settings: FaceEncoderTrainingSettings,
        device: torch.device | str = "cpu",
        *,
        compiled: bool = False,
        generator_name: str = "mobilestylegan-ffhq",
        generator: Generator | None = None,
    ):
        runtime.seed_everything(settings.seed)
        super().__init__(settings.seed, device)
        self.settings, self.generator_name = settings, generator_name
        self.generator = cast(MobileStyleGAN, generator or generators.load(generator_name, device))
        self.batch, self.total = settings.batch, settings.pictures
        self.mixed = settings.precision == "bfloat16" and runtime.fast_bfloat16(self.device)
        network = FaceEncoder(settings.encoder, self.generator)
        self.encoder = network.to(device=self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = running_average(self.encoder, self.generator, self.encoder.identity[0])
        self.perceptual, self.identity = LPIPS("alex", checked=False).to(device), self.encoder.identity[0]
        own = [p for name, p in self.encoder.named_parameters() if not name.startswith("draft.")]
        self.optimiser = torch.optim.Adam(own, lr=settings.lr, betas=(0.9, 0.99))
        self.draft_optimiser = torch.optim.Adam(
            self.encoder.draft.parameters(), lr=settings.draft_lr, betas=(0.9, 0.99)
        )
        self.pool = Pool(settings.pool, self.rng)
        self.change = self.fuse(self.encoder.change, compiled)
        self.draft, self.synthesis = self.fuse(self.encoder.draft, compiled), self.fuse(self.sampled, compiled)
        self.fraction = 0.0

    @property
    def samples(self) -> int:
        """New samples that the batches so far have brought, without those of a pool before its first one."""
        return self.shown // self.batch * self.settings.fresh

    def sampled(self, ws: torch.Tensor) -> torch.Tensor:
        """The generator's images at the resolution of drafts."""
        return self.generator.synthesis(ws, RESOLUTION)

    @torch.no_grad()
    def new_samples(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes (n, L, D) and images (n, 3, 256, 256), whose squared error in bfloat16 is below 1e-4."""
        ws = self.settings.draws(self.generator, n, self.rng)
        with self.precision():
            return ws, self.synthesis(ws).float()

    def train_batch(self) -> torch.Tensor:
        """New samples for the pool and the draft, then all passes; the loss of the first one."""
        s = self.settings
        if not self.pool.added:
            self.fill_pool()
        self.progress()
        ws, images = self.new_samples(s.fresh)
        self.pool.add(ws, images)
        self.learn_draft(ws, images)
        codes, images = self.pool.draw(s.batch)
        degraded, wanted, same = degrade(images, s.degradations, self.rng)
        return self.learn_passes(degraded, wanted, codes, torch.where(same > 0, 1.0, s.tinted_code))

    def fill_pool(self) -> None:
        """Take in the first samples; a new draft is measured on them."""
        while len(self.pool) < min(FIRST_SAMPLES, self.settings.pool):
            self.pool.add(*self.new_samples(self.settings.fresh))
        if not self.shown:
            self.encoder.draft.measure(self.pool.ws[: min(MEASURED, len(self.pool))])

    def progress(self) -> None:
        """Set the learning rates, which fall as half a cosine, for the part of the training that is done."""
        self.fraction = min(1.0, self.position() / self.total)
        falling = (
            self.warmth()
            * min(1.0, (self.batches + 1) / 20)
            * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * self.fraction)))
        )
        self.optimiser.param_groups[0]["lr"] = self.settings.lr * falling
        self.draft_optimiser.param_groups[0]["lr"] = self.settings.draft_lr * falling

    def learn_draft(self, ws: torch.Tensor, images: torch.Tensor) -> None:
        """One step of the draft towards the generator's images (B, 3, 256, 256)."""
        with self.precision():
            made = self.draft(ws)
        self.draft_optimiser.zero_grad()
        (made.float() - images).abs().mean().backward()
        self.draft_optimiser.step()

    def learn_passes(
        self, degraded: torch.Tensor, wanted: torch.Tensor, codes: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """One step for the losses of all passes: the first of all samples, the others of those with losses on images.

        A step for each pass, as ReStyle takes, would let the few samples of later passes undo what the first has learned.
        """
        s = self.settings
        self.optimiser.zero_grad()
        judged = 0 if self.fraction < s.codes_first else s.judged
        start, first, ws = self.encoder.start(1), degraded.new_zeros(()), self.encoder.start(len(degraded))
        drafts = self.encoder.looked_at(start).expand(len(degraded), -1, -1, -1)
        for k in range(s.encoder.passes if judged else 1):
            if k:
                degraded, codes, known, ws = degraded[:judged], codes[:judged], known[:judged], ws[:judged]
            with self.precision():
                change = self.change(degraded, drafts)
            unit = self.generator.w_std * ws.shape[-1] ** -0.5
            ws = ws + change.float() * unit
            weight = s.code * (1 - 0.9 * self.fraction)
            loss = weight * (known[:, None, None] * ((ws - codes) / unit).square()).mean()
            if judged:
                made_loss, drafts = self.image_loss(ws[:judged], wanted[:judged])
                loss = loss + made_loss
            loss.backward()
            ws, first = ws.detach(), first if k else loss.detach()
        nn.utils.clip_grad_norm_(self.optimiser.param_groups[0]["params"], 1.0)
        self.optimiser.step()
        return first

    def image_loss(self, ws: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The losses of the drafts of codes against images (B, 3, 256, 256), and these drafts, off the graph."""
        s = self.settings
        with self.precision():
            made = self.draft(ws).float()
            lpips = self.perceptual(made.clamp(-1.9, 1.9), wanted).mean()
        cosine = (self.identity(made) * self.identity(wanted)).sum(1).mean()
        loss = s.mse * (made - wanted).square().mean() + s.lpips * lpips.float() + s.identity * (1 - cosine)
        return loss, made.detach().clamp(-1.5, 1.5)

    def after_batch(self) -> None:
        follow(self.average, self.encoder, self.settings.ema, self.batch, self.shown)
        for mine, its in zip(self.average.buffers(), self.encoder.buffers(), strict=True):
            mine.copy_(its)

    def networks(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder, "average": self.average}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"adam": self.optimiser, "draft_adam": self.draft_optimiser}

    @torch.no_grad()
    def quality(self) -> dict[str, float]:
        """Of new samples: MSE, LPIPS-Alex and identity cosine of the generator's images after each pass, MSE of drafts."""
        rng = torch.Generator(self.device).manual_seed(MEASURED_SEED)
        ws = self.settings.draws(self.generator, MEASURED, rng)
        wanted = torch.cat([self.sampled(each).clamp(-1, 1) for each in ws.split(1)])
        drafts = torch.cat([self.average.draft(each) for each in ws.split(1)])
        quality = {"mse_of_drafts": round(float((drafts - wanted).square().mean()), 5)}
        for passes in range(1, self.average.passes + 1):
            codes = torch.cat([self.average(each, passes) for each in wanted.split(1)])
            made = torch.cat([self.sampled(each).clamp(-1, 1) for each in codes.split(1)])
            quality[f"mse_after_{passes}"] = round(float(METRICS["mse"](made, wanted).mean()), 5)
            quality[f"lpips_alex_after_{passes}"] = round(float(self.perceptual(made, wanted).mean()), 4)
            cosine = (self.identity(made) * self.identity(wanted)).sum(1).mean()
            quality[f"identity_after_{passes}"] = round(float(cosine), 4)
        return quality


def save_face_encoder(trainer: FaceEncoderTrainer, path: Path, compiled: bool = False) -> dict:
    """Write the running average with its card, in half precision; returns the card."""
    card = {
        "generator": {"name": trainer.generator_name, "hash": trainer.generator.hash},
        "settings": to_json(trainer.settings),
        "pictures_shown": trainer.shown,
        "samples": trainer.samples,
        "hours": round(trainer.seconds / 3600, 2),
        "quality": trainer.quality(),
        "provenance": runtime.provenance(trainer.device, compiled=compiled),
    }
    encoder_files.save(trainer.average, path, trainer.generator_name, card)
    return card


def train_face_encoder(
    output: Path,
    settings: FaceEncoderTrainingSettings,
    *,
    generator_name: str = "mobilestylegan-ffhq",
    minutes: float = math.inf,
    device: torch.device | str = "cpu",
    compiled: bool = False,
    progress: bool = False,
) -> dict:
    """Train the encoder of a generator of faces and write it to `output`; returns its card.

    minutes: stop after this time; the same call resumes.  Raises UserError for a checkpoint of another training.
    """
    require_minutes(minutes)
    trainer = FaceEncoderTrainer(settings, device, compiled=compiled, generator_name=generator_name)
    checkpoint = names.beside(output, ".checkpoint")
    trainer.resume(checkpoint)
    trainer.run(checkpoint, until=time.time() + 60 * minutes, progress=progress)
    card = save_face_encoder(trainer, output, compiled)
    if trainer.shown >= settings.pictures:
        checkpoint.unlink(missing_ok=True)
    return card
