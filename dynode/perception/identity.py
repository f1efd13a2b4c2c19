"""Face identity: MobileFaceNet (Chen et al. 2018) trained with ArcFace, from the package `facesdk`; unit vectors of 128."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.ops import Conv2dNormActivation

from dynode.io import assets
from dynode.io.images import area_resize

BOTTLENECKS = (
    (2, 64, 5, 2),
    (4, 128, 1, 2),
    (2, 128, 6, 1),
    (4, 128, 1, 2),
    (2, 128, 2, 1),
)  # expand, out, repeat, stride
MIDDLE = sum(repeat for _, _, repeat, _ in BOTTLENECKS[:3])  # blocks before the last halving of the resolution
CROP = (slice(35, 223), slice(32, 220))  # rows and columns of a 256-pixel FFHQ crop
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class SeparableConv(nn.Module):
    """Depthwise 3x3 and pointwise 1x1, both with batch norm and ReLU."""

    def __init__(self, channels: int):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn2(self.pointwise(self.bn1(self.depthwise(x)).relu())).relu()


class GlobalDepthwise(nn.Module):
    """One learned 7x7 weight per channel in place of average pooling."""

    def __init__(self, channels: int):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.depthwise(x))


class MobileFaceNet(nn.Module):
    """Images (B, 3, 112, 112), normalised -> embeddings (B, 128).  Table 1 of Chen et al.; submodules as in its weights."""

    def __init__(self):
        super().__init__()
        self.conv1 = Conv2dNormActivation(3, 64, 3, stride=2, activation_layer=nn.ReLU6)
        self.dw_conv = SeparableConv(64)
        blocks, width = [], 64
        for expand, out, repeat, stride in BOTTLENECKS:
            for k in range(repeat):
                blocks.append(InvertedResidual(width, out, stride if k == 0 else 1, expand))
                width = out
        self.features = nn.Sequential(*blocks)
        self.conv2 = Conv2dNormActivation(width, 512, 1, activation_layer=nn.ReLU6)
        self.gdconv = GlobalDepthwise(512)
        self.conv3 = nn.Conv2d(512, 128, 1)
        self.bn = nn.BatchNorm2d(128)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv3(self.gdconv(self.conv2(self.maps(x)[1])))).flatten(1)

    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The features (B, 128, 14, 14) of the middle and (B, 128, 7, 7) of the end of the residual blocks."""
        middle = self.features[:MIDDLE](self.dw_conv(self.conv1(x)))
        return middle, self.features[MIDDLE:](middle)


class Identity(nn.Module):
    """FFHQ-aligned faces (B, 3, R, R) in [-1, 1] -> unit vectors (B, 128); differentiable.

    The crop (rows 35:223, columns 32:220 of 256 pixels) holds for FFHQ alignment only.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self):
        super().__init__()
        self.model = MobileFaceNet()
        state = torch.load(assets.fetch("mobilefacenet-arcface"), map_location="cpu", weights_only=True)
        self.model.load_state_dict(state)
        self.model.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.model(self.faces(images)), dim=1)

    def faces(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, R, R) as the network wants them (B, 3, 112, 112)."""
        faces = area_resize(images, 256)[..., *CROP]
        faces = F.interpolate(faces, size=(112, 112), mode="area")
        return ((faces + 1) / 2 - self.mean) / self.std

    def maps(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (B, 128, 14, 14) and (B, 128, 7, 7) of images, on which the vectors rest."""
        return self.model.maps(self.faces(images))


def identity_of(category: str, device: torch.device | str = "cpu") -> Identity | None:
    """The identity network for the category "face"; None for worlds."""
    return Identity().to(device) if category == "face" else None
