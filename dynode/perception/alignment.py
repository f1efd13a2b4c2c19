"""FFHQ alignment (Karras et al. 2019): an oriented square around eyes and mouth, its crop, and the inverse of the crop.

A frame's alignment is a square: centre c and half-axes x, y in source pixels. Its corners are stored as a quad
(upper left, lower left, lower right, upper right) so that pasting back needs nothing else.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d


def perpendicular(a: np.ndarray) -> np.ndarray:
    """Vectors (..., 2) turned by 90 degrees."""
    return np.stack([-a[..., 1], a[..., 0]], axis=-1)


@dataclass(frozen=True)
class Squares:
    """Oriented squares of T frames: centres (T, 2) and half-axes x (T, 2), in pixels; y is x turned by 90 degrees."""

    centre: np.ndarray
    x: np.ndarray

    @classmethod
    def from_landmarks(cls, points: np.ndarray) -> "Squares":
        """points (T, 5, 2): eyes, nose, mouth corners, left first as seen in the image."""
        left, right = points[:, 0], points[:, 1]
        eyes, mouth = (left + right) / 2, (points[:, 3] + points[:, 4]) / 2
        eye_to_eye, eye_to_mouth = right - left, mouth - eyes
        x = eye_to_eye - perpendicular(eye_to_mouth)
        x /= np.linalg.norm(x, axis=-1, keepdims=True)
        lengths = [2.0 * np.linalg.norm(eye_to_eye, axis=-1), 1.8 * np.linalg.norm(eye_to_mouth, axis=-1)]
        return cls(eyes + 0.1 * eye_to_mouth, x * np.maximum(*lengths)[:, None])

    @classmethod
    def from_quads(cls, quads: np.ndarray) -> "Squares":
        return cls(quads.mean(axis=1), (quads[:, 3] - quads[:, 0]) / 2)

    def smoothed(self, centre_sigma: float = 1.0, axis_sigma: float = 3.0) -> "Squares":
        """Gaussian smoothing over time (sigmas in frames), as Stitch it in Time does; single frames stay as they are."""
        return Squares(
            gaussian_filter1d(self.centre, centre_sigma, axis=0, mode="nearest"),
            gaussian_filter1d(self.x, axis_sigma, axis=0, mode="nearest"),
        )

    def quads(self) -> np.ndarray:
        """Corners (T, 4, 2)."""
        c, x, y = self.centre, self.x, perpendicular(self.x)
        return np.stack([c - x - y, c - x + y, c + x + y, c + x - y], axis=1)


def crop(frame: torch.Tensor, quad: np.ndarray, size: int = 1024) -> torch.Tensor:
    """Cut a quad out of one frame (3, H, W) as (3, size, size), bilinear; outside the frame it is reflected."""
    height, width = frame.shape[-2:]
    u = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    upper_left, lower_left, _, upper_right = torch.as_tensor(quad)
    points = upper_left + u[None, :, None] * (upper_right - upper_left) + u[:, None, None] * (lower_left - upper_left)
    grid = (2 * points + 1) / torch.tensor([width, height]) - 1
    return sample(frame, grid, padding_mode="reflection")


def uncrop(image: torch.Tensor, quad: np.ndarray, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The inverse of `crop`: the crop (3, S, S) back in the frame (3, H, W), and its footprint (H, W) in [0, 1]."""
    upper_left, lower_left, _, upper_right = torch.as_tensor(quad)
    to_frame = torch.stack([upper_right - upper_left, lower_left - upper_left], dim=1)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    points = torch.stack([x, y], dim=-1).double() - upper_left
    grid = 2 * points @ torch.linalg.inv(to_frame).T - 1
    inside = (grid.abs() <= 1).all(-1).float()
    return sample(image, grid, padding_mode="border"), inside


def sample(image: torch.Tensor, grid: torch.Tensor, padding_mode: str) -> torch.Tensor:
    """An image (3, H, W) at points (h, w, 2), x and y in [-1, 1], bilinear: (3, h, w)."""
    grid = grid[None].to(image)
    return F.grid_sample(image[None], grid, mode="bilinear", padding_mode=padding_mode, align_corners=False)[0]
