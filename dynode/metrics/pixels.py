"""Pixel metrics on images (T, 3, H, W) in [-1, 1]; the data range is 2."""

import torch
from skimage.metrics import structural_similarity

from dynode.metrics import metric


@metric("mse", unit="[-1,1]^2", better="lower", space="image")
def mse(pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Mean squared error over pixels and channels, (T,)."""
    return (pred.double() - true.double()).square().mean((1, 2, 3))


@metric("psnr", unit="dB", better="higher", space="image")
def psnr(pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """10 log10(4 / mse), (T,); infinite for equal images."""
    return 10 * torch.log10(4 / mse(pred, true))


@metric("ssim", unit="", better="higher", space="image")
def ssim(pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Structural similarity (Wang 2004): 11x11 Gaussian, sigma 1.5, mean over channels, (T,)."""
    pairs = zip(pred.movedim(1, -1).numpy(), true.movedim(1, -1).numpy(), strict=True)
    return torch.tensor([similarity(a, b) for a, b in pairs], dtype=torch.float64)


def similarity(a, b) -> float:
    if (a == b).all():
        return 1.0  # most frames of an interpolation are its own observations
    return structural_similarity(
        a, b, data_range=2, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
