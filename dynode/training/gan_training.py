"""Training of a generator on a world: from its renderer first, then against a discriminator.

Distillation, as MobileStyleGAN was distilled from its teacher: a latent's normal numbers decide the factors of a
picture; the renderer draws it; the student learns to (L1 and LPIPS), first at half the resolution (L1 alone).  Refining
adds what an average of pictures lacks, texture, and takes away what gives the generator away.  The game with a
discriminator is an option: non-saturating loss, lazy R1 (Karras et al. 2020, appendix B).
"""

import copy
import json
import math
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tqdm import tqdm

from dynode import runtime
from dynode.errors import UserError
from dynode.generators import weights
from dynode.generators.dcgan import DCGANSettings
from dynode.generators.stylegan2 import StyleGAN2Settings
from dynode.io import assets, files, training_state
from dynode.io.images import area_resize, from_levels
from dynode.io.tensor_files import read_safetensors
from dynode.io.training_state import part
from dynode.settings import require_positive, to_json
from dynode.training.discriminator import Discriminator
from dynode.training.perceptual_losses import EXAMPLES, PerceptualLosses

CHECKPOINT_FORMAT = "dynode-gan-checkpoint-1"
CHECKPOINT_SECONDS = 120


@dataclass(frozen=True)
class GANTrainingSettings:
    """How a generator learns a world; amounts are in pictures shown."""

    generator: StyleGAN2Settings | DCGANSettings = field(default_factory=StyleGAN2Settings)
    batch: int = 8
    distil: int = 200_000  # pictures of the renderer, copied one by one
    coarse: float = 0.6  # share of them copied at half the resolution, by the blocks up to it, at a third of the cost
    refine: int = 40_000  # pictures copied once more, seen enlarged, with texture and what gives the generator away
    play: int = 0  # pictures shown to the discriminator
    lr: float = 0.015  # StyleGAN2 plays at 0.002; copying learns several times faster at this
    beta1: float = 0.9  # of the generator's Adam while distilling; a game wants none, on either side
    beta2: float = 0.99
    play_lr: float = 0.1  # share of lr that both players get in the game
    refine_lr: float = 0.002
    lpips: float = 0.5  # weight beside L1 while copying
    enlarged: int = 128  # pixels a side that pictures are enlarged to while refining
    texture: float = 0.1  # weights while refining, see `dynode.training.perceptual_losses`
    given_away: float = 0.003
    r1: float = 0.0  # weight of the gradient penalty; 0: 0.0002 * resolution^2 / batch, the published rule
    r1_every: int = 16
    copying: float = 1.0  # weight of the distillation loss during the game
    ema: int = 5_000  # pictures after which the average forgets half
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "lr", "r1_every", "ema")

    @property
    def penalty(self) -> float:
        return self.r1 or 0.0002 * self.generator.resolution**2 / self.batch


class GANTrainer:
    """A generator, its running average and its discriminator on the way; `shown` counts pictures.

    z (n, Z), pictures uint8 (n, 3, R, R): see `dynode.training.rendered_pictures`.  perceptual: an `LPIPS`, or None without its loss.
    compiled: fuse small operations by torch.compile, which takes a C++ compiler and a minute; faster on a CPU, and
    results differ in the last digits.
    start: a file of weights to begin with.
    """

    def __init__(
        self,
        settings: GANTrainingSettings,
        z,
        pictures,
        perceptual,
        device: torch.device | str = "cpu",
        *,
        compiled: bool = False,
        start: Path | None = None,
    ):
        runtime.seed_everything(settings.seed)
        self.settings, self.device, self.perceptual = settings, torch.device(device), perceptual
        self.z, self.pictures = z, pictures
        self.generator = self.placed(weights.build(settings.generator))
        self.start = start
        if start is not None:
            self.begin_with(start)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.discriminator = self.placed(Discriminator(settings.generator))
        fused = partial(torch.compile, dynamic=False) if compiled else lambda network: network
        self.made_of, self.judged = fused(self.generator), fused(self.discriminator)
        s, adam = settings, torch.optim.Adam
        self.g_optimiser = adam(self.generator.parameters(), lr=s.lr, betas=(s.beta1, s.beta2))
        self.d_optimiser = adam(self.discriminator.parameters(), lr=s.lr * s.play_lr, betas=(0.0, s.beta2))
        self.likeness = self.refined_by()
        self.draws = torch.Generator().manual_seed(settings.seed)
        self.shown, self.seconds, self.losses = 0, 0.0, []

    def placed(self, network):
        return network.to(self.device, memory_format=torch.channels_last)

    def begin_with(self, path: Path) -> None:
        """Take over the weights of a file.  Raises UserError where their shape is not that of the settings."""
        begun = weights.load(path, path.stem)
        if begun.settings != self.settings.generator:
            raise UserError(
                f"{path} holds {begun.settings}, to be trained is {self.settings.generator}: "
                "give the same architecture and the same settings of the generator."
            )
        self.generator.load_state_dict(begun.state_dict())

    def job(self) -> str:
        """What a checkpoint belongs to."""
        return to_json(self.settings) + (assets.sha256_of(self.start)[:12] if self.start else "")

    def refined_by(self) -> PerceptualLosses | None:
        """What refining measures likeness by; None where nothing is to be refined."""
        if not self.settings.refine:
            return None
        if self.perceptual is None:
            raise UserError("Refining wants LPIPS: give its network, or set refine to 0.")
        examples = from_levels(self.pictures[:EXAMPLES]).to(self.device)
        return PerceptualLosses(self.perceptual, self.settings.enlarged, examples).to(self.device)

    @property
    def total(self) -> int:
        return sum(self.lengths().values())

    def lengths(self) -> dict[str, int]:
        """The phases in their order, and how many pictures each shows."""
        return {phase: getattr(self.settings, phase) for phase in ("distil", "refine", "play")}

    def phase(self) -> tuple[str, float]:
        """The present phase and how far it has come, in [0, 1)."""
        left = self.shown
        for phase, length in self.lengths().items():
            if left < length:
                return phase, left / length
            left -= length
        return "play", 1.0

    def pair(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents (B, Z) and the pictures (B, 3, R, R) that belong to them."""
        chosen = torch.randint(len(self.z), (self.settings.batch,), generator=self.draws)
        return self.z[chosen].to(self.device), from_levels(self.pictures[chosen].to(self.device))

    def copying_loss(self, made, wanted):
        """L1 + LPIPS of pictures against the renderer's."""
        loss = (made - wanted).abs().mean()
        if self.settings.lpips:
            loss = loss + self.settings.lpips * self.perceptual(made.clamp(-1.9, 1.9), wanted).mean()
        return loss

    def ramp(self) -> None:
        """Each phase's learning rate: copying falls to a tenth or less, the game is steady and has no momentum."""
        s, group, (phase, share) = self.settings, self.g_optimiser.param_groups[0], self.phase()
        falling = 0.5 + 0.5 * math.cos(math.pi * share)
        rates = {
            "distil": s.lr * (0.1 + 0.9 * falling),
            "refine": s.refine_lr * (0.02 + 0.98 * falling),
            "play": s.lr * s.play_lr,
        }
        group["lr"], group["betas"] = rates[phase], (0.0 if phase == "play" else s.beta1, s.beta2)

    def distil_step(self) -> float:
        s, (z, wanted) = self.settings, self.pair()
        if self.shown < s.coarse * s.distil:
            half = s.generator.resolution // 2
            loss = (self.made_of(z, half) - area_resize(wanted, half)).abs().mean()
        else:
            loss = self.copying_loss(self.made_of(z), wanted)
        self.step(self.g_optimiser, loss)
        return loss.item()

    def refine_step(self) -> float:
        s, (z, wanted) = self.settings, self.pair()
        made = self.made_of(z)
        lpips, texture, given_away = self.likeness(made, wanted)
        copied = (made - wanted).abs().mean() + s.lpips * lpips
        self.step(self.g_optimiser, copied + s.texture * texture + s.given_away * given_away)
        return copied.item()

    def play_step(self) -> float:
        """One step of the discriminator, one of the generator."""
        s, turn = self.settings, self.shown // self.settings.batch
        z, real = self.pair()
        with torch.no_grad():
            made = self.made_of(z)
        penalised = turn % s.r1_every == 0
        real.requires_grad_(penalised)
        verdict = (self.discriminator if penalised else self.judged)(real)  # fused code has no second derivative
        loss = F.softplus(self.judged(made)).mean() + F.softplus(-verdict).mean()
        if penalised:
            (gradient,) = torch.autograd.grad(verdict.sum(), real, create_graph=True)
            loss = loss + s.r1_every * s.penalty / 2 * gradient.square().sum((1, 2, 3)).mean()
        self.step(self.d_optimiser, loss)
        z, wanted = self.pair()
        made = self.made_of(z)
        loss = F.softplus(-self.judged(made)).mean()
        if s.copying:
            loss = loss + s.copying * self.copying_loss(made, wanted)
        self.step(self.g_optimiser, loss)
        return loss.item()

    @staticmethod
    def step(optimiser, loss) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def follow(self) -> None:
        """Move the running average; it starts as a copy and remembers longer with time."""
        keep = 0.5 ** (self.settings.batch / min(self.settings.ema, max(self.shown, 1) * 0.05 + 1))
        with torch.no_grad():
            for mine, its in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                mine.lerp_(its, 1 - keep)

    def run(self, checkpoint: Path | None = None, *, until: float = float("inf"), progress: bool = False):
        """Train to the end, or until a moment (`time.time()`); returns the running average, measured.

        Raises UserError when the loss is not finite.
        """
        written, began = time.time(), time.time() - self.seconds
        bar = tqdm(
            total=self.total, initial=self.shown, desc="train", unit="picture", disable=not progress, mininterval=5
        )
        with bar:
            while self.shown < self.total and time.time() < until:
                self.ramp()
                loss = getattr(self, f"{self.phase()[0]}_step")()
                if loss != loss:
                    raise UserError("The training of the generator ended in NaN: lower lr.")
                self.shown += self.settings.batch
                self.seconds = time.time() - began
                self.losses.append(loss)
                self.follow()
                bar.update(self.settings.batch)
                bar.set_postfix(loss=f"{sum(self.losses[-50:]) / len(self.losses[-50:]):.4f}", refresh=False)
                if checkpoint is not None and time.time() - written > CHECKPOINT_SECONDS:
                    self.save(checkpoint)
                    written = time.time()
        if checkpoint is not None:
            self.save(checkpoint)
        self.average.measure()
        return self.average

    def parts(self) -> dict:
        return {"generator": self.generator, "average": self.average, "discriminator": self.discriminator}

    def optimisers(self) -> dict:
        return {"generator_adam": self.g_optimiser, "discriminator_adam": self.d_optimiser}

    def save(self, path: Path) -> None:
        tensors = {"draws": self.draws.get_state()}
        if self.likeness is not None:
            tensors["gap"] = self.likeness.gap.clone()
        for name, network in self.parts().items():
            tensors |= {f"{name}.{key}": value.contiguous() for key, value in network.state_dict().items()}
        for name, optimiser in self.optimisers().items():
            tensors |= {f"{name}.{key}": value for key, value in training_state.of_optimiser(optimiser).items()}
        numbers = json.dumps({"shown": self.shown, "seconds": self.seconds, "losses": self.losses[-50:]})
        metadata = {"format": CHECKPOINT_FORMAT, "job": self.job(), "numbers": numbers}
        with files.written_whole(path) as scratch:
            save_file(tensors, scratch, metadata)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same settings; nothing happens where there is none."""
        if not Path(path).is_file():
            return
        tensors, metadata = read_safetensors(Path(path), CHECKPOINT_FORMAT, "a checkpoint of a generator's training")
        if metadata["job"] != self.job():
            raise UserError(
                f"{path} is the checkpoint of a training with other settings or another start: delete it, or choose another."
            )
        for name, network in self.parts().items():
            network.load_state_dict(part(tensors, f"{name}."))
        for name, optimiser in self.optimisers().items():
            training_state.restore(optimiser, part(tensors, f"{name}."))
        self.draws.set_state(tensors["draws"])
        if "gap" in tensors:
            self.likeness.gap.copy_(tensors["gap"])
        for key, value in json.loads(metadata["numbers"]).items():
            setattr(self, key, value)
