"""Metrics that need a network of `dynode.perception`, on images (T, 3, H, W) in [-1, 1]."""

import torch

from dynode.images import resampled
from dynode.metrics import metric

LPIPS_RESOLUTION = 256


@metric("lpips_alex", unit="", better="lower", space="image", network="lpips_alex")
@torch.no_grad()
def lpips_alex(pred: torch.Tensor, true: torch.Tensor, network) -> torch.Tensor:
    """LPIPS v0.1 with AlexNet (Zhang et al. 2018), (T,); images below 256 pixels are enlarged to it."""
    size = max(LPIPS_RESOLUTION, pred.shape[-1])
    parts = zip(pred.split(8), true.split(8), strict=True)
    return torch.cat([network(resampled(a, size), resampled(b, size)) for a, b in parts]).double()


@metric("identity", unit="cosine", better="higher", space="image", network="identity")
@torch.no_grad()
def identity(pred: torch.Tensor, true: torch.Tensor, network) -> torch.Tensor:
    """Cosine of the two faces' identity vectors (MobileFaceNet, FFHQ crop), (T,)."""
    return (network(pred) * network(true)).sum(1).double()
