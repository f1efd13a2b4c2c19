"""Optical flow from frame to frame: TV-L1 (Zach, Pock and Bischof 2007), by scikit-image, on reduced grey images."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from skimage.color import rgb2gray
from skimage.registration import optical_flow_tvl1

from dynode.metrics.warping import visible

LONGEST = 128  # pixels: 24 frames take 4 s on a CPU core, a shift of 3 pixels is found to 0.05
WARPS = 3  # of each level of the pyramid; scikit-image's 5 cost two thirds more and gain a hundredth of a pixel
NAME = "tvl1"


@dataclass(frozen=True)
class Flows:
    """Flows (T - 1, 2, h, w) between neighbouring frames, in pixels of the reduced images (right, down).

    backward: from each later frame to the one before; forward: the other way, and `seen` (T - 1, h, w) bool, which pixels
    of the later frame the one before shows too; both None where not asked for.
    """

    backward: torch.Tensor
    forward: torch.Tensor | None = None
    seen: torch.Tensor | None = None


def reduced(images: torch.Tensor, longest: int = LONGEST) -> torch.Tensor:
    """Images (T, 3, H, W) whose longer side has at most so many pixels, by area averaging."""
    height, width = images.shape[-2:]
    share = longest / max(height, width)
    if share >= 1:
        return images
    return F.interpolate(images, size=(max(round(height * share), 8), max(round(width * share), 8)), mode="area")


def flows(images: torch.Tensor, both: bool = True) -> Flows:
    """Flows of reduced images (T, 3, h, w) in [-1, 1]; both: forward too, which tells what is occluded."""
    grey = rgb2gray(((images.clamp(-1, 1) + 1) / 2).movedim(1, -1).cpu().numpy()).astype(np.float32)
    pairs = list(zip(grey[:-1], grey[1:], strict=True))
    backward = stack_flows([tvl1_flow(later, earlier) for earlier, later in pairs])
    if not both:
        return Flows(backward)
    forward = stack_flows([tvl1_flow(earlier, later) for earlier, later in pairs])
    return Flows(backward, forward, visible(backward, forward))


def tvl1_flow(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The flow (2, h, w), down and right, from one grey image (h, w) to another."""
    return optical_flow_tvl1(one, other, num_warp=WARPS)


def stack_flows(found: list[np.ndarray]) -> torch.Tensor:
    """Flows (T, 2, h, w), right before down as coordinates are everywhere here."""
    return torch.from_numpy(np.stack(found)[:, ::-1].copy()).float()
