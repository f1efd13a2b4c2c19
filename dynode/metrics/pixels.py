"""Pixel metrics on images (T, 3, H, W) in [-1, 1]; the data range is 2."""

import torch
from skimage.filters import gaussian

from dynode.metrics.registry import metric

DATA_RANGE = 2


@metric("mse", unit="[-1,1]^2", better="lower", space="image", label="MSE x 1e3", scale=1e3, order=1)
def mse(pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Mean squared error over pixels and channels, (T,)."""
    return (pred.double() - true.double()).square().mean((1, 2, 3))


@metric("psnr", unit="dB", better="higher", space="image", label="PSNR", digits=2, column="", order=2)
def psnr(pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """10 log10(4 / mse), (T,); infinite for equal images."""
    return 10 * torch.log10(4 / mse(pred, true))


def gaussian_means(images: torch.Tensor) -> torch.Tensor:
    """Local means (T, 3, H-10, W-10) under an 11x11 Gaussian window, sigma 1.5, where it lies inside the image."""
    sigma = (0, 0, 1.5, 1.5)  # the stubs know of one number only
    means = gaussian(images.numpy(), sigma, truncate=3.5, preserve_range=True)  # pyright: ignore[reportArgumentType]
    return torch.from_numpy(means)[..., 5:-5, 5:-5]


def moments(images: torch.Tensor) -> list[torch.Tensor]:
    """The images with their local means and variances: what SSIM needs of one image alone."""
    means = gaussian_means(images)
    return [images, means, gaussian_means(images.square()) - means.square()]


@metric(
    "ssim", unit="", better="higher", space="image", label="SSIM %", scale=100.0, digits=2, features=moments, order=3
)
def ssim(pred: list[torch.Tensor], true: list[torch.Tensor]) -> torch.Tensor:
    """Structural similarity (Wang 2004): 11x11 Gaussian, sigma 1.5, mean over channels, (T,)."""
    return torch.stack([similarity(*frame) for frame in zip(*pred, *true, strict=True)])


def similarity(
    a: torch.Tensor,
    mean_a: torch.Tensor,
    variance_a: torch.Tensor,
    b: torch.Tensor,
    mean_b: torch.Tensor,
    variance_b: torch.Tensor,
) -> torch.Tensor:
    """SSIM of one image pair (3, H, W) from the moments of each; only their covariance is left to work out."""
    if torch.equal(a, b):
        return torch.ones((), dtype=torch.float64)  # most frames of an interpolation are its own observations
    c1, c2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
    product = mean_a * mean_b
    covariance = gaussian_means((a * b)[None])[0] - product
    luminance = (2 * product + c1) / (mean_a.square() + mean_b.square() + c1)
    return (luminance * (2 * covariance + c2) / (variance_a + variance_b + c2)).mean(dtype=torch.float64)
