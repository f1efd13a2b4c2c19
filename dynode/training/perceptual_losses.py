"""How like two pictures are to a network that has seen many: LPIPS, texture, and what would give a generator away.

All on AlexNet's features of enlarged pictures.  Texture is the mean and the spread of each feature over the picture
(after Gatys et al. 2015, without correlations): it asks for as much detail, wherever it lies.  What would give a
generator away is the difference of mean features that a linear discriminant sees (Fisher 1936): the part of an
adversarial game that has a closed form.
"""

import torch
from torch import nn

from dynode.io.images import resampled
from dynode.perception.lpips import LPIPS, unit_normalise

RIDGE = 0.02  # of the mean variance, added to the covariance of features
EXAMPLES = 1024  # pictures that scales and covariance are measured on


class PerceptualLosses(nn.Module):
    """Three losses between generated and wanted pictures (B, 3, R, R) in [-1, 1] of the same latents.

    perceptual: an `LPIPS` of AlexNet.  examples: pictures (n, 3, R, R) of the world that scales are measured on.
    memory: pictures after which the running difference of mean features has forgotten half.
    """

    def __init__(self, perceptual: LPIPS, resolution: int, examples: torch.Tensor, memory: int = 500):
        super().__init__()
        self.perceptual, self.resolution, self.memory = perceptual, resolution, memory
        with torch.no_grad():
            seen = [self.features(part) for part in examples[:EXAMPLES].split(32)]
            textures = torch.cat([torch.cat(texture(each), 1) for each in seen])
            pooled = torch.cat([means(each) for each in seen]).double()
        covariance = torch.cov(pooled.T)
        ridge = RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance)).to(covariance)
        self.register_buffer("scale", textures.std(0) + 1e-3 * textures.std(0).max(), persistent=False)
        self.register_buffer("inverse", torch.linalg.inv(covariance + ridge).float(), persistent=False)
        self.register_buffer("gap", torch.zeros(pooled.shape[1], device=pooled.device))

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        enlarged = resampled(images.clamp(-1.9, 1.9), self.resolution)
        return self.perceptual.model.net(self.perceptual.model.scaling_layer(enlarged))

    def forward(self, made: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(LPIPS, squared difference of texture in units of its spread, what a discriminant sees), means over the batch."""
        mine = self.features(made)
        with torch.no_grad():
            its = self.features(wanted)
        pairs = zip(mine, its, self.perceptual.model.lins, strict=True)
        lpips = sum(head.model((unit_normalise(a) - unit_normalise(b)).square()).mean() for a, b, head in pairs)
        differences = torch.cat(texture(mine), 1) - torch.cat(texture(its), 1)
        return lpips, (differences / self.scale).square().mean(), self.given_away(means(mine) - means(its))

    def given_away(self, difference: torch.Tensor) -> torch.Tensor:
        """The mean of feature differences (B, K) along the discriminant, over its length: 0 where nothing can be told."""
        keep = 0.5 ** (len(difference) / self.memory)
        self.gap.lerp_(difference.detach().mean(0), 1 - keep)
        direction = self.inverse @ self.gap
        length = (self.gap @ direction).clamp(min=1e-12).sqrt()
        return difference.mean(0) @ direction / length.clamp(min=1.0)


def means(features: list[torch.Tensor]) -> torch.Tensor:
    """The mean of every feature over the picture (B, K)."""
    return torch.cat([layer.mean((2, 3)) for layer in features], 1)


def texture(features: list[torch.Tensor]) -> list[torch.Tensor]:
    """Means and standard deviations of every feature over the picture, (B, 2K) in parts."""
    return [part for layer in features for part in (layer.mean((2, 3)), (layer.var((2, 3)) + 1e-6).sqrt())]
