"""Warping error: the difference of an image from the previous frame, warped onto it along the optical flow.

A flow (N, 2, H, W) is, for each pixel of one image, how far right and down, in pixels, the same point lies in another.
"""

import torch
import torch.nn.functional as F

from dynode.metrics.registry import quantity

OCCLUDED = (0.01, 0.5)  # of squared lengths, and squared pixels (Sundaram et al. 2010, Eq. 5)


def warped(images: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Images (N, C, H, W) sampled where the flow (N, 2, H, W) points to, bilinear; outside, their border is repeated."""
    height, width = images.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    at = torch.stack([x, y]).to(flow) + flow
    grid = (2 * at.movedim(1, -1) + 1) / torch.tensor([width, height]).to(flow) - 1
    return F.grid_sample(images, grid.to(images), mode="bilinear", padding_mode="border", align_corners=False)


def visible(backward: torch.Tensor, forward: torch.Tensor) -> torch.Tensor:
    """Which pixels (N, H, W) bool of the later images are visible in the earlier ones too.

    backward (N, 2, H, W): flow from the later image to the earlier, forward: from the earlier to the later.  Where going
    there and back does not end near the start (Sundaram et al. 2010), or leads outside, the pixel is occluded.
    """
    height, width = backward.shape[-2:]
    there = warped(forward, backward)
    off = (backward + there).square().sum(1)
    allowed = OCCLUDED[0] * (backward.square().sum(1) + there.square().sum(1)) + OCCLUDED[1]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    right, down = (torch.stack([x, y]).to(backward) + backward).unbind(1)
    inside = (right >= -0.5) & (right <= width - 0.5) & (down >= -0.5) & (down <= height - 0.5)
    return (off <= allowed) & inside


@quantity(
    "warping_error",
    unit="[-1,1]^2",
    label="warping error x 1e3",
    better="lower",
    scale=1e3,
    column="edits",
    order=31,
)
def warping_error(images: torch.Tensor, backward: torch.Tensor, mask: torch.Tensor) -> float:
    """Mean of M ||x_{t+1} - warp(x_t)||^2 over the pixels and channels that count, images (T, 3, H, W) in [-1, 1].

    backward (T - 1, 2, H, W): the flow from each later frame to the one before; of the source where an edited video is
    evaluated, which ought to move as its source does (as Lai et al. 2018).  mask (T - 1, H, W): M, from `visible`.  NaN where
    no pixel counts.
    """
    counted = warping_errors(images, backward, mask)
    return float(counted.mean()) if len(counted) else float("nan")


def warping_errors(images: torch.Tensor, backward: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The squared errors (n,) of all pixels that count, means over channels: what `warping_error` is the mean of."""
    return (images[1:] - warped(images[:-1], backward)).square().mean(1)[mask].double()
