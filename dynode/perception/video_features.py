"""Features of video clips for Fréchet distances: I3D where the user has its file, else TransNetV2, an asset.

Each network resizes its input for itself: clips (B, T, 3, H, W) in [-1, 1] of any size -> features (B, K).
"""

import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from dynode import runtime
from dynode.errors import UserError
from dynode.io import assets
from dynode.io.images import to_uint8
from dynode.io.inputs import require_file
from dynode.settings import choose

DILATIONS = (1, 2, 4, 8)  # frames
STACKS = ((3, 16), (64, 32), (128, 64))  # input channels, channels of each dilation
SIZE = (27, 48)  # rows and columns of TransNetV2's input


class DilatedConvs(nn.Module):
    """Four parallel (2+1)-dimensional convolutions with temporal dilations 1, 2, 4 and 8, and batch norm."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        for step in DILATIONS:
            space = nn.Conv3d(channels, 2 * width, (1, 3, 3), padding=(0, 1, 1), bias=False)
            time = nn.Conv3d(2 * width, width, (3, 1, 1), dilation=(step, 1, 1), padding=(step, 0, 0), bias=False)
            self.add_module(f"Conv3D_{step}", nn.ModuleDict({"layers": nn.Sequential(space, time)}))
        self.bn = nn.BatchNorm3d(4 * width, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = [self.get_submodule(f"Conv3D_{step}.layers") for step in DILATIONS]
        return self.bn(torch.cat([branch(x) for branch in branches], 1))


class Stack(nn.Module):
    """Two dilated blocks with a skip connection around the second, then pooling to half the size."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.DDCNN = nn.ModuleList([DilatedConvs(channels, width), DilatedConvs(4 * width, width)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.DDCNN[0](x).relu()
        return F.avg_pool3d(self.DDCNN[1](first).relu() + first, (1, 2, 2))


class TransNetV2(nn.Module):
    """Features (B, 448) of the three convolutional stacks of TransNetV2 (Soucek and Lokoc 2020), means over time and space.

    The network was trained to detect shot boundaries: its features respond to colour, texture and change over up to 8
    frames at 48 x 27 pixels, not to finer detail.  They are sensitive to brightness: images darker by 2 % are as far away
    as frames in shuffled order.  The classifier after these stacks is left out.
    """

    name, least_frames = "transnetv2", 2

    def __init__(self):
        super().__init__()
        self.SDDCNN = nn.ModuleList(Stack(*widths) for widths in STACKS)
        state = torch.load(assets.fetch("transnetv2-weights"), map_location="cpu", weights_only=True)
        self.load_state_dict({key: value for key, value in state.items() if key.startswith("SDDCNN")})
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        batch = clips.flatten(0, 1).to(next(self.parameters()))
        levels = F.interpolate(batch.clamp(-1, 1), size=SIZE, mode="area").unflatten(0, clips.shape[:2])
        x, features = (levels.transpose(1, 2) + 1) / 2, []  # (B, 3, T, H, W) in [0, 1]
        for stack in self.SDDCNN:
            x = stack(x)
            features.append(x.mean((2, 3, 4)))
        return torch.cat(features, 1)


class I3D:
    """Logits (B, 400) of the I3D network (Carreira and Zisserman 2017) in a TorchScript file of the user's.

    The file is the one of StyleGAN-V and StyleGAN-XL: it takes uint8 clips (B, 3, T, H, W) and the options rescale, resize
    and return_features, and resizes to 224 x 224 by itself.  Raises UserError for a file that is something else.
    """

    name, least_frames = "i3d", 10

    def __init__(self, path: Path | str, device: torch.device | str = "cpu"):
        self.path = require_file(path, "name the I3D TorchScript file, or leave it out for TransNetV2")
        try:
            self.network = runtime.load_archive(self.path, str(device))
        except RuntimeError:
            raise UserError(
                f"{path} is no TorchScript file: I3D is wanted as StyleGAN-V's i3d_torchscript.pt."
            ) from None
        self.device = device

    @torch.no_grad()
    def __call__(self, clips: torch.Tensor) -> torch.Tensor:
        levels = torch.from_numpy(to_uint8(clips)).permute(0, 4, 1, 2, 3).contiguous().to(self.device)
        try:
            features = self.network(levels, rescale=True, resize=True, return_features=True)
        except RuntimeError as error:
            raise UserError(
                f"{self.path} cannot be used as I3D ({str(error).strip().splitlines()[-1][:120]}): StyleGAN-V's "
                "i3d_torchscript.pt is wanted."
            ) from None
        return features.flatten(1).float()


NETWORKS = ("i3d", "transnetv2")
VideoNetwork = TransNetV2 | I3D


def load(name: str = "", path: Path | str = "", device: torch.device | str = "cpu") -> VideoNetwork:
    """The network of that name; "" is I3D where its file is named by `path` or by DYNODE_I3D, else TransNetV2.

    Raises UserError for an unknown name, and for I3D without its file.
    """
    path = path or os.environ.get("DYNODE_I3D", "")
    name = choose("network for video features", name, list(NETWORKS)) if name else ("i3d" if path else "transnetv2")
    if name == "transnetv2":
        return TransNetV2().to(device)
    if not path:
        raise UserError("I3D's weights do not come with the package: name its TorchScript file in DYNODE_I3D.")
    return I3D(path, device)
