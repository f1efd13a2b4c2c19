"""Project images into W+ by optimisation (Karras et al. 2020, appendix D; losses of Abdal et al. 2019, pSp's identity).

minimise over ws, frame by frame, at 256 pixels or the generator's own resolution:

    lambda_mse |G(ws) - c|^2  +  lambda_lpips LPIPS(G(ws), c)  +  lambda_id (1 - cos(R(G(ws)), R(c)))

The generator's noise maps stay constant, here as everywhere, so that a code alone decides an image.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from dynode.errors import UserError
from dynode.generators.curvature import mean_curvature
from dynode.generators.protocol import Generator
from dynode.inversion import conjugate_gradient
from dynode.io.images import resampled
from dynode.perception.lpips import BACKBONES, LPIPS
from dynode.settings import choose, require_positive

STARTS = ("previous", "w_avg", "encoder")
COMPARED = 32  # pixels a side at which candidates are compared with a frame
RESOLUTIONS = (16, 32, 64, 128, 256, 512, 1024)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Callback = Callable[[int, float, float], object]  # step, mean mse, mean LPIPS of a batch
Embedding = Callable[[torch.Tensor], torch.Tensor]  # images (B, 3, R, R) -> vectors


@dataclass(frozen=True)
class ProjectionSettings:
    """How a clip is projected.  Learning rates are ramped up over the first 5 % and down over the last 25 %."""

    start: str = "previous"  # frame k-1's code; or each frame by itself, from "w_avg" or an "encoder"
    candidates: int = 0  # random codes; a frame without a predecessor starts from the nearest of them, or from w_avg
    first_steps: int = 200  # steps of a frame without a predecessor; 0 keeps an encoder's codes as they are
    steps: int = 40  # steps of a frame that starts from the previous code
    conjugate_steps: int = 0  # further steps of every frame: conjugate gradients on the squared error alone
    first_lr: float = 0.05
    lr: float = 0.01
    beta2: float = 0.999  # Adam's memory of squared gradients
    lambda_mse: float = 1.0
    lambda_lpips: float = 1.0
    lambda_id: float = 0.0  # 0: the identity cosine stays an independent measure
    code_noise: float = 0.0  # noise on the code, in units of w_std, until 75 % of the steps; Karras et al.: 0.05
    stop_loss: float = 0.0  # stop as soon as every frame of the batch has a loss below this
    batch: int = 1  # frames optimised together, without predecessors only: 1 is best on a CPU, 8 on a GPU
    precision: str = "float32"  # or "bfloat16": autocast, faster on a GPU and slower on most CPUs
    resolution: int = 256
    lpips_net: str = "vgg"  # or "alex"
    lpips_resolution: int = 0  # small images are enlarged to this for LPIPS; 0: they are not

    def __post_init__(self):
        choose("start", self.start, list(STARTS))
        choose("precision", self.precision, PRECISIONS)
        choose("LPIPS net", self.lpips_net, BACKBONES)
        if self.resolution not in RESOLUTIONS:
            raise UserError(f"The resolution must be one of {RESOLUTIONS}, got {self.resolution}.")
        require_positive(self, *(("first_steps",) * (self.start != "encoder")), "steps", "first_lr", "lr", "batch")
        if not 0 <= self.beta2 < 1:
            raise UserError(f"beta2 must lie in [0, 1), got {self.beta2:g}.")
        for name in ("candidates", "first_steps", "conjugate_steps"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must be 0 or more, got {getattr(self, name)}.")

    @property
    def independent(self) -> bool:
        """Whether every frame is projected by itself."""
        return self.start != "previous"


SMALL = {  # of generators below 256 pixels; chosen on a dozen frames of episodes of two worlds
    "lpips_net": "alex",
    "lpips_resolution": 128,
    "lambda_mse": 100.0,
    "candidates": 2048,
    "first_steps": 300,
    "first_lr": 0.4,
    "steps": 60,
    "lr": 0.05,
}


def settings_for(resolution: int) -> ProjectionSettings:
    """Settings for a generator of that resolution: the defaults from 256 on; below, its own resolution and AlexNet."""
    whole = ProjectionSettings()
    return whole if resolution >= whole.resolution else ProjectionSettings(resolution=resolution, **SMALL)


def ramped_rate(lr: float, progress: float) -> float:
    """The learning rate at `progress` in [0, 1]: linear warm-up, cosine cool-down."""
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - progress) / 0.25))
    return lr * down * min(1.0, progress / 0.05)


@dataclass(frozen=True)
class Projection:
    """The code ws (L, D) of one image with its mse ([-1, 1], at the loss resolution), LPIPS, and identity cosine or NaN."""

    ws: torch.Tensor
    mse: float
    lpips: float
    identity: float


@dataclass(frozen=True)
class Target:
    """The targets of a batch: images (B, 3, R, R) and their features, computed once."""

    images: torch.Tensor
    lpips: list[torch.Tensor]
    identity: torch.Tensor | None


class Projector:
    """Projects images by optimisation, with the networks and settings of one inversion.

    identity: for faces; always measured, optimised where lambda_id > 0.  encoder: where the settings start from one.
    compiled: fuse the generator's small operations by torch.compile, which takes a C++ compiler and a minute at first
    and is faster then; results differ in the last digits.
    """

    def __init__(
        self,
        generator: Generator,
        perceptual: LPIPS,
        settings: ProjectionSettings,
        identity: Embedding | None = None,
        *,
        compiled: bool = False,
        encoder: Embedding | None = None,
    ):
        self.generator, self.perceptual, self.identity, self.settings = generator, perceptual, identity, settings
        self.encoder = encoder
        self.synthesis = torch.compile(generator.synthesis) if compiled else generator.synthesis
        self.rng = torch.Generator().manual_seed(0)

    def autocast(self) -> torch.autocast:
        """The context in which the settings' precision holds."""
        dtype = PRECISIONS[self.settings.precision]
        return torch.autocast(self.generator.w_avg.device.type, dtype, enabled=dtype != torch.float32)

    def enlarged(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, R, R) at the resolution of LPIPS."""
        return resampled(images.clamp(-2, 2), max(self.settings.lpips_resolution, images.shape[-1]))

    @torch.no_grad()
    def target(self, images: torch.Tensor) -> Target:
        """Images (B, 3, R, R) in [-1, 1] with their features."""
        images = images.to(self.generator.w_avg)
        identity = self.identity(images) if self.identity else None
        return Target(images, self.perceptual.features(self.enlarged(images)), identity)

    def losses(
        self, ws: torch.Tensor, target: Target, with_identity: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(mse, lpips, 1 - identity cosine or 0), each (B,), of the images of ws (B, L, D)."""
        with self.autocast():
            images = self.synthesis(ws, self.settings.resolution).float()
            lpips = self.perceptual.distance_to(target.lpips, self.enlarged(images))
        identity = torch.zeros_like(lpips)
        if with_identity and self.identity is not None and target.identity is not None:
            identity = 1 - (self.identity(images) * target.identity).sum(1)
        return (images - target.images).square().mean((1, 2, 3)), lpips, identity

    def weighted(self, mse: torch.Tensor, lpips: torch.Tensor, identity: torch.Tensor) -> torch.Tensor:
        """The loss (B,) of its terms."""
        s = self.settings
        return s.lambda_mse * mse + s.lambda_lpips * lpips + s.lambda_id * identity

    def noisy(self, ws: torch.Tensor, progress: float) -> torch.Tensor:
        """ws (B, L, D) with exploration noise that decays to zero at 75 % of the steps."""
        scale = self.settings.code_noise * max(0.0, 1 - progress / 0.75) ** 2
        if not scale:
            return ws
        noise = torch.randn(ws.shape, generator=self.rng).to(ws)
        return ws + scale * self.generator.w_std * noise

    def project(
        self, images: torch.Tensor, starts: torch.Tensor, steps: int, lr: float, callback: Callback | None = None
    ) -> list[Projection]:
        """Optimise frames together from `starts` (B, L, D) towards images (B, 3, R, R) in [-1, 1].

        Frames do not influence each other.  callback(step, mse, lpips) gets the batch means after each step.
        """
        target = self.target(images)
        ws = starts.to(target.images).clone().requires_grad_(True)
        optimiser = torch.optim.Adam([ws], lr=lr, betas=(0.9, self.settings.beta2))
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = ramped_rate(lr, (step + 1) / (steps + 1))
            parts = self.losses(self.noisy(ws, step / steps), target, self.settings.lambda_id > 0)
            loss = self.weighted(*parts)
            if callback is not None:
                callback(step, parts[0].mean().item(), parts[1].mean().item())
            if loss.max().item() < self.settings.stop_loss:
                break
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
        ws = self.refined(ws.detach(), target, lambda step, mse: callback and callback(steps + step, mse, math.nan))
        with torch.no_grad():
            mse, lpips, identity = self.losses(ws, target, with_identity=True)
        cosine = 1 - identity if self.identity else torch.full_like(identity, torch.nan)
        values = zip(ws.detach().cpu(), mse.tolist(), lpips.tolist(), cosine.tolist(), strict=True)
        return [Projection(*each) for each in values]

    @cached_property
    def preconditioner(self) -> conjugate_gradient.Preconditioner:
        """The inverse of the generator's mean curvature, measured once."""
        return conjugate_gradient.Preconditioner(mean_curvature(self.generator, self.images))

    def images(self, ws: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, R, R) of codes (B, L, D) in full precision."""
        return self.synthesis(ws, self.settings.resolution)

    def refined(self, ws: torch.Tensor, target: Target, callback: Callable[[int, float], object]) -> torch.Tensor:
        """Codes (B, L, D) after the conjugate steps."""
        if not self.settings.conjugate_steps:
            return ws

        def error(ws: torch.Tensor) -> torch.Tensor:
            return (self.images(ws) - target.images).square().mean((1, 2, 3))

        return conjugate_gradient.minimise(error, ws, self.preconditioner, self.settings.conjugate_steps, callback)

    def average(self, frames: int = 1) -> torch.Tensor:
        """The generator's average code as (frames, L, D)."""
        return self.generator.w_avg.expand(frames, self.generator.num_ws, -1)

    @cached_property
    def candidates(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Random codes (N, L, D) and their small images (N, 3, 32, 32)."""
        g = self.generator
        z = torch.randn(self.settings.candidates, g.z_dim, generator=torch.Generator().manual_seed(0)).to(g.w_avg)
        with torch.no_grad():
            ws = torch.cat([g.mapping(part) for part in z.split(32)])
            images = [resampled(g.synthesis(part, self.settings.resolution), COMPARED) for part in ws.split(32)]
        return ws, torch.cat(images)

    def starts(self, images: torch.Tensor) -> torch.Tensor:
        """Initial codes (B, L, D) without a predecessor: the encoder's, the nearest candidates', or the average."""
        if self.settings.start == "encoder":
            if self.encoder is None:
                raise UserError("start=encoder wants an encoder: name its file, or choose another start.")
            return self.encoder(images.to(self.generator.w_avg))
        if not self.settings.candidates:
            return self.average(len(images))
        ws, made = self.candidates
        small = resampled(images.to(made), COMPARED)
        return ws[torch.stack([(made - image).square().mean((1, 2, 3)) for image in small]).argmin(1)]

    def frames(
        self, images: torch.Tensor, previous: torch.Tensor | None, callback: Callback | None = None
    ) -> list[Projection]:
        """Project the next frames of a clip as the settings say; `previous` (L, D) is the code before them, if any."""
        s = self.settings
        if previous is None or s.independent:
            return self.project(images, self.starts(images), s.first_steps, s.first_lr, callback)
        return self.project(images, previous[None], s.steps, s.lr, callback)
