"""`dynode train encoder`: pictures of a world, losses after every pass, a weights file with a model card."""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from tqdm import tqdm

from dynode import generators, runtime
from dynode.errors import UserError
from dynode.inversion import encoder as encoders
from dynode.inversion.encoder import Encoder, EncoderSettings
from dynode.io import assets, files, training_state
from dynode.io.images import from_levels
from dynode.io.tensor_files import read_safetensors
from dynode.io.training_state import part
from dynode.metrics import METRICS
from dynode.perception.lpips import LPIPS
from dynode.settings import require_positive, to_json
from dynode.training.rendered_pictures import pictures
from dynode.training.train_gan import HELD_OUT_SEED, TRAINING_SEED
from dynode.worlds import world

CHECKPOINT_FORMAT = "dynode-encoder-checkpoint-1"
CHECKPOINT_SECONDS = 120
CPU_RATE = 15  # pictures a second on two cores, an order of magnitude for the estimate printed before the work starts


@dataclass(frozen=True)
class EncoderTrainingSettings:
    """How an encoder learns: of every batch a share are the generator's own images, whose codes are known."""

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    batch: int = 8
    pictures: int = 40_000  # shown, each for all passes
    own: float = 0.25
    lr: float = 1e-3
    lpips: float = 0.1  # weight beside the squared error
    code: float = 0.01  # weight of the squared error of known codes, in units of w_std
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "pictures", "lr")


class EncoderTrainer:
    """An encoder on the way; `shown` counts pictures (each is passed settings.encoder.passes times)."""

    def __init__(
        self,
        settings: EncoderTrainingSettings,
        generator,
        images,
        perceptual,
        device: torch.device | str = "cpu",
        compiled: bool = False,
    ):
        runtime.seed_everything(settings.seed)
        self.settings, self.generator, self.perceptual, self.device = settings, generator, perceptual, device
        self.images, self.encoder = images, Encoder(settings.encoder, generator).to(device)
        self.optimiser = torch.optim.Adam(self.encoder.parameters(), lr=settings.lr, betas=(0.9, 0.99))
        if compiled:
            self.encoder.synthesis = torch.compile(generator.synthesis, dynamic=False)
        self.synthesis = self.encoder.synthesis
        self.draws = torch.Generator().manual_seed(settings.seed)
        self.shown, self.seconds, self.losses = 0, 0.0, []

    def batch(self):
        """Images (B, 3, R, R), their codes (B, L, D) and which codes are known (B,) float."""
        s = self.settings
        chosen = torch.randint(len(self.images), (s.batch,), generator=self.draws)
        images = from_levels(self.images[chosen]).to(self.device)
        own = int(round(s.own * s.batch))
        codes = self.generator.w_avg.expand(s.batch, self.generator.num_ws, -1).clone()
        if own:
            z = torch.randn(2, own, self.generator.z_dim, generator=self.draws).to(self.device)
            row = int(torch.randint(1, self.generator.num_ws + 1, (), generator=self.draws))
            with torch.no_grad():
                codes[:own] = self.generator.mapping(z[0])
                codes[:own, row:] = self.generator.mapping(z[1])[:, row:]  # style mixing: rows differ, as in W+
                images[:own] = self.synthesis(codes)[:own].clamp(-1, 1)
        return images, codes, (torch.arange(s.batch, device=self.device) < own).float()

    def step(self) -> float:
        """All passes over one batch, an optimiser step after each (ReStyle, Sec. 3.2); the last pass's squared error."""
        s, (images, codes, known) = self.settings, self.batch()
        ws = self.encoder.start(s.batch)
        self.optimiser.param_groups[0]["lr"] = s.lr * (0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * self.progress)))
        features = self.perceptual.features(images) if s.lpips else None
        for _ in range(s.encoder.passes):
            ws = self.encoder.refined(images, ws, *self.encoder.looked(images, ws))
            made = self.synthesis(ws)
            error = (made - images).square().mean((1, 2, 3))
            missed = ((ws - codes) / self.generator.w_std).square().mean((1, 2))
            loss = error.mean() + s.code * (known * missed).mean()
            if s.lpips:
                loss = loss + s.lpips * self.perceptual.distance_to(features, made.clamp(-1.9, 1.9)).mean()
            self.optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
            self.optimiser.step()
            ws = ws.detach()
        return error.mean().item()

    @property
    def progress(self) -> float:
        return self.shown / self.settings.pictures

    def run(self, checkpoint: Path | None = None, *, until: float = math.inf, progress: bool = False) -> Encoder:
        """Train to the end, or until a moment (`time.time()`).  Raises UserError when the loss is not finite."""
        written, began, total = time.time(), time.time() - self.seconds, self.settings.pictures
        bar = tqdm(total=total, initial=self.shown, desc="train", unit="picture", disable=not progress, mininterval=5)
        with bar:
            while self.shown < total and time.time() < until:
                loss = self.step()
                if loss != loss:
                    raise UserError("The training of the encoder ended in NaN: lower lr.")
                self.shown, self.seconds = self.shown + self.settings.batch, time.time() - began
                self.losses = [*self.losses[-49:], loss]
                bar.update(self.settings.batch)
                bar.set_postfix(mse=f"{sum(self.losses) / len(self.losses):.4f}", refresh=False)
                if checkpoint is not None and time.time() - written > CHECKPOINT_SECONDS:
                    self.save(checkpoint)
                    written = time.time()
        if checkpoint is not None:
            self.save(checkpoint)
        return self.encoder.eval()

    def job(self) -> str:
        return to_json(self.settings) + self.generator.hash

    def save(self, path: Path) -> None:
        tensors = {"draws": self.draws.get_state()}
        tensors |= {f"encoder.{key}": value.contiguous() for key, value in self.encoder.state_dict().items()}
        tensors |= {f"adam.{key}": value for key, value in training_state.of_optimiser(self.optimiser).items()}
        numbers = json.dumps({"shown": self.shown, "seconds": self.seconds, "losses": self.losses})
        with files.written_whole(path) as scratch:
            save_file(tensors, scratch, {"format": CHECKPOINT_FORMAT, "job": self.job(), "numbers": numbers})

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same settings and generator; nothing happens where there is none."""
        if not Path(path).is_file():
            return
        tensors, metadata = read_safetensors(Path(path), CHECKPOINT_FORMAT, "a checkpoint of an encoder's training")
        if metadata["job"] != self.job():
            raise UserError(f"{path} is the checkpoint of another training: delete it, or choose another output.")
        self.encoder.load_state_dict(part(tensors, "encoder."))
        training_state.restore(self.optimiser, part(tensors, "adam."))
        self.draws.set_state(tensors["draws"])
        for key, value in json.loads(metadata["numbers"]).items():
            setattr(self, key, value)


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

    Raises UserError for a generator that is not of a world, and for a checkpoint of another training.
    """
    category = generators.category_of(generator_name)
    if category == "face":
        raise UserError(
            f"{generator_name} shows no world: an encoder learns from pictures of one, such as stylegan2-scene."
        )
    print(
        f"{settings.pictures} pictures to show, about {settings.pictures / CPU_RATE / 60:.0f} minutes on 2 CPU cores."
    )
    generator, known = generators.load(generator_name, device), world(category)
    choices = {"folder": assets.cache_dir() / "pictures", "device": device, "progress": progress}
    _, seen = pictures(known, distinct, generator.resolution, seed=TRAINING_SEED, **choices)
    training = EncoderTrainer(settings, generator, seen, LPIPS("alex").to(device), device, compiled)
    checkpoint = output.with_suffix(".checkpoint")
    training.resume(checkpoint)
    encoder = training.run(checkpoint, until=time.time() + 60 * minutes, progress=progress)
    _, held_out = pictures(known, 256, generator.resolution, seed=HELD_OUT_SEED, **choices)
    card = {
        "generator": {"name": generator_name, "hash": generator.hash},
        "settings": to_json(settings),
        "pictures_shown": training.shown,
        "hours": round(training.seconds / 3600, 2),
        "quality": measure(encoder, from_levels(held_out).to(device)),
        "provenance": runtime.provenance(torch.device(device), compiled=compiled),
    }
    encoders.save(encoder, output, generator_name, card)
    if training.shown >= settings.pictures:
        checkpoint.unlink(missing_ok=True)
    return card


@torch.no_grad()
def measure(encoder: Encoder, images: torch.Tensor) -> dict[str, float]:
    """MSE of held-out pictures of the world after each pass, and SSIM after the last."""
    parts, found = images.split(32), {}
    for passes in range(1, encoder.passes + 1):
        made = torch.cat([encoder.synthesis(encoder(part, passes)).clamp(-1, 1) for part in parts])
        found[f"mse_after_{passes}"] = round(float(METRICS["mse"](made, images).mean()), 5)
    return found | {"ssim": round(float(METRICS["ssim"](made.cpu(), images.cpu()).mean()), 4)}
