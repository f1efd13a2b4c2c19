"""A small generator without styles, in the manner of DCGAN (Radford et al. 2016): one latent vector decides all.

Its code has a single row, the latent itself: there is no mapping network and no W+.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from dynode.errors import UserError
from dynode.generators.weights import ARCHITECTURES, Architecture, WeightsGenerator
from dynode.io.images import resampled
from dynode.settings import require_positive

SMALLEST = 4


@dataclass(frozen=True)
class DCGANSettings:
    """The shape of the generator.  Channels at a resolution: channel_base / resolution, at most channel_max."""

    resolution: int = 64
    z_dim: int = 64
    channel_base: int = 2048
    channel_max: int = 128

    def __post_init__(self):
        require_positive(self, "resolution", "z_dim", "channel_base", "channel_max")
        if self.resolution < 8 or self.resolution & (self.resolution - 1):
            raise UserError(f"The resolution of a generator is a power of two from 8 up, got {self.resolution}.")

    @property
    def resolutions(self) -> list[int]:
        return [2**k for k in range(2, int(math.log2(self.resolution)) + 1)]

    def channels(self, resolution: int) -> int:
        return min(self.channel_base // resolution, self.channel_max)


class DCGAN(WeightsGenerator):
    """z (B, Z) -> images (B, 3, R, R).  ws (B, 1, Z) are latents."""

    img_channels, num_ws = 3, 1

    def __init__(self, settings: DCGANSettings):
        super().__init__()
        s = self.settings = settings
        self.name, self.hash = "dcgan", ""
        self.z_dim, self.w_dim, self.resolution = s.z_dim, s.z_dim, s.resolution
        widths = [s.channels(size) for size in s.resolutions]
        self.dense = nn.Linear(s.z_dim, widths[0] * SMALLEST**2)
        self.up = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for width in widths)
        self.to_rgb = nn.Conv2d(widths[-1], 3, 3, padding=1)
        self.register_buffer("w_avg", torch.zeros(s.z_dim))
        self.register_buffer("w_std", torch.ones(s.z_dim))

    def mapping(self, z: torch.Tensor, truncation_psi: float = 1.0) -> torch.Tensor:
        """z (B, Z) -> ws (B, 1, Z): the same numbers, pulled towards zero by truncation."""
        return (truncation_psi * z)[:, None]

    def synthesis(self, ws: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Images (B, 3, R, R) of ws (B, 1, Z), in [-1, 1]; another resolution is resampled from the generator's own."""
        x = self.dense(ws[:, 0]).unflatten(1, (-1, SMALLEST, SMALLEST)).contiguous(memory_format=torch.channels_last)
        x = F.leaky_relu(self.norms[0](x), 0.2)
        for conv, norm in zip(self.up, self.norms[1:], strict=True):
            x = F.leaky_relu(norm(conv(F.interpolate(x, scale_factor=2, mode="nearest"))), 0.2)
        return resampled(torch.tanh(self.to_rgb(x)), resolution or self.resolution)


ARCHITECTURES.add("dcgan", Architecture("dynode-dcgan-1", DCGAN, DCGANSettings()))
