"""Images as video has them: other colours, moved crops, blur, noise and compression, each image by itself.

All of it works on batches (B, 3, R, R) in [-1, 1] on any device, with random numbers of one generator.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F

GREY = (0.299, 0.587, 0.114)
BLOCK = 8  # pixels of a block that compression quantises


@dataclass(frozen=True)
class Degradations:
    """How often, and how far at most.  Colour and geometry change what is to be encoded; the rest is to be ignored."""

    colour: float = 0.35  # probability
    grey: float = 0.12  # probability of black and white
    moved: float = 0.4  # probability
    shift: float = 0.02  # of the image's side
    scale: float = 0.04
    turn: float = 3.0  # degrees
    blurred: float = 0.5  # probability
    sigma: float = 2.5  # pixels
    compressed: float = 0.5  # probability
    step: float = 0.25  # quantisation step of the highest frequency
    noise: float = 0.03


class Draws:
    """Random numbers of a batch of n images on one device."""

    def __init__(self, n: int, rng: torch.Generator):
        self.n, self.rng = n, rng

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        """(n, *shape) in [low, high)."""
        return low + (high - low) * torch.rand(self.n, *shape, generator=self.rng, device=self.rng.device)

    def happens(self, probability: float) -> torch.Tensor:
        """(n, 1, 1, 1) float: 1 with that probability, else 0."""
        return (self.uniform(0, 1, 1, 1, 1) < probability).float()


def recoloured(images: torch.Tensor, d: Degradations, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
    """Images with other brightness, contrast, tint and saturation, some black and white; and which ones (B, 1, 1, 1)."""
    red, green, blue = images.unbind(1)
    grey = (GREY[0] * red + GREY[1] * green + GREY[2] * blue)[:, None].expand_as(images)
    changed = torch.lerp(grey, images, draws.uniform(0.5, 1.3, 1, 1, 1))
    changed = changed * draws.uniform(0.75, 1.25, 1, 1, 1) * draws.uniform(0.92, 1.08, 3, 1, 1)
    changed = changed + draws.uniform(-0.15, 0.15, 1, 1, 1)
    happens, grey_only = draws.happens(d.colour), draws.happens(d.grey)
    mixed = torch.lerp(torch.lerp(images, changed, happens), grey, grey_only)
    return mixed.clamp(-1, 1), torch.maximum(happens, grey_only)


def moved(images: torch.Tensor, d: Degradations, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
    """Images shifted, scaled and turned, reflected at the edges; and which ones (B, 1, 1, 1)."""
    happens = draws.happens(d.moved)[:, 0, 0, 0]
    angle = happens * draws.uniform(-d.turn, d.turn) * math.pi / 180
    scale = 1 + happens * draws.uniform(-d.scale, d.scale)
    shift = happens[:, None] * draws.uniform(-2 * d.shift, 2 * d.shift, 2)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    rows = [torch.stack([cosine, -sine, shift[:, 0]], 1), torch.stack([sine, cosine, shift[:, 1]], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    turned = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return turned, happens[:, None, None, None]


def blurred(images: torch.Tensor, d: Degradations, draws: Draws) -> torch.Tensor:
    """Images under Gaussians of up to `sigma` pixels."""
    reach = math.ceil(2.5 * d.sigma)
    sigma = draws.happens(d.blurred)[:, 0, 0, 0] * draws.uniform(0, d.sigma) + 1e-2
    places = torch.arange(-reach, reach + 1, device=images.device)
    kernels = torch.exp(-(places**2) / (2 * sigma[:, None] ** 2))
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(3, 0)  # (3 B, K)
    flat = F.pad(images, (reach,) * 4, mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, kernels[:, None, None, :], groups=len(kernels))
    return F.conv2d(flat, kernels[:, None, :, None], groups=len(kernels))[0].view_as(images)


@cache
def cosine_transform(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The orthonormal matrix (8, 8) of the discrete cosine transform, and how high each frequency is (8, 8) in [0, 1]."""
    k, n = torch.arange(BLOCK, dtype=torch.float64)[:, None], torch.arange(BLOCK, dtype=torch.float64)
    matrix = torch.cos(math.pi * (2 * n + 1) * k / (2 * BLOCK)) * (2 / BLOCK) ** 0.5
    matrix[0] /= 2**0.5
    return matrix.float().to(device), ((k + n) / (2 * BLOCK - 2)).float().to(device)


def compressed(images: torch.Tensor, d: Degradations, draws: Draws) -> torch.Tensor:
    """Images whose blocks of 8 pixels keep their frequencies in steps, coarser for high ones, as JPEG and video codecs do."""
    matrix, height = cosine_transform(images.device)
    size = images.shape[-1]
    blocks = images.unflatten(-1, (size // BLOCK, BLOCK)).unflatten(2, (size // BLOCK, BLOCK)).movedim(3, 4)
    frequencies = matrix @ blocks @ matrix.T
    steps = draws.uniform(0.02, d.step)[:, None, None, None, None, None] * (0.15 + height) * BLOCK / 2
    kept = matrix.T @ ((frequencies / steps).round() * steps) @ matrix
    coded = kept.movedim(4, 3).flatten(2, 3).flatten(3, 4)
    return torch.lerp(images, coded, draws.happens(d.compressed))


def noisy(images: torch.Tensor, d: Degradations, draws: Draws) -> torch.Tensor:
    """Images with white noise."""
    noise = torch.randn(images.shape, generator=draws.rng, device=images.device)
    return images + draws.uniform(0, d.noise, 1, 1, 1) * noise


@torch.no_grad()
def degrade(
    images: torch.Tensor, d: Degradations, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(degraded images, the images that they should be encoded as, whether these are the given ones (B,) float)."""
    draws = Draws(len(images), rng)
    wanted, turned = moved(images, d, draws)
    wanted, tinted = recoloured(wanted, d, draws)
    degraded = noisy(compressed(blurred(wanted, d, draws), d, draws), d, draws)
    return degraded.clamp(-1, 1), wanted, 1 - torch.maximum(turned, tinted)[:, 0, 0, 0]
