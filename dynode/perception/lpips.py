"""LPIPS (Zhang et al. 2018): the `lpips` package's heads and network over the real ImageNet backbones."""

import contextlib
import io
import warnings
from collections.abc import Iterable
from functools import reduce
from typing import Any

import torch
from torch import nn

from dynode.io import assets
from dynode.settings import choose

BACKBONES = {"alex": ("lpips-alexnet", "AlexNet_0"), "vgg": ("lpips-vgg16", "VGG16_0")}


class LPIPS(nn.Module):
    """Perceptual distance of image pairs, LPIPS v0.1.

    net: "alex" (evaluation) or "vgg" (projection).
    forward(a, b): images (B, 3, H, W) in [-1, 1] -> (B,) distances, 0 for equal images, differentiable.
    Raises ValueError for other shapes or when values leave [-2, 2]: those images were not in [-1, 1].
    checked: off where a training clamps its images: to compare values waits for a GPU at every call.
    """

    def __init__(self, net: str = "alex", checked: bool = True):
        super().__init__()
        asset, key = choose("LPIPS net", net, BACKBONES)
        self.net, self.checked = net, checked
        self.model = build(net).eval().requires_grad_(False)
        load_backbone(self.model, assets.load_arrays(assets.fetch(asset))[key])

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.distance_to(self.features(b), a)

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Unit-normalised features of the five layers; compute them once for a fixed target."""
        if self.checked:
            check_range(images)
        return [unit_normalise(f) for f in self.model.net(self.model.scaling_layer(images))]

    def distance_to(self, target: list[torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        """Distance (B,) of images to a target given by its `features`."""
        return self.feature_distance(self.features(images), target)

    def feature_distance(self, one: list[torch.Tensor], other: list[torch.Tensor]) -> torch.Tensor:
        """Distance (B,) of images given by their `features`."""
        layers = zip(one, other, self.model.lins, strict=True)
        # each head weighs channels, which commutes with the mean over pixels
        return total((a - b).square().mean((2, 3)) @ head.model[-1].weight.flatten() for a, b, head in layers)


def total(terms: Iterable[torch.Tensor]) -> torch.Tensor:
    """The sum of at least one tensor, from the left."""
    return reduce(torch.add, terms)


def build(net: str) -> Any:
    """The `lpips` network with a random backbone; what it prints is suppressed."""
    import lpips

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return lpips.LPIPS(net=net, pnet_rand=True, verbose=False)


def load_backbone(model: Any, arrays: dict) -> None:
    """Copy convolution kernels (HWIO, in network order) into the backbone."""
    convs = [module for module in model.net.modules() if isinstance(module, nn.Conv2d)]
    for k, conv in enumerate(convs):
        kernel, bias = (torch.from_numpy(arrays[f"Conv_{k}"][key].copy()) for key in ("kernel", "bias"))
        conv.load_state_dict({"weight": kernel.permute(3, 2, 0, 1), "bias": bias})


def unit_normalise(features: torch.Tensor, eps: float = 1e-10) -> torch.Tensor:
    """Features (B, C, H, W) over their norm across channels."""
    # eps inside the root: the package adds it outside, where the gradient of a dead feature is NaN
    return features * torch.rsqrt(features.square().sum(1, keepdim=True) + eps)


def check_range(images: torch.Tensor) -> None:
    """Raises ValueError for another shape than (B, 3, H, W), and for values outside [-2, 2]."""
    if images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(f"LPIPS wants images (B, 3, H, W), got {tuple(images.shape)}")
    if images.detach().abs().amax() > 2:
        low, high = images.detach().aminmax()
        raise ValueError(f"LPIPS wants images in [-1, 1], got values in [{low:.3g}, {high:.3g}]")
