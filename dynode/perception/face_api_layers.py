"""The architectures of face-api.js (Mühler 2018-2020); submodules have the names of its weights."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def padded_same(x: torch.Tensor, kernel: int, stride: int, value: float = 0.0) -> torch.Tensor:
    """Images (B, C, H, W) padded as TensorFlow does for "same": an odd row or column goes below or to the right."""
    missing = [max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in (x.shape[-1], x.shape[-2])]
    return F.pad(x, [side for n in missing for side in (n // 2, n - n // 2)], value=value)


class Conv(nn.Conv2d):
    """A convolution with the padding "same"."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1):
        super().__init__(in_channels, out_channels, kernel, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(padded_same(x, self.kernel_size[0], self.stride[0]))


class SeparableConv(nn.Module):
    """Depthwise 3x3, then pointwise with a bias."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, stride, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pointwise(self.depthwise(padded_same(x, 3, self.stride))) + self.bias[:, None, None]


class DenseBlock(nn.Module):
    """Four convolutions; each takes the rectified sum of the outputs before it."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        first = Conv if in_channels == 3 else SeparableConv
        self.conv0 = first(in_channels, out_channels, *((3, 2) if first is Conv else (2,)))
        self.conv1, self.conv2, self.conv3 = (SeparableConv(out_channels, out_channels) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = F.relu(self.conv0(x))
        for k, conv in enumerate((self.conv1, self.conv2, self.conv3)):
            total = total + conv(total if k == 0 else F.relu(total))
        return F.relu(total)


class DenseNet(nn.Module):
    """Faces (B, 3, 112, 112), centred -> numbers (B, out): the network of landmarks and that of expressions."""

    def __init__(self, out: int):
        super().__init__()
        widths = (3, 32, 64, 128, 256)
        for k in range(4):
            self.add_module(f"dense{k}", DenseBlock(widths[k], widths[k + 1]))
        self.fc = nn.Linear(256, out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for k in range(4):
            x = getattr(self, f"dense{k}")(x)
        return self.fc(x.mean((2, 3)))  # 7 x 7


class ReductionBlock(nn.Module):
    """Two separable convolutions and 3x3 max pooling, plus a 1x1 convolution of the input; halves the resolution."""

    def __init__(self, in_channels: int, out_channels: int, activated: bool = True):
        super().__init__()
        self.separable_conv0 = SeparableConv(in_channels, out_channels)
        self.separable_conv1 = SeparableConv(out_channels, out_channels)
        self.expansion_conv = Conv(in_channels, out_channels, 1, 2)
        self.activated = activated

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.separable_conv0(F.relu(x) if self.activated else x)
        out = self.separable_conv1(F.relu(out))
        return F.max_pool2d(padded_same(out, 3, 2, -math.inf), 3, 2) + self.expansion_conv(x)


class MainBlock(nn.Module):
    """Three separable convolutions with a skip connection."""

    def __init__(self, channels: int):
        super().__init__()
        for k in range(3):
            self.add_module(f"separable_conv{k}", SeparableConv(channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = x
        for conv in self.children():
            out = conv(F.relu(out))
        return out + x


class TinyXception(nn.Module):
    """Faces (B, 3, 112, 112), centred -> (B, 3): years, and two logits, male before female."""

    def __init__(self):
        super().__init__()
        entry = {"reduction_block_0": ReductionBlock(32, 64, False), "reduction_block_1": ReductionBlock(64, 128)}
        self.entry_flow = nn.ModuleDict({"conv_in": Conv(3, 32, 3, 2)} | entry)
        self.middle_flow = nn.ModuleDict({f"main_block_{k}": MainBlock(128) for k in range(2)})
        self.exit_flow = nn.ModuleDict(
            {"reduction_block": ReductionBlock(128, 256), "separable_conv": SeparableConv(256, 512)}
        )
        self.fc = nn.ModuleDict({"age": nn.Linear(512, 1), "gender": nn.Linear(512, 2)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.entry_flow["conv_in"](x))
        x = self.entry_flow["reduction_block_1"](self.entry_flow["reduction_block_0"](x))
        for block in self.middle_flow.values():
            x = block(x)
        x = F.relu(self.exit_flow["separable_conv"](self.exit_flow["reduction_block"](x))).mean((2, 3))
        return torch.cat([self.fc["age"](x), self.fc["gender"](x)], 1)


class ScaledConv(nn.Module):
    """A convolution, then the folded scale and offset of batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        padding = 0 if stride == 2 else kernel // 2  # dlib pads no convolution that halves
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding)
        self.scale = nn.ParameterDict({"weights": torch.empty(out_channels), "biases": torch.empty(out_channels)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) * self.scale["weights"][:, None, None] + self.scale["biases"][:, None, None]


class Residual(nn.Module):
    """Two convolutions with a skip connection; where they halve the resolution, it is pooled and zero-padded in channels."""

    def __init__(self, in_channels: int, out_channels: int, down: bool = False):
        super().__init__()
        self.conv1 = ScaledConv(in_channels, out_channels, stride=2 if down else 1)
        self.conv2 = ScaledConv(out_channels, out_channels)
        self.down = down

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.conv2(F.relu(self.conv1(x)))
        if self.down:
            x = F.avg_pool2d(x, 2)
            x = F.pad(x, [0, 0, 0, 0, 0, out.shape[1] - x.shape[1]])
            out = F.pad(out, [0, x.shape[3] - out.shape[3], 0, x.shape[2] - out.shape[2]])
        return F.relu(x + out)


class DlibResNet(nn.Module):
    """Faces (B, 3, 150, 150), centred -> (B, 128): dlib's face recognition network of 2017, 29 convolutions."""

    BLOCKS = (
        (32, 3, False),
        (64, 3, True),
        (128, 2, True),
        (256, 2, True),
    )  # width, number of blocks that keep the size, whether the first halves it

    def __init__(self):
        super().__init__()
        self.conv32_down, self.blocks, width = ScaledConv(3, 32, 7, 2), [], 32
        for out, keeping, halved in self.BLOCKS:
            names = [f"conv{out}_down"] * halved + [f"conv{out}_{k + 1}" for k in range(keeping)]
            for name in names:
                self.append(name, Residual(width, out, name.endswith("down")))
                width = out
        self.append("conv256_down_out", Residual(256, 256, True))
        self.fc = nn.Linear(256, 128, bias=False)

    def append(self, name: str, block: Residual) -> None:
        self.add_module(name, block)
        self.blocks.append(name)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.conv32_down(x)), 3, 2)
        for name in self.blocks:
            x = getattr(self, name)(x)
        return self.fc(x.mean((2, 3)))
