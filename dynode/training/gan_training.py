"""Training of a generator on a world: distillation from its renderer, refinement, and optionally an adversarial game.

Distillation, as MobileStyleGAN was distilled from its teacher: normal latents determine the factors of an image, the
renderer makes it, the generator learns to reproduce it (L1 and LPIPS), first at half the resolution (L1 alone).
Refinement adds texture, which a mean of images lacks, and the discriminant loss (`perceptual_losses`).  The game with a
discriminator: non-saturating loss, lazy R1 (Karras et al. 2020, appendix B).
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from dynode import runtime
from dynode.errors import UserError
from dynode.generators import weights
from dynode.generators.stylegan2 import StyleGAN2Settings
from dynode.generators.weights import WeightsGenerator
from dynode.io import assets
from dynode.io.images import area_resize, from_levels
from dynode.perception.lpips import LPIPS
from dynode.settings import field_names, listed, require_positive, to_json
from dynode.training.discriminator import Discriminator
from dynode.training.loops import Trainer, follow, minimise, running_average
from dynode.training.perceptual_losses import EXAMPLES, PerceptualLosses
from dynode.training.rendered_pictures import FreshPictures

PHASES = ("distil", "refine", "play")


@dataclass(frozen=True)
class GANTrainingSettings:
    """How a generator is trained; lengths of the phases are in images shown.

    generator: the settings of its architecture, see `dynode.generators.weights.Architecture`.
    """

    generator: Any = field(default_factory=StyleGAN2Settings)
    batch: int = 8
    distil: int = 200_000  # images reproduced one by one
    coarse: float = 0.6  # fraction of them at half the resolution, by the blocks up to it, at a third of the cost
    refine: int = 40_000  # images reproduced enlarged, with texture and discriminant loss
    play: int = 0  # images shown to the discriminator
    lr: float = 0.015  # StyleGAN2 plays at 0.002; distillation is several times faster at this
    beta1: float = 0.9  # of the generator's Adam while distilling; 0 in the game, for both networks
    beta2: float = 0.99
    play_lr: float = 0.1  # learning rate of both networks in the game, relative to lr
    refine_lr: float = 0.002
    lpips: float = 0.5  # weight relative to L1 in distillation
    enlarged: int = 128  # pixels a side that images are enlarged to for refinement
    texture: float = 0.1  # weights in refinement, see `dynode.training.perceptual_losses`
    given_away: float = 0.003  # of the discriminant loss
    r1: float = 0.0  # weight of the gradient penalty; 0: 0.0002 * resolution^2 / batch, the published rule
    r1_every: int = 16
    copying: float = 1.0  # weight of the distillation loss in the game
    ema: int = 5_000  # half-life of the running average, in images
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "lr", "r1_every", "ema")

    @property
    def penalty(self) -> float:
        return self.r1 or 0.0002 * self.generator.resolution**2 / self.batch


def require_same_shape(held: Any, wanted: Any, path: Path) -> None:
    """Raises UserError where the settings of a file's generator are not those of the one to be trained, with what differs."""
    if type(held) is not type(wanted):
        raise UserError(f"{path} is of another architecture than the one to be trained: name it with --architecture.")
    differing = [name for name in field_names(held) if getattr(held, name) != getattr(wanted, name)]
    if differing:
        given = listed((f"generator.{name}={getattr(held, name)}" for name in differing), 100)
        raise UserError(f"{path} is of another shape than the generator to be trained: set {given}.")


class GANTrainer(Trainer):
    """The training of a generator, its running average and its discriminator.

    z (n, Z), pictures uint8 (n, 3, R, R): see `dynode.training.rendered_pictures`.  perceptual: None without its losses.
    compiled: fuse small operations by torch.compile, which takes a C++ compiler and a minute; faster on a CPU, and
    results differ in the last digits.
    start: a file of weights to start from.  fresh: draws pictures anew as training goes on.
    """

    subject, checkpoint_format = "the generator", "dynode-gan-checkpoint-1"

    def __init__(
        self,
        settings: GANTrainingSettings,
        z: torch.Tensor,
        pictures: torch.Tensor,
        perceptual: LPIPS | None,
        device: torch.device | str = "cpu",
        *,
        compiled: bool = False,
        start: Path | None = None,
        fresh: FreshPictures | None = None,
    ):
        runtime.seed_everything(settings.seed)
        super().__init__(settings.seed, device)
        self.settings, self.perceptual, self.fresh = settings, perceptual, fresh
        self.z, self.pictures = z.to(self.device), pictures.to(self.device)
        self.batch, self.total = settings.batch, sum(getattr(settings, phase) for phase in PHASES)
        self.generator: WeightsGenerator = self.placed(weights.build(settings.generator))
        self.start = start
        if start is not None:
            self.load_weights(start)
        self.average = running_average(self.generator)
        self.discriminator: Discriminator = self.placed(Discriminator(settings.generator))
        self.fast_generator = self.fuse(self.generator, compiled)
        self.fast_discriminator = self.fuse(self.discriminator, compiled)
        s, adam = settings, torch.optim.Adam
        self.g_optimiser = adam(self.generator.parameters(), lr=s.lr, betas=(s.beta1, s.beta2))
        self.d_optimiser = adam(self.discriminator.parameters(), lr=s.lr * s.play_lr, betas=(0.0, s.beta2))
        self.perceptual_losses = self.refinement_losses()

    def placed(self, network: Any) -> Any:
        """A network on the device of the training, in the memory format of convolutions."""
        return network.to(self.device, memory_format=torch.channels_last)

    def load_weights(self, path: Path) -> None:
        """Start from the weights of a file.  Raises UserError where their shape is not that of the settings."""
        start = weights.load(path, path.stem)
        require_same_shape(start.settings, self.settings.generator, path)
        self.generator.load_state_dict(start.state_dict())

    def job(self) -> str:
        return to_json(self.settings) + (assets.sha256_of(self.start)[:12] if self.start else "")

    def refinement_losses(self) -> PerceptualLosses | None:
        """The losses of refinement; None where nothing is to be refined.  Raises UserError without LPIPS."""
        if not self.settings.refine:
            return None
        if self.perceptual is None:
            raise UserError("Refinement wants LPIPS: give its network, or set refine to 0.")
        examples = from_levels(self.pictures[:EXAMPLES]).to(self.device)
        return PerceptualLosses(self.perceptual, self.settings.enlarged, examples).to(self.device)

    def phase(self) -> tuple[str, float]:
        """The present phase and its progress in [0, 1)."""
        left = self.position()
        for phase in PHASES:
            length = getattr(self.settings, phase)
            if left < length:
                return phase, left / length
            left -= length
        return PHASES[-1], 1.0

    def pair(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents (B, Z) and their images (B, 3, R, R)."""
        if self.fresh is not None:
            self.fresh.renew_after(self.batch)
        chosen = torch.randint(len(self.z), (self.batch,), generator=self.rng, device=self.device)
        return self.z[chosen], from_levels(self.pictures[chosen])

    def distillation_loss(self, made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """L1 + LPIPS of images against the renderer's."""
        loss = (made - wanted).abs().mean()
        if self.settings.lpips and self.perceptual is not None:
            loss = loss + self.settings.lpips * self.perceptual(made.clamp(-1.9, 1.9), wanted).mean()
        return loss

    def ramp(self) -> None:
        """Each phase's learning rate: decay to a tenth or less in distillation, constant and without momentum in the game."""
        s, group, (phase, progress) = self.settings, self.g_optimiser.param_groups[0], self.phase()
        falling = 0.5 + 0.5 * math.cos(math.pi * progress)
        rates = {
            "distil": s.lr * (0.1 + 0.9 * falling),
            "refine": s.refine_lr * (0.02 + 0.98 * falling),
            "play": s.lr * s.play_lr,
        }
        group["lr"], group["betas"] = self.warmth() * rates[phase], (0.0 if phase == "play" else s.beta1, s.beta2)

    def train_batch(self) -> torch.Tensor:
        self.ramp()
        steps = {"distil": self.distil_step, "refine": self.refine_step, "play": self.play_step}
        return steps[self.phase()[0]]().detach()

    def distil_step(self) -> torch.Tensor:
        s, (z, wanted) = self.settings, self.pair()
        with self.precision():
            if self.position() < s.coarse * s.distil:
                half = s.generator.resolution // 2
                loss = (self.fast_generator(z, half) - area_resize(wanted, half)).abs().mean()
            else:
                loss = self.distillation_loss(self.fast_generator(z), wanted)
        minimise(self.g_optimiser, loss)
        return loss

    def refine_step(self) -> torch.Tensor:
        s, (z, wanted) = self.settings, self.pair()
        assert self.perceptual_losses is not None, "the constructor refuses to refine without"
        with self.precision():
            made = self.fast_generator(z)
        lpips, texture, discriminant = self.perceptual_losses(made, wanted)  # differences of statistics, in float32
        distilled = (made - wanted).abs().mean() + s.lpips * lpips
        minimise(self.g_optimiser, distilled + s.texture * texture + s.given_away * discriminant)
        return distilled

    def play_step(self) -> torch.Tensor:
        """One step of the discriminator, one of the generator."""
        s = self.settings
        z, real = self.pair()
        with self.precision():
            with torch.no_grad():
                made = self.fast_generator(z)
            loss = self.discriminator_loss(real, made)
        minimise(self.d_optimiser, loss)
        z, wanted = self.pair()
        with self.precision():
            made = self.fast_generator(z)
            loss = F.softplus(-self.fast_discriminator(made)).mean()
            if s.copying:
                loss = loss + s.copying * self.distillation_loss(made, wanted)
        minimise(self.g_optimiser, loss)
        return loss

    def discriminator_loss(self, real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """The non-saturating loss, with R1 at every r1_every-th batch."""
        s = self.settings
        penalised = (self.shown // s.batch) % s.r1_every == 0
        real.requires_grad_(penalised)
        logits = (self.discriminator if penalised else self.fast_discriminator)(
            real
        )  # fused code lacks 2nd derivatives
        loss = F.softplus(self.fast_discriminator(made)).mean() + F.softplus(-logits).mean()
        if penalised:
            (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
            loss = loss + s.r1_every * s.penalty / 2 * gradient.square().sum((1, 2, 3)).mean()
        return loss

    def after_batch(self) -> None:
        follow(self.average, self.generator, self.settings.ema, self.batch, self.shown)

    def run(
        self, checkpoint: Path | None = None, *, until: float = math.inf, progress: bool = False
    ) -> WeightsGenerator:
        """Train to the end, or until a moment (`time.time()`); returns the running average, with w_avg and w_std measured.

        Raises UserError when the loss is not finite.
        """
        self.loop(checkpoint, until=until, progress=progress)
        self.average.measure()
        return self.average

    def networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "average": self.average, "discriminator": self.discriminator}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator_adam": self.g_optimiser, "discriminator_adam": self.d_optimiser}

    def buffers(self) -> dict[str, torch.Tensor]:
        return {} if self.perceptual_losses is None else {"gap": self.perceptual_losses.gap}
