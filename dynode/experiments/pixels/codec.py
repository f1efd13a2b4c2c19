"""A frame to a few numbers, and numbers to a picture: small convolutional networks."""

import math

import torch
from torch import nn

from dynode.errors import UserError

COARSEST = 4  # pixels a side where the pictures of a codec are smallest


def widths(resolution: int, channels: int) -> list[int]:
    """Channels from the finest layer, half as large as the frame, to the coarsest, of 4 pixels a side.

    Raises UserError for a resolution that is no power of two from 8 on.
    """
    halvings = math.log2(resolution / COARSEST)
    if halvings < 1 or halvings % 1:
        raise UserError(f"Frames of a pixel model have 8, 16, 32, 64, ... pixels a side, got {resolution}.")
    return [channels * min(4, 2**k) for k in range(int(halvings))]


def layer(convolution: nn.Module, width: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.GroupNorm(4 if width % 4 == 0 else 1, width), nn.SiLU())


class Encoder(nn.Module):
    """Frames (n, 3, R, R) in [-1, 1] -> numbers (n, codes), and the pictures on the way, from fine to coarse."""

    def __init__(self, resolution: int, channels: int, codes: int):
        super().__init__()
        wide = widths(resolution, channels)
        pairs = zip([3, *wide[:-1]], wide, strict=True)
        self.steps = nn.ModuleList(layer(nn.Conv2d(a, b, 4, stride=2, padding=1), b) for a, b in pairs)
        self.last = nn.Linear(wide[-1] * COARSEST**2, codes)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        pictures = [images]
        for step in self.steps:
            pictures.append(step(pictures[-1]))
        return self.last(pictures[-1].flatten(1)), pictures


class Decoder(nn.Module):
    """Numbers (T, codes) -> pictures (T, out, R, R), zero before they are trained.

    beside: channels more, that stand beside each picture on the way, from fine to coarse; 0 for none.
    """

    def __init__(self, resolution: int, channels: int, codes: int, out: int, beside: list[int]):
        super().__init__()
        wide = [channels, *widths(resolution, channels)]
        self.start = nn.Linear(codes, wide[-1] * COARSEST**2)
        sizes = zip(wide[:-1], wide[1:], beside[1:], strict=True)
        steps = [layer(nn.ConvTranspose2d(b + more, a, 4, stride=2, padding=1), a) for a, b, more in sizes]
        self.steps = nn.ModuleList(steps[::-1])
        self.last = nn.Conv2d(wide[0] + beside[0], out, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, states: torch.Tensor, beside: list[torch.Tensor]) -> torch.Tensor:
        """beside: pictures (T, ..., r, r) from fine to coarse, empty for none."""
        picture = self.start(states).unflatten(1, (-1, COARSEST, COARSEST))
        for step, more in zip(self.steps, beside[:0:-1] or [None] * len(self.steps), strict=True):
            picture = step(picture if more is None else torch.cat([picture, more], 1))
        return self.last(torch.cat([picture, beside[0]], 1) if beside else picture)
