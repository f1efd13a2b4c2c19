"""Conversions between images, float NCHW in [-1, 1], and pixels, uint8 (NHWC in files and videos); resizing."""

import numpy as np
import torch
import torch.nn.functional as F


def from_uint8(frames: np.ndarray) -> torch.Tensor:
    """uint8 (..., H, W, 3) -> float32 (..., 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 127.5 - 1


def to_uint8(images: torch.Tensor) -> np.ndarray:
    """float (..., 3, H, W) in [-1, 1] (clamped) -> uint8 (..., H, W, 3)."""
    scaled = ((images.detach().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return scaled.movedim(-3, -1).cpu().numpy()


def area_resize(images: torch.Tensor, resolution: int) -> torch.Tensor:
    """Square images (B, 3, S, S) reduced to `resolution` by area averaging."""
    if images.shape[-1] == resolution:
        return images
    return F.interpolate(images, size=(resolution, resolution), mode="area")


def resampled(images: torch.Tensor, resolution: int) -> torch.Tensor:
    """Square images (B, 3, S, S) at another resolution: enlarged bilinearly, reduced by area averaging."""
    if resolution > images.shape[-1]:
        return F.interpolate(images, size=(resolution, resolution), mode="bilinear", align_corners=False)
    return area_resize(images, resolution)


def to_levels(images: torch.Tensor) -> torch.Tensor:
    """Images in [-1, 1] -> levels uint8, in the same layout."""
    return ((images + 1) * 127.5).round().to(torch.uint8)


def from_levels(pictures: torch.Tensor) -> torch.Tensor:
    """Levels uint8 -> images float32 in [-1, 1], in the same layout."""
    return pictures.float() / 127.5 - 1
