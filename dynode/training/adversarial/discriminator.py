"""The discriminator of a projected GAN (Sauer et al. 2021): small heads on fixed features of a pretrained network.

The features are those of VGG16, never AlexNet's, by which `dynode.evaluation.generator_quality` judges.  Fixed random
convolutions mix them across channels and, from coarse to fine, across scales, so that no head can rest on a few of them.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from dynode.perception.lpips import LPIPS

SCALES = (64, 128, 256, 512, 512)  # channels of VGG16 at 1, 1/2, 1/4, 1/8 and 1/16 of the resolution
SMALLEST = 4  # pixels a side that a head works down to
SLOPE = 0.2


class Features(nn.Module):
    """VGG16's features of images (B, 3, R, R) in [-1, 1] at five scales, R to R/16, in the number format of its weights.

    Standardised by the mean and standard deviation that every channel has over some pictures, see `measure`.
    """

    def __init__(self, network: LPIPS, dtype: torch.dtype):
        super().__init__()
        self.scaling = network.model.scaling_layer
        self.slices = nn.ModuleList(getattr(network.model.net, f"slice{k}") for k in range(1, 6))
        self.dtype = dtype
        self.to(dtype=dtype, memory_format=torch.channels_last).requires_grad_(False)  # pyright: ignore[reportCallIssue]
        for k, channels in enumerate(SCALES):
            self.register_buffer(f"mean{k}", torch.zeros(channels, 1, 1))
            self.register_buffer(f"scale{k}", torch.ones(channels, 1, 1))

    def plain(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The features as they are."""
        x, maps = self.scaling(images).to(self.dtype, memory_format=torch.channels_last), []
        for part in self.slices:
            x = part(x)
            maps.append(x)
        return maps

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        with torch.autocast(images.device.type, enabled=False):
            return [
                (x - getattr(self, f"mean{k}").to(x.dtype)) * getattr(self, f"scale{k}").to(x.dtype)
                for k, x in enumerate(self.plain(images))
            ]

    @torch.no_grad()
    def measure(self, images: torch.Tensor) -> None:
        """Take means and standard deviations from images (n, 3, R, R)."""
        for k, x in enumerate(self.plain(images)):
            x = x.float()
            std = x.std((0, 2, 3))
            getattr(self, f"mean{k}").copy_(x.mean((0, 2, 3))[:, None, None])
            getattr(self, f"scale{k}").copy_(1 / (std + 0.1 * std.mean() + 1e-6)[:, None, None])


class Mixing(nn.Module):
    """Fixed random convolutions of features: 1x1 across channels, then 3x3 from every scale into the next finer one."""

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        self.across = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in zip(SCALES, widths, strict=True))
        self.down = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1, bias=False) for a, b in pairwise(widths))
        for each in self.parameters():
            nn.init.kaiming_normal_(each, nonlinearity="linear")
        self.requires_grad_(False)

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        mixed = [conv(x) for conv, x in zip(self.across, maps, strict=True)]
        for k in reversed(range(len(mixed) - 1)):
            coarser = F.interpolate(mixed[k + 1], size=mixed[k].shape[-2:], mode="nearest")
            mixed[k] = (mixed[k] + self.down[k](coarser)) * 0.5**0.5
        return mixed


class SpectralConv(nn.Conv2d):
    """A convolution whose kernel is divided by its spectral norm (Miyato et al. 2018), in float32.

    torch.nn.utils.parametrizations.spectral_norm iterates at every call and in the number format of the caller; here one
    step of the power iteration is made by `iterate`, once for a batch.
    """

    u: torch.Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0):
        super().__init__(inputs, outputs, kernel, stride, padding)
        self.register_buffer("u", F.normalize(torch.randn(outputs), dim=0))
        for _ in range(15):
            self.iterate()

    @torch.no_grad()
    def iterate(self) -> None:
        matrix = self.weight.flatten(1)
        self.u.copy_(F.normalize(matrix @ F.normalize(self.u @ matrix, dim=0), dim=0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            matrix = self.weight.flatten(1)
            v = F.normalize(self.u @ matrix.detach(), dim=0)
            norm = self.u @ matrix @ v
        weight, bias = (self.weight / norm).to(x.dtype), None if self.bias is None else self.bias.to(x.dtype)
        return F.conv2d(x, weight, bias, self.stride, self.padding)


class Projection(nn.Module):
    """What is fixed of the discriminator: images (B, 3, R, R) in [-1, 1] -> mixed features at five scales."""

    def __init__(self, network: LPIPS, dtype: torch.dtype, widths: tuple[int, ...]):
        super().__init__()
        self.features, self.mixing = Features(network, dtype), Mixing(widths)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return self.mixing(self.features(images))


class Head(nn.Module):
    """Features (B, C, H, H) -> logits (B, h, h): convolutions of spectral norm 1, strided down to four pixels a side."""

    def __init__(self, channels: int, width: int, side: int):
        super().__init__()
        layers: list[nn.Module] = []
        while side > SMALLEST:
            layers += [SpectralConv(channels, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]
            channels, side = width, side // 2
        layers += [SpectralConv(channels, width, 3, padding=1), nn.LeakyReLU(SLOPE), SpectralConv(width, 1, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)[:, 0].float()


class Heads(nn.Module):
    """What is trained of the discriminator: a head for every scale.

    resolution: of the images.  widths: channels of the mixed features, by scale.  width: of the heads.
    """

    def __init__(self, resolution: int, widths: tuple[int, ...], width: int):
        super().__init__()
        sides = [resolution // 2**k for k in range(len(SCALES))]
        self.heads = nn.ModuleList(Head(a, width, side) for a, side in zip(widths, sides, strict=True))

    def iterate(self) -> None:
        """A step of the power iteration of every spectral norm."""
        for each in self.modules():
            if isinstance(each, SpectralConv):
                each.iterate()

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        """The logits of every head, high for real images."""
        return [head(x) for head, x in zip(self.heads, maps, strict=True)]


def real_loss(logits: list[torch.Tensor]) -> torch.Tensor:
    """The hinge loss of the heads on real images."""
    return torch.stack([F.relu(1 - each).mean() for each in logits]).sum()


def made_loss(logits: list[torch.Tensor]) -> torch.Tensor:
    """The hinge loss of the heads on generated images."""
    return torch.stack([F.relu(1 + each).mean() for each in logits]).sum()


def generator_loss(logits: list[torch.Tensor]) -> torch.Tensor:
    """What the generator lowers: the negative logits of its images."""
    return -torch.stack([each.mean() for each in logits]).sum()
