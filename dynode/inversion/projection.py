"""Project images into W+ by optimisation (Karras et al. 2020, appendix D; losses of Abdal et al. 2019, pSp's identity).

minimise over ws, frame by frame, at 256 pixels or the generator's own resolution:

    lambda_mse |G(ws) - c|^2  +  lambda_lpips LPIPS(G(ws), c)  +  lambda_id (1 - cos(R(G(ws)), R(c)))

The generator's noise maps stay constant, here as everywhere, so that a code alone decides an image.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch

from dynode import runtime
from dynode.errors import UserError
from dynode.generators.curvature import mean_curvature
from dynode.generators.protocol import Generator
from dynode.inversion import conjugate_gradient, whitening
from dynode.inversion.loss_curvature import loss_curvature, lpips_features
from dynode.inversion.projection_settings import PRECISIONS, ProjectionSettings
from dynode.inversion.whitening import Whitening
from dynode.io.images import resampled
from dynode.perception.lpips import LPIPS

COMPARED = 32  # pixels a side at which candidates are compared with a frame
Callback = Callable[[int, float, float], object]  # step, mean mse, mean LPIPS of a batch
Embedding = Callable[[torch.Tensor], torch.Tensor]  # images (B, 3, R, R) -> vectors


def ramped_rate(lr: float, progress: float) -> float:
    """The learning rate at `progress` in [0, 1]: linear warm-up, cosine cool-down."""
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - progress) / 0.25))
    return lr * down * min(1.0, progress / 0.05)


@dataclass(frozen=True)
class Projection:
    """The code ws (L, D) of one image with its mse ([-1, 1], at the loss resolution), LPIPS, and identity cosine or NaN.

    encoded: the encoder's code (L, D) of the image, where the next frame's start counts on it.
    """

    ws: torch.Tensor
    mse: float
    lpips: float
    identity: float
    encoded: torch.Tensor | None = None


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

    def autocast(self, lower: str = "") -> torch.autocast:
        """The context in which the settings' precision holds, or a `lower` one; float32 where a device is slower in bfloat16."""
        dtype = PRECISIONS[self.settings.precision]
        if lower and dtype == torch.float32:
            dtype = PRECISIONS[lower]
        device = self.generator.w_avg.device
        return torch.autocast(device.type, dtype, enabled=dtype != torch.float32 and runtime.fast_bfloat16(device))

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
        self, ws: torch.Tensor, target: Target, with_identity: bool, lower: str = ""
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(mse, lpips, 1 - identity cosine or 0), each (B,), of the images of ws (B, L, D).

        lower: the precision of LPIPS, "" for that of everything else.
        """
        with self.autocast():
            images = self.synthesis(ws, self.settings.resolution).float()
        with self.autocast(lower):
            lpips = self.perceptual.distance_to(target.lpips, self.enlarged(images)).float()
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
        noise = torch.randn(1, *ws.shape[1:], generator=self.rng).to(ws)  # of all, whichever frames the batch has
        return ws + scale * self.generator.w_std * noise

    def project(
        self, images: torch.Tensor, starts: torch.Tensor, steps: int, lr: float, callback: Callback | None = None
    ) -> list[Projection]:
        """Optimise frames together from `starts` (B, L, D) towards images (B, 3, R, R) in [-1, 1].

        Frames do not influence each other.  callback(step, mse, lpips) gets the batch means after each step.
        """
        target = self.target(images)
        return self.judged(self.optimised(target, starts.to(target.images), steps, lr, callback), target)

    def optimised(
        self, target: Target, starts: torch.Tensor, steps: int, lr: float, callback: Callback | None = None
    ) -> torch.Tensor:
        """Codes (B, L, D) after the steps from `starts`, see `project`."""
        s = self.settings
        variables, codes = self.coordinates(starts)
        optimiser = torch.optim.Adam([variables], lr=lr, betas=(s.beta1, s.beta2), eps=s.epsilon)
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = ramped_rate(lr, (step + 1) / (steps + 1))
            ws = self.noisy(codes(variables), step / steps)
            parts = self.losses(ws, target, s.lambda_id > 0, s.lpips_precision)
            loss = self.weighted(*parts)
            if callback is not None:
                callback(step, parts[0].mean().item(), parts[1].mean().item())
            if s.stop_loss and loss.max().item() < s.stop_loss:
                break
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
        ws = codes(variables.detach())
        return self.refined(ws, target, lambda step, mse: callback and callback(steps + step, mse, math.nan))

    @torch.no_grad()
    def judged(self, ws: torch.Tensor, target: Target) -> list[Projection]:
        """Codes ws (B, L, D) with their quality, LPIPS in full precision whatever the steps took."""
        mse, lpips, identity = self.losses(ws, target, with_identity=True)
        cosine = 1 - identity if self.identity else torch.full_like(identity, torch.nan)
        values = zip(ws.detach().cpu(), mse.tolist(), lpips.tolist(), cosine.tolist(), strict=True)
        return [Projection(*each) for each in values]

    def coordinates(self, starts: torch.Tensor) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]:
        """What Adam changes, at first for codes `starts` (B, L, D), and the function from there to codes."""
        if self.settings.optimiser == "adam":
            return starts.clone().requires_grad_(True), lambda ws: ws
        turned = self.whitening
        return torch.zeros_like(starts).requires_grad_(True), lambda u: starts + turned(u)

    @cached_property
    def whitening(self) -> Whitening:
        """The axes of the loss's mean curvature: of that which ships for the generator, else measured once."""
        generator, known = whitening.require_styles(self.generator), whitening.shipped_for(self.generator)
        of_styles = self.loss_curvature() if known is None else known
        return whitening.whitening_of(whitening.row_curvature(generator, of_styles))

    def loss_curvature(self, progress: bool = False) -> torch.Tensor:
        """The mean curvature of this projector's loss for each channel of the style space (S,)."""
        generator = whitening.require_styles(self.generator)
        return loss_curvature(generator, self.loss_features, self.settings.resolution, progress=progress)

    def loss_features(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Features of images (B, 3, R, R) whose squared distances from a frame's add up to the loss."""
        s, parts = self.settings, [images * (self.settings.lambda_mse / images[0].numel()) ** 0.5]
        parts += [each * s.lambda_lpips**0.5 for each in lpips_features(self.perceptual, self.enlarged(images))]
        if s.lambda_id and self.identity is not None:
            parts.append(self.identity(images) * (s.lambda_id / 2) ** 0.5)
        return parts

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
        if self.settings.encoded:
            if self.encoder is None:
                raise UserError(
                    f"start={self.settings.start} wants an encoder: name its file, or choose another start."
                )
            return self.encoder(images.to(self.generator.w_avg))
        if not self.settings.candidates:
            return self.average(len(images))
        ws, made = self.candidates
        small = resampled(images.to(made), COMPARED)
        return ws[torch.stack([(made - image).square().mean((1, 2, 3)) for image in small]).argmin(1)]

    def frames(
        self, images: torch.Tensor, previous: Projection | None, callback: Callback | None = None
    ) -> list[Projection]:
        """Project the next frames of a clip as the settings say; `previous` is the projection before them, if any."""
        s = self.settings
        if s.start == "moved":
            return self.moved(images, previous, callback)
        if previous is None or s.independent:
            return self.project(images, self.starts(images), s.first_steps, s.first_lr, callback)
        return self.project(images, previous.ws[None], s.steps, s.lr, callback)

    def moved(
        self, images: torch.Tensor, previous: Projection | None, callback: Callback | None = None
    ) -> list[Projection]:
        """Project a frame (1, 3, R, R) from the code before it, moved as the encoder's codes have moved; the first from its own."""
        s, encoded = self.settings, self.starts(images)
        if previous is None or previous.encoded is None:
            made = self.project(images, encoded, s.first_steps, s.first_lr, callback)
        else:
            starts = previous.ws.to(encoded) + encoded - previous.encoded.to(encoded)
            made = self.project(images, starts, s.steps, s.lr, callback)
        return [dataclasses.replace(each, encoded=code.cpu()) for each, code in zip(made, encoded, strict=True)]
