"""Optical flow from frame to frame: TV-L1 (Zach, Pock and Bischof 2007), by scikit-image, on reduced grey images."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from skimage.color import rgb2gray
from skimage.registration import optical_flow_tvl1

from dynode.metrics.warping import visible

LONGEST = 128  # pixels: 24 frames take 4 s on a CPU core, a shift of 3 pixels is estimated to 0.05
WARPS = 3  # at each level of the pyramid; scikit-image's 5 cost two thirds more and gain a hundredth of a pixel
NAME = "tvl1"


@dataclass(frozen=True)
class Flows:
    """Flows (T - 1, 2, h, w) between neighbouring frames, in pixels of the reduced images (right, down).

    backward: from each frame to the one before.  forward: from each frame to the next.  unoccluded (T - 1, h, w) bool:
    pixels of the later frame that are visible in the one before too.  The last two are None unless computed.
    """

    backward: torch.Tensor
    forward: torch.Tensor | None = None
    unoccluded: torch.Tensor | None = None


def reduced(images: torch.Tensor, longest: int = LONGEST) -> torch.Tensor:
    """Images (T, 3, H, W) reduced by area averaging so that the longer side has at most `longest` pixels."""
    height, width = images.shape[-2:]
    scale = longest / max(height, width)
    if scale >= 1:
        return images
    return F.interpolate(images, size=(max(round(height * scale), 8), max(round(width * scale), 8)), mode="area")


def flows(images: torch.Tensor, both: bool = True) -> Flows:
    """Flows of reduced images (T, 3, h, w) in [-1, 1]; both: forward flow and occlusions too."""
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


def stack_flows(flows: list[np.ndarray]) -> torch.Tensor:
    """Flows (T, 2, h, w) with right before down, the project's order of coordinates."""
    return torch.from_numpy(np.stack(flows)[:, ::-1].copy()).float()
