"""Small pieces of all worlds: smooth steps, noise, colours, the grid of a picture.

Colours are linear light (3, B, N): channel, batch, points; what depends on a point is (B, N) or broadcasts to it.
"""

import math

import torch
from torch.nn import functional as F

TAU = 2 * math.pi


def smoothstep(low, high, x: torch.Tensor) -> torch.Tensor:
    """0 below `low`, 1 above `high`, a cubic between."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, weight):
    """a where weight is 0, b where it is 1."""
    return a + (b - a) * weight


def rgb(*values: float, like: torch.Tensor) -> torch.Tensor:
    """A colour as (3, 1, 1) of the same kind as `like`."""
    return like.new_tensor(values)[:, None, None]


def hashed(x: torch.Tensor, y: torch.Tensor, seed: int) -> torch.Tensor:
    """Noise in [0, 1) of integer lattice points, the same on every machine (32-bit integer arithmetic)."""
    n = (x.long() * 374761393 + y.long() * 668265263 + seed * 974711) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFFFF).float() / 0x1000000


def noise(x: torch.Tensor, y: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Smooth value noise in [0, 1] of points (x, y), one cell a unit."""
    x0, y0 = x.floor(), y.floor()
    u, v = smoothstep(0.0, 1.0, x - x0), smoothstep(0.0, 1.0, y - y0)
    low = mix(hashed(x0, y0, seed), hashed(x0 + 1, y0, seed), u)
    high = mix(hashed(x0, y0 + 1, seed), hashed(x0 + 1, y0 + 1, seed), u)
    return mix(low, high, v)


def fractal(
    x: torch.Tensor, y: torch.Tensor, seed: int = 0, octaves: int = 4, pixels: float = math.inf
) -> torch.Tensor:
    """Value noise summed over octaves (fractional Brownian motion), in [0, 1].

    pixels: how many pixels a cell of the first octave spans; octaves that pixels are too coarse for fade to their mean,
    as a finer picture does when it is reduced.
    """
    total, weight = torch.zeros_like(x), 0.5
    for k in range(octaves):
        resolved = min(1.0, max(0.0, (pixels / 2**k - 1) / 2))  # none of cells of a pixel, all of cells of three
        if resolved:
            total = total + weight * resolved * (noise(x * 2**k, y * 2**k, seed + 17 * k) - 0.5)
        weight /= 2
    return 0.5 + total / (1 - 0.5**octaves)


def pixel_grid(resolution: int, samples: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """x to the right, y upwards, both (1, N) in [-1, 1], row by row from the top; samples a pixel's side."""
    side = resolution * samples
    at = (torch.arange(side, device=like.device) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(-at, at, indexing="ij")
    return x.reshape(1, -1).to(like), y.reshape(1, -1).to(like)


def to_images(colours: torch.Tensor, resolution: int, samples: int) -> torch.Tensor:
    """Linear colours (3, B, N) in [0, 1] -> images (B, 3, R, R) in [-1, 1]: averaged over the samples, then gamma 2.2."""
    side = resolution * samples
    images = colours.movedim(1, 0).reshape(-1, 3, side, side)
    if samples > 1:
        images = F.avg_pool2d(images, samples)
    return images.clamp(0, 1) ** (1 / 2.2) * 2 - 1


def palette(colours, at: torch.Tensor) -> torch.Tensor:
    """Colours (K, 3) met one after the other as `at` (B,) goes from 0 to K - 1; (3, B, 1)."""
    table = at.new_tensor(colours)
    low = at.floor().clamp(0, len(colours) - 2).long()
    weight = smoothstep(0.0, 1.0, at - low)[:, None]
    return mix(table[low], table[low + 1], weight).T[:, :, None]
