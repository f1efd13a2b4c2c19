"""Perceptual losses for generator training: LPIPS, texture statistics, linear-discriminant loss.

All on AlexNet's features of enlarged images.  Texture is the mean and the standard deviation of each feature over the
image (after Gatys et al. 2015, without correlations): the amount of detail, wherever it lies.  The discriminant loss is
the difference of mean features along Fisher's linear discriminant (1936) between generated and real images: the part of
an adversarial game that has a closed form.
"""

import torch
from torch import nn

from dynode.io.images import resampled
from dynode.perception.lpips import LPIPS, total, unit_normalise

RIDGE = 0.02  # of the mean variance, added to the covariance of features
EXAMPLES = 1024  # images that scales and covariance are measured on


class PerceptualLosses(nn.Module):
    """Three losses between generated and target images (B, 3, R, R) in [-1, 1] of the same latents.

    resolution: pixels a side that images are resampled to.  examples: real images (n, 3, R, R) that scales and covariance
    are measured on.  memory: images after which the weight of a batch in the running mean difference has halved.
    """

    scale: torch.Tensor
    inverse: torch.Tensor
    gap: torch.Tensor

    def __init__(self, perceptual: LPIPS, resolution: int, examples: torch.Tensor, memory: int = 500):
        super().__init__()
        self.perceptual, self.resolution, self.memory = perceptual, resolution, memory
        with torch.no_grad():
            parts = [self.features(part) for part in examples[:EXAMPLES].split(32)]
            textures = torch.cat([torch.cat(texture(each), 1) for each in parts])
            pooled = torch.cat([means(each) for each in parts]).double()
        covariance = torch.cov(pooled.T)
        ridge = RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance)).to(covariance)
        self.register_buffer("scale", textures.std(0) + 1e-3 * textures.std(0).max(), persistent=False)
        self.register_buffer("inverse", torch.linalg.inv(covariance + ridge).float(), persistent=False)
        self.register_buffer("gap", torch.zeros(pooled.shape[1], device=pooled.device))

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        """AlexNet's features of the resampled images, by layer."""
        enlarged = resampled(images.clamp(-1.9, 1.9), self.resolution)
        return self.perceptual.model.net(self.perceptual.model.scaling_layer(enlarged))

    def forward(self, made: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(LPIPS, squared difference of texture in units of its standard deviation, discriminant loss), batch means."""
        mine = self.features(made)
        with torch.no_grad():
            its = self.features(wanted)
        pairs = zip(mine, its, self.perceptual.model.lins, strict=True)
        lpips = total(head.model((unit_normalise(a) - unit_normalise(b)).square()).mean() for a, b, head in pairs)
        differences = torch.cat(texture(mine), 1) - torch.cat(texture(its), 1)
        return lpips, (differences / self.scale).square().mean(), self.discriminant_loss(means(mine) - means(its))

    def discriminant_loss(self, difference: torch.Tensor) -> torch.Tensor:
        """Mean of feature differences (B, K) along the discriminant, over its length: 0 where the means are equal."""
        keep = 0.5 ** (len(difference) / self.memory)
        self.gap.lerp_(difference.detach().mean(0), 1 - keep)
        direction = self.inverse @ self.gap
        length = (self.gap @ direction).clamp(min=1e-12).sqrt()
        return difference.mean(0) @ direction / length.clamp(min=1.0)


def means(features: list[torch.Tensor]) -> torch.Tensor:
    """The mean of every feature over the image (B, K)."""
    return torch.cat([layer.mean((2, 3)) for layer in features], 1)


def texture(features: list[torch.Tensor]) -> list[torch.Tensor]:
    """Means and standard deviations of every feature over the image, (B, 2K) in parts."""
    return [part for layer in features for part in (layer.mean((2, 3)), (layer.var((2, 3)) + 1e-6).sqrt())]
