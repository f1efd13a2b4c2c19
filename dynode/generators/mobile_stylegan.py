"""MobileStyleGAN (Belousov 2021): an FFHQ generator distilled from StyleGAN2, 1024 x 1024, sharing its W space.

Every convolution is depthwise separable and modulated on its input; demodulation is folded into the published
weights. The image is made once, at the end, as wavelet coefficients that an inverse Haar transform turns into pixels.
"""

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from dynode.generators.protocol import StyleLayer

LEAK = 0.2
BAND = 64  # rows of the largest feature maps that are computed at a time: they stay in a CPU's cache


class MappingNetwork(nn.Module):
    """z (B, 512) -> w (B, 512): pixel norm, then eight linear layers with leaky ReLU and gain sqrt(2)."""

    def __init__(self, dim: int = 512, depth: int = 8):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), LEAK) * math.sqrt(2)
        return x


class Modulation(nn.Linear):
    """The affine map from one style row to one factor per channel; `scale` is the equalised learning rate."""

    def __init__(self, channels: int, scale: float = 1.0, w_dim: int = 512):
        super().__init__(w_dim, channels)
        self.scale = scale

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return super().forward(w)[:, :, None, None] * self.scale


class StyledConv(nn.Module):
    """Modulate, convolve (3x3 depthwise then pointwise; plain 3x3 at 4 pixels), add fixed noise, leaky ReLU."""

    noise: torch.Tensor

    def __init__(self, in_channels: int, out_channels: int, resolution: int, separable: bool = True):
        super().__init__()
        self.modulation = Modulation(in_channels, scale=1 / math.sqrt(in_channels * 9))
        self.depthwise = (
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False) if separable else None
        )
        kernel = 1 if separable else 3
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
        self.register_buffer("noise", torch.zeros(1, 1, resolution, resolution))

    def forward(self, x: torch.Tensor, factors: torch.Tensor, rows: slice = slice(None)) -> torch.Tensor:
        """factors (B, C, 1, 1): `self.modulation` of a style.  rows: those of the noise map that x has, if not all."""
        if self.depthwise is None:
            x = self.conv(x * factors)
        elif len(x) > 1 or torch.is_grad_enabled():
            x = self.conv(self.depthwise(x * factors))
        else:
            x = self.separable_of_one(x, factors, self.depthwise.weight)
        return F.leaky_relu_(
            x.add_(self.noise[:, :, rows].to(x.dtype)), LEAK
        )  # in place: memory traffic is the cost on a CPU

    def separable_of_one(self, x: torch.Tensor, factors: torch.Tensor, depthwise: torch.Tensor) -> torch.Tensor:
        """The separable convolution of one image, faster: the factors go into the first kernel, the second is a matrix."""
        x = F.conv2d(x, depthwise * factors.movedim(1, 0), padding=1, groups=x.shape[1])
        return F.linear(x.movedim(1, -1), self.conv.weight[:, :, 0, 0], self.conv.bias).movedim(-1, 1)


def inverse_haar(x: torch.Tensor) -> torch.Tensor:
    """One inverse Haar step: (B, 4C, H, W) coefficients -> (B, C, 2H, 2W).

    Channels come as C low-pass maps, then for each of the C outputs its three detail maps.
    """
    channels, x = x.shape[1] // 4, (x * 0.5).movedim(1, -1)  # channels go last, where the convolutions want them
    low = x[..., :channels]
    a, b, c = x[..., channels:].unflatten(-1, (channels, 3)).unbind(-1)
    same, other, tilt, cross = low + a, low - a, b + c, b - c
    if torch.is_grad_enabled():
        rows = [torch.cat([same + tilt, same - tilt], -1), torch.cat([other + cross, other - cross], -1)]
        pixels = torch.stack(rows, 2)
    else:  # the same, written in place: one copy less of the largest tensors
        pixels = x.new_empty(*x.shape[:2], 2, x.shape[2], 2 * channels)
        for row, (mean, step) in enumerate([(same, tilt), (other, cross)]):
            torch.add(mean, step, out=pixels[:, :, row, :, :channels])
            torch.sub(mean, step, out=pixels[:, :, row, :, channels:])
    return pixels.reshape(len(x), 2 * x.shape[1], 2 * x.shape[2], channels).movedim(-1, 1)


class Block(nn.Module):
    """Double the resolution: modulated wavelet up-sampling, then two styled convolutions (three style rows)."""

    def __init__(self, in_channels: int, out_channels: int, resolution: int):
        super().__init__()
        self.up = Modulation(in_channels)
        self.conv1 = StyledConv(in_channels // 4, out_channels, resolution)
        self.conv2 = StyledConv(out_channels, out_channels, resolution)

    @property
    def modulations(self) -> list[Modulation]:
        return [self.up, self.conv1.modulation, self.conv2.modulation]

    def forward(self, x: torch.Tensor, factors: Sequence[torch.Tensor], rows: slice = slice(None)) -> torch.Tensor:
        x = inverse_haar(x * factors[0])
        return self.conv2(self.conv1(x, factors[1], rows), factors[2], rows)

    def in_bands(
        self,
        x: torch.Tensor,
        factors: Sequence[torch.Tensor],
        band: int,
        finish: Callable[[torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """`finish` of the block's output, computed `band` rows at a time: the whole output is never in memory.

        Each band is computed with one input row more on either side, so that its own rows are exact.
        """
        height, step, finished = x.shape[2], band // 2, []
        if step >= height:
            return finish(self(x, factors))
        for top in range(0, height, step):
            low, high = max(0, top - 1), min(height, top + step + 1)
            part = self(x[:, :, low:high], factors, slice(2 * low, 2 * high))
            finished.append(finish(part[:, :, 2 * (top - low) : 2 * (top - low + step)]))
        return torch.cat(finished, 2)


class ToImage(nn.Module):
    """Features -> wavelet coefficients of the RGB image (one style row)."""

    def __init__(self, channels: int):
        super().__init__()
        self.modulation = Modulation(channels, scale=1 / math.sqrt(channels))
        self.conv = nn.Conv2d(channels, 12, 1)

    def forward(self, x: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        return self.conv(x * factors)

    def low_pass(self, x: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        """Only the low-pass coefficients: twice the area-reduced image, at a quarter of the pixels."""
        bias = cast(torch.Tensor, self.conv.bias)
        return F.conv2d(x * factors, self.conv.weight[:3], bias[:3])


class MobileStyleGAN(nn.Module):
    """The generator; see `StyleGenerator` in `dynode.generators.protocol`.

    A W+ code has 23 rows, coarse to fine: row 0 is the 4-pixel convolution, rows 1+3k, 2+3k, 3+3k are the three
    modulations of the block at 8 * 2**k pixels (k = 0..6), row 22 makes the image.
    """

    name, hash = "mobilestylegan-ffhq", ""
    channels = (512, 512, 512, 512, 256, 128, 64)
    z_dim = w_dim = 512
    num_ws = 23
    resolution = 1024
    img_channels = 3
    w_avg: torch.Tensor
    w_std: torch.Tensor

    def __init__(self):
        super().__init__()
        self.mapping_network = MappingNetwork(self.z_dim)
        self.const = nn.Parameter(torch.zeros(1, 512, 4, 4))
        self.conv1 = StyledConv(512, 512, 4, separable=False)
        widths = (512, *self.channels)
        self.blocks = nn.ModuleList(Block(widths[k], widths[k + 1], 8 * 2**k) for k in range(7))
        self.to_img = ToImage(self.channels[-1])
        self.register_buffer("w_avg", torch.zeros(self.w_dim))
        self.register_buffer("w_std", torch.zeros(()))

    def mapping(self, z: torch.Tensor, truncation_psi: float = 1.0) -> torch.Tensor:
        """z (B, 512) -> ws (B, 23, 512), all rows equal; `truncation_psi` pulls them towards `w_avg`."""
        w = self.w_avg.lerp(self.mapping_network(z), truncation_psi)
        return w[:, None].expand(-1, self.num_ws, -1)

    def synthesis(self, ws: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Codes -> images (B, 3, R, R) in about [-1, 1] (not clamped), differentiable in `ws`.

        ws: (B, 23, 512), or (B, 512) for one style.  resolution: R, a power of two up to 1024 (default); smaller
        images are exactly the area-reduced full image, without the cost of making it.
        """
        if ws.dim() == 2:
            ws = ws[:, None].expand(-1, self.num_ws, -1)
        return self.factors_image([layer(ws[:, row]) for row, layer in enumerate(self.modulations)], resolution)

    @property
    def modulations(self) -> list[Modulation]:
        """The modulation of each row."""
        blocks = (layer for block in self.blocks for layer in cast(Block, block).modulations)
        return [self.conv1.modulation, *blocks, self.to_img.modulation]

    def to_style(self, ws: torch.Tensor) -> torch.Tensor:
        """Codes (B, S) of the style space of ws (B, 23, 512): the factors of all channels, concatenated."""
        return torch.cat([layer(ws[:, row])[:, :, 0, 0] for row, layer in enumerate(self.modulations)], 1)

    def style_layers(self) -> list[StyleLayer]:
        """The parts of a code of the style space, one for each row."""
        sizes = [4, *(8 * 2 ** (row // 3) for row in range(21)), self.resolution]
        widths = [layer.out_features for layer in self.modulations]
        return [StyleLayer(row, widths[row], sizes[row], to_rgb=row == 22) for row in range(self.num_ws)]

    def synthesis_from_style(self, s: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Images of codes s (B, S) of the style space; synthesis(ws) == synthesis_from_style(to_style(ws))."""
        parts = s.split([layer.channels for layer in self.style_layers()], 1)
        return self.factors_image([part[:, :, None, None] for part in parts], resolution)

    def factors_image(self, factors: Sequence[torch.Tensor], resolution: int | None = None) -> torch.Tensor:
        """Images of the factors (B, C, 1, 1) of each of the 23 modulations."""
        x = self.conv1(self.const.expand(len(factors[0]), -1, -1, -1), factors[0])
        for k, block in enumerate(self.blocks[:-1]):
            x = block(x, factors[1 + 3 * k : 4 + 3 * k])
        size, final = resolution or self.resolution, factors[22]
        pooled = self.resolution // 2 // size  # rows of features that make a row of the image; 0 for the full size

        def image(features: torch.Tensor) -> torch.Tensor:
            if not pooled:
                return inverse_haar(self.to_img(features, final))
            # the 1x1 layer commutes with pooling
            return self.to_img.low_pass(F.avg_pool2d(features, pooled), final) * 0.5

        cached = x.device.type == "cpu" and not torch.is_grad_enabled()
        band = max(BAND, pooled) if cached else self.resolution // 2
        return cast(Block, self.blocks[-1]).in_bands(x, factors[19:22], band, image)

    def forward(self, z: torch.Tensor, truncation_psi: float = 1.0) -> torch.Tensor:
        return self.synthesis(self.mapping(z, truncation_psi))

    @torch.no_grad()
    def measure_w(self, samples: int = 10_000, seed: int = 123) -> None:
        """Set `w_avg` and the scalar `w_std` from `samples` mapped codes (Karras et al., projector)."""
        z = torch.randn(samples, self.z_dim, generator=torch.Generator().manual_seed(seed))
        w = self.mapping_network(z.to(self.w_avg.device))
        self.w_avg.copy_(w.mean(0))
        self.w_std.copy_((w - self.w_avg).square().sum(1).mean().sqrt())
