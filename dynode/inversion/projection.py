"""Project an image into W+ by optimisation (Karras et al. 2020, appendix D; losses of Abdal et al. 2019).

minimise over ws:  lambda_mse |G(ws) - image|^2 + lambda_lpips LPIPS_vgg(G(ws), image),  both at 256 pixels.
"""

import math
from dataclasses import dataclass

import torch

STARTS = ("previous", "w_avg")


@dataclass(frozen=True)
class ProjectionSettings:
    """How a clip is projected.  Learning rates are ramped up over the first 5 % and down over the last 25 %."""

    start: str = "previous"  # "previous": frame k starts from frame k-1's code; "w_avg": each frame by itself
    first_steps: int = 200  # steps of a frame that starts from w_avg
    steps: int = 40  # steps of a frame that starts from the previous code
    first_lr: float = 0.05
    lr: float = 0.01
    lambda_mse: float = 1.0
    lambda_lpips: float = 1.0
    resolution: int = 256


def ramped(lr: float, progress: float) -> float:
    """The learning rate at `progress` in [0, 1]: linear warm-up, cosine cool-down."""
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - progress) / 0.25))
    return lr * down * min(1.0, progress / 0.05)


@dataclass(frozen=True)
class Projection:
    """The code ws (L, D) of one image with its final mse ([-1, 1], at the loss resolution) and LPIPS-VGG."""

    ws: torch.Tensor
    mse: float
    lpips: float


class Projector:
    """Holds the generator, the perceptual net and the settings of one inversion."""

    def __init__(self, generator, perceptual, settings: ProjectionSettings):
        self.generator, self.perceptual, self.settings = generator, perceptual, settings

    def losses(self, ws, target, target_features):
        """(mse, lpips) of the image of ws (1, L, D) against target (1, 3, R, R)."""
        image = self.generator.synthesis(ws, self.settings.resolution)
        return (image - target).square().mean(), self.perceptual.distance_to(target_features, image).mean()

    def project(self, target, start, steps: int, lr: float, callback=None) -> Projection:
        """Optimise one frame from `start` (L, D) towards target (3, R, R) in [-1, 1].

        callback(step, mse, lpips) is called after each step.
        """
        target = target[None].to(self.generator.w_avg)
        ws = start[None].to(target).clone().requires_grad_(True)
        optimiser = torch.optim.Adam([ws], lr=lr)
        with torch.no_grad():
            target_features = self.perceptual.features(target)
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = ramped(lr, (step + 1) / (steps + 1))
            mse, lpips = self.losses(ws, target, target_features)
            optimiser.zero_grad()
            (self.settings.lambda_mse * mse + self.settings.lambda_lpips * lpips).backward()
            optimiser.step()
            if callback is not None:
                callback(step, mse.item(), lpips.item())
        with torch.no_grad():
            mse, lpips = self.losses(ws, target, target_features)
        return Projection(ws.detach()[0].cpu(), mse.item(), lpips.item())

    def average(self) -> torch.Tensor:
        """The generator's average code as (L, D)."""
        return self.generator.w_avg[None].expand(self.generator.num_ws, -1)

    def frame(self, target, previous: torch.Tensor | None, callback=None) -> Projection:
        """Project one frame of a clip as the settings say; `previous` is the code before it, if any."""
        s = self.settings
        if previous is None or s.start == "w_avg":
            return self.project(target, self.average(), s.first_steps, s.first_lr, callback)
        return self.project(target, previous, s.steps, s.lr, callback)
