"""StyleGAN2 (Karras et al. 2020): mapping, modulated convolutions, skip connections to RGB, constant noise.

Row i of a code feeds convolution i; the toRGB layer of block k shares row 2k + 1 with the block after it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from dynode.errors import UserError
from dynode.generators.protocol import StyleLayer
from dynode.generators.weights import ARCHITECTURES, Architecture, WeightsGenerator
from dynode.io.images import resampled
from dynode.settings import require_positive

GAIN = math.sqrt(2)
SMALLEST = 4


@dataclass(frozen=True)
class StyleGAN2Settings:
    """The shape of a generator.  Channels at a resolution: channel_base / resolution, at most channel_max."""

    resolution: int = 64
    z_dim: int = 64
    w_dim: int = 128
    depth: int = 4  # layers of the mapping
    channel_base: int = 2048
    channel_max: int = 128
    mapping_lr: float = 0.01  # learning rate of the mapping, relative to the other layers
    normalise_z: bool = True  # pixel norm before the mapping; off where the length of z has a meaning
    octaves: int = 0  # Fourier features of the normal CDF of z beside z itself: the mapping can depend on it finely

    def __post_init__(self):
        require_positive(self, "resolution", "z_dim", "w_dim", "depth", "channel_base", "channel_max", "mapping_lr")
        if self.resolution < 8 or self.resolution & (self.resolution - 1):
            raise UserError(f"The resolution of a StyleGAN2 is a power of two from 8 up, got {self.resolution}.")

    @property
    def resolutions(self) -> list[int]:
        return [2**k for k in range(2, int(math.log2(self.resolution)) + 1)]

    def channels(self, resolution: int) -> int:
        return min(self.channel_base // resolution, self.channel_max)


class EqualLinear(nn.Module):
    """A linear layer with equalised learning rate: weights of unit variance, scaled at use; always in float32."""

    def __init__(self, inputs: int, outputs: int, lr_multiplier: float = 1.0, bias: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / lr_multiplier))
        self.scale, self.lr_multiplier = lr_multiplier / math.sqrt(inputs), lr_multiplier

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.float(), self.weight * self.scale, self.bias * self.lr_multiplier)


class MappingNetwork(nn.Module):
    """z (B, Z) -> w (B, D)."""

    def __init__(self, settings: StyleGAN2Settings):
        super().__init__()
        s = settings
        widths = [s.z_dim * (1 + 2 * s.octaves)] + [s.w_dim] * s.depth
        self.normalise, self.octaves = s.normalise_z, s.octaves
        self.layers = nn.ModuleList(
            EqualLinear(a, b, s.mapping_lr) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        if self.normalise:
            z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        if self.octaves:
            angles = torch.pi * torch.special.ndtr(z)[:, None] * 2 ** torch.arange(self.octaves).to(z)[:, None]
            z = torch.cat([z, angles.sin().flatten(1), angles.cos().flatten(1)], 1)
        for layer in self.layers:
            z = F.leaky_relu(layer(z), 0.2) * GAIN
        return z


class ModulatedConv(nn.Module):
    """Modulated convolution (Eqs. 1 and 3): a style scales the input channels, demodulation restores unit variance.

    Scaling activations before and after one shared convolution equals one weight for each sample, and is faster.
    """

    blur: torch.Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel: int, w_dim: int, *, demodulate: bool = True, up: bool = False
    ):
        super().__init__()
        self.style = EqualLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale, self.demodulate, self.up = 1 / math.sqrt(inputs * kernel**2), demodulate, up
        if up:
            ramp = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
            self.register_buffer("blur", torch.outer(ramp, ramp).expand(outputs, 1, 4, 4).clone(), persistent=False)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """style (B, inputs): one factor for each input channel, `self.style` of a row of a code."""
        weight = self.weight * self.scale
        x = x * style[:, :, None, None].to(x.dtype)
        if self.up:
            x = F.conv_transpose2d(x, weight.transpose(0, 1).to(x.dtype), stride=2)
            x = F.conv2d(x, self.blur.to(x.dtype), padding=1, groups=x.shape[1])
        else:
            x = F.conv2d(x, weight.to(x.dtype), padding=weight.shape[2] // 2)
        if self.demodulate:
            norm = torch.rsqrt(style.square() @ weight.square().sum((2, 3)).T + 1e-8)
            x = x * norm[:, :, None, None].to(x.dtype)
        return x


class StyledLayer(nn.Module):
    """Modulated convolution, constant noise with a learned strength, bias, leaky ReLU."""

    noise: torch.Tensor

    def __init__(self, inputs: int, outputs: int, resolution: int, w_dim: int, up: bool = False):
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, w_dim, up=up)
        self.register_buffer("noise", torch.randn(1, 1, resolution, resolution))
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        x = self.conv(x, style)
        added = self.noise * self.strength + self.bias[:, None, None]
        return F.leaky_relu(x + added.to(x.dtype), 0.2) * GAIN


class ToRGB(nn.Module):
    """Features -> RGB, added to the upsampled image of the blocks before."""

    def __init__(self, inputs: int, w_dim: int):
        super().__init__()
        self.conv = ModulatedConv(inputs, 3, 1, w_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor, style: torch.Tensor, image: torch.Tensor | None) -> torch.Tensor:
        colours = self.conv(x, style).float() + self.bias[:, None, None]
        if image is None:
            return colours
        return colours + F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Modulated:
    """A modulated convolution of a generator: the row of a code that it reads, its resolution, whether it is a toRGB layer."""

    conv: ModulatedConv
    row: int
    resolution: int
    to_rgb: bool = False


class StyleGAN2(WeightsGenerator):
    """The generator; see `StyleGenerator` in `dynode.generators.protocol`.  w_avg (D,) and w_std (D,) are measured."""

    img_channels = 3
    layer_type: type[StyledLayer] = StyledLayer
    to_rgb_type: type[ToRGB] = ToRGB

    def __init__(self, settings: StyleGAN2Settings):
        super().__init__()
        s, layer, to_rgb = settings, self.layer_type, self.to_rgb_type
        self.settings, self.name, self.hash = settings, "stylegan2", ""
        self.z_dim, self.w_dim, self.resolution = s.z_dim, s.w_dim, s.resolution
        self.num_ws = 2 * len(s.resolutions)
        self.mapping_network = MappingNetwork(s)
        self.constant = nn.Parameter(torch.randn(1, s.channels(SMALLEST), SMALLEST, SMALLEST))
        self.layers = nn.ModuleList([layer(s.channels(SMALLEST), s.channels(SMALLEST), SMALLEST, s.w_dim)])
        self.to_rgb = nn.ModuleList([to_rgb(s.channels(SMALLEST), s.w_dim)])
        for below, size in zip(s.resolutions[:-1], s.resolutions[1:], strict=True):
            self.layers.append(layer(s.channels(below), s.channels(size), size, s.w_dim, up=True))
            self.layers.append(layer(s.channels(size), s.channels(size), size, s.w_dim))
            self.to_rgb.append(to_rgb(s.channels(size), s.w_dim))
        self.register_buffer("w_avg", torch.zeros(s.w_dim))
        self.register_buffer("w_std", torch.ones(s.w_dim))

    def mapping(self, z: torch.Tensor, truncation_psi: float = 1.0) -> torch.Tensor:
        """z (B, Z) -> ws (B, L, D), every row the same; truncation pulls towards the average code."""
        w = self.w_avg.lerp(self.mapping_network(z), truncation_psi)
        return w[:, None].expand(-1, self.num_ws, -1)

    def synthesis(self, ws: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Images (B, 3, R, R) of ws (B, L, D), in about [-1, 1]; another resolution is resampled from the generator's own."""
        return resampled(self.blocks_image(self.styles(ws), self.resolution), resolution or self.resolution)

    @property
    def modulated(self) -> list[Modulated]:
        """The modulated convolutions in the order of their use."""
        convolutions = []
        for k, layer in enumerate(self.layers):
            size = self.settings.resolutions[(k + 1) // 2]
            convolutions.append(Modulated(cast(StyledLayer, layer).conv, k, size))
            if k % 2 == 0:
                convolutions.append(Modulated(cast(ToRGB, self.to_rgb[k // 2]).conv, k + 1, size, to_rgb=True))
        return convolutions

    def styles(self, ws: torch.Tensor) -> list[torch.Tensor]:
        """The style (B, channels) that each modulated convolution gets from ws (B, L, D)."""
        return [each.conv.style(ws[:, each.row]) for each in self.modulated]

    def to_style(self, ws: torch.Tensor) -> torch.Tensor:
        """Codes (B, S) of the style space of ws (B, L, D): all styles concatenated (Wu et al. 2021, Sec. 3)."""
        return torch.cat(self.styles(ws), 1)

    def style_layers(self) -> list[StyleLayer]:
        """The parts of a code of the style space."""
        return [
            StyleLayer(each.row, each.conv.weight.shape[1], each.resolution, each.to_rgb) for each in self.modulated
        ]

    def synthesis_from_style(self, s: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Images (B, 3, R, R) of codes s (B, S) of the style space; synthesis(ws) == synthesis_from_style(to_style(ws))."""
        styles = s.split([layer.channels for layer in self.style_layers()], 1)
        return resampled(self.blocks_image(styles, self.resolution), resolution or self.resolution)

    def blocks_image(self, styles: Sequence[torch.Tensor], resolution: int) -> torch.Tensor:
        """The image (B, 3, R, R) of the blocks up to that resolution."""
        dtype, device = styles[0].dtype, styles[0].device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else dtype
        x = self.constant.expand(len(styles[0]), -1, -1, -1).to(dtype, memory_format=torch.channels_last)
        image, remaining = None, iter(styles)
        for k, layer in enumerate(self.layers):
            x = layer(x, next(remaining))
            if k % 2 == 0:
                image = self.to_rgb[k // 2](x, next(remaining), image)
                if image.shape[-1] == resolution:
                    return image
        raise ValueError(f"{self.name} has no block of {resolution} pixels")

    def forward(self, z: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Images (B, 3, R, R) of latents z (B, Z); a smaller resolution stops after its block."""
        return self.blocks_image(self.styles(self.mapping(z)), resolution or self.resolution)

    @torch.no_grad()
    def measure(self, n: int = 10_000) -> None:
        """Set w_avg and w_std from n mapped latents (Karras et al. 2020, appendix D)."""
        z = torch.randn(n, self.z_dim, generator=torch.Generator().manual_seed(123)).to(self.w_avg)
        w = self.mapping_network(z)
        self.w_avg.copy_(w.mean(0))
        self.w_std.copy_(w.std(0))


ARCHITECTURES.add(
    "stylegan2",
    Architecture(
        "dynode-stylegan2-1",
        StyleGAN2,
        StyleGAN2Settings(normalise_z=False, mapping_lr=1.0, octaves=4),  # of worlds: the length of z has a meaning
        coarse=True,
    ),
)
