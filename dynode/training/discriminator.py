"""The residual discriminator of StyleGAN2 (Karras et al. 2020), with the minibatch standard deviation."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from dynode.generators.stylegan2 import GAIN, EqualLinear


class EqualConv(nn.Module):
    """A convolution with equalised learning rate; `down`: a [1, 3, 3, 1] blur before, and stride 2."""

    blur: torch.Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, *, down: bool = False, active: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if active else None
        self.scale, self.down = 1 / math.sqrt(inputs * kernel**2), down
        ramp = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("blur", torch.outer(ramp, ramp).expand(inputs, 1, 4, 4).clone(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel = self.weight.shape[2]
        padding = kernel // 2
        if self.down:
            x = F.conv2d(x, self.blur.to(x.dtype), padding=1 + padding, groups=x.shape[1])
            padding = 0
        x = F.conv2d(x, (self.weight * self.scale).to(x.dtype), stride=1 + self.down, padding=padding)
        if self.bias is None:
            return x
        return F.leaky_relu(x + self.bias[:, None, None].to(x.dtype), 0.2) * GAIN


class Residual(nn.Module):
    """Two convolutions that halve the resolution, with a 1x1 convolution as skip connection."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first, self.second = EqualConv(inputs, inputs, 3), EqualConv(inputs, outputs, 3, down=True)
        self.skip = EqualConv(inputs, outputs, 1, down=True, active=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.second(self.first(x)) + self.skip(x)) / GAIN


class Discriminator(nn.Module):
    """Images (B, 3, R, R) in [-1, 1] -> logits (B,), high for real ones; as wide as the generator of these settings."""

    def __init__(self, settings: Any, group: int = 4):
        super().__init__()
        sizes = settings.resolutions[::-1]
        channels = [settings.channels(size) for size in sizes]
        self.group = group
        self.stem = EqualConv(3, channels[0], 1)
        self.blocks = nn.ModuleList(Residual(a, b) for a, b in zip(channels[:-1], channels[1:], strict=True))
        self.last = EqualConv(channels[-1] + 1, channels[-1], 3)
        self.dense = EqualLinear(channels[-1] * 16, channels[-1])
        self.verdict = EqualLinear(channels[-1], 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        device = images.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else images.dtype
        x = self.stem(images.to(dtype, memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x)
        x = self.last(torch.cat([x, self.batch_std(x.float()).to(x.dtype)], 1)).float()
        return self.verdict(F.leaky_relu(self.dense(x.flatten(1)), 0.2) * GAIN)[:, 0]

    def batch_std(self, x: torch.Tensor) -> torch.Tensor:
        """The mean standard deviation over groups of the batch, as one more channel (B, 1, H, W)."""
        group = math.gcd(self.group, len(x))
        parts = x.reshape(group, len(x) // group, *x.shape[1:])
        std = (parts.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3), keepdim=True)
        return std.repeat(group, 1, 1, 1).expand(-1, 1, *x.shape[2:])
