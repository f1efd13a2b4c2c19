"""Metrics that need a network of `dynode.perception`, on images (T, 3, H, W) in [-1, 1]."""

from typing import Any

import torch

from dynode.io.images import resampled
from dynode.metrics.registry import metric

LPIPS_RESOLUTION = 256


@torch.no_grad()
def lpips_features(images: torch.Tensor, network: Any) -> list[torch.Tensor]:
    """The five layers (T, ...) that LPIPS compares; images below 256 pixels are enlarged to it."""
    size = max(LPIPS_RESOLUTION, images.shape[-1])
    parts = [network.features(resampled(part, size)) for part in images.split(8)]
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


@torch.no_grad()
def identity_vectors(images: torch.Tensor, network: Any) -> list[torch.Tensor]:
    """Unit vectors (T, 128)."""
    return [network(images)]


@metric(
    "lpips_alex",
    unit="",
    better="lower",
    space="image",
    label="LPIPS-Alex",
    features=lpips_features,
    network="dynode.perception.lpips:LPIPS",
    order=4,
)
@torch.no_grad()
def lpips_alex(pred: list[torch.Tensor], true: list[torch.Tensor], network: Any) -> torch.Tensor:
    """LPIPS v0.1 with AlexNet (Zhang et al. 2018), (T,)."""
    return network.feature_distance(pred, true).double()


@metric(
    "identity",
    unit="cosine",
    better="higher",
    space="image",
    features=identity_vectors,
    network="dynode.perception.identity:Identity",
    categories=("face",),
    column="all",
    order=5,
)
def identity(pred: list[torch.Tensor], true: list[torch.Tensor], network: Any) -> torch.Tensor:
    """Cosine of the two faces' identity vectors (MobileFaceNet, FFHQ crop), (T,)."""
    return (pred[0] * true[0]).sum(1).double()
