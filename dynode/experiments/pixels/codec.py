"""Convolutional encoder and decoder: a frame to a few numbers, and numbers to an image."""

import math

import torch
from torch import nn

from dynode.errors import UserError

COARSEST = 4  # pixels a side of a codec's coarsest feature maps


def widths(resolution: int, channels: int) -> list[int]:
    """Channels from the finest layer, half as large as the frame, to the coarsest, of 4 pixels a side.

    Raises UserError for a resolution that is no power of two from 8 on.
    """
    halvings = math.log2(resolution / COARSEST)
    if halvings < 1 or halvings % 1:
        raise UserError(f"Frames of a pixel model have 8, 16, 32, 64, ... pixels a side, got {resolution}.")
    return [channels * min(4, 2**k) for k in range(int(halvings))]


def layer(convolution: nn.Module, width: int) -> nn.Sequential:
    """A convolution, group normalisation and SiLU."""
    return nn.Sequential(convolution, nn.GroupNorm(4 if width % 4 == 0 else 1, width), nn.SiLU())


class Encoder(nn.Module):
    """Frames (n, 3, R, R) in [-1, 1] -> numbers (n, codes), and the feature maps in between, from fine to coarse."""

    def __init__(self, resolution: int, channels: int, codes: int):
        super().__init__()
        wide = widths(resolution, channels)
        pairs = zip([3, *wide[:-1]], wide, strict=True)
        self.steps = nn.ModuleList(layer(nn.Conv2d(a, b, 4, stride=2, padding=1), b) for a, b in pairs)
        self.last = nn.Linear(wide[-1] * COARSEST**2, codes)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        maps = [images]
        for step in self.steps:
            maps.append(step(maps[-1]))
        return self.last(maps[-1].flatten(1)), maps


class Decoder(nn.Module):
    """Numbers (T, codes) -> images (T, out, R, R), zero before training.

    skips: additional input channels of each layer, from fine to coarse; 0 for none.
    """

    def __init__(self, resolution: int, channels: int, codes: int, out: int, skips: list[int]):
        super().__init__()
        wide = [channels, *widths(resolution, channels)]
        self.start = nn.Linear(codes, wide[-1] * COARSEST**2)
        sizes = zip(wide[:-1], wide[1:], skips[1:], strict=True)
        steps = [layer(nn.ConvTranspose2d(b + more, a, 4, stride=2, padding=1), a) for a, b, more in sizes]
        self.steps = nn.ModuleList(steps[::-1])
        self.last = nn.Conv2d(wide[0] + skips[0], out, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, states: torch.Tensor, skips: list[torch.Tensor]) -> torch.Tensor:
        """skips: feature maps (T, ..., r, r) from fine to coarse, empty for none."""
        image = self.start(states).unflatten(1, (-1, COARSEST, COARSEST))
        for step, more in zip(self.steps, skips[:0:-1] or [None] * len(self.steps), strict=True):
            image = step(image if more is None else torch.cat([image, more], 1))
        return self.last(torch.cat([image, skips[0]], 1) if skips else image)
