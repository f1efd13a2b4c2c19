"""Optical flow between two images at their own size, estimated on smaller ones; by TV-L1, where publications have networks."""

import torch
import torch.nn.functional as F

from dynode.metrics.warping import visible
from dynode.perception import optical_flow

STAND_IN = f"optical_flow[{optical_flow.NAME}]"  # as outputs name it


def flow_between(one: torch.Tensor, other: torch.Tensor, longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The flows (2, R, R), in pixels, from one image (3, R, R) in [-1, 1] to the other, and from the other to the one.

    longest: pixels a side of the images that flow is estimated on, at most.
    """
    small = optical_flow.reduced(torch.stack([one, other]).float(), longest)
    flows = optical_flow.flows(small)
    assert flows.forward is not None
    there, back = (enlarged(each, one.shape[-1])[0].to(one) for each in (flows.forward, flows.backward))
    return there, back


def enlarged(flow: torch.Tensor, size: int) -> torch.Tensor:
    """Flows (N, 2, h, h) as those of images of `size` pixels a side, in their pixels."""
    if flow.shape[-1] == size:
        return flow
    scale = size / flow.shape[-1]
    return scale * F.interpolate(flow, size=(size, size), mode="bilinear", align_corners=False)


def visibility(there: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """Which pixels (R, R), 0 or 1, of an image are visible in another, by its flow there and that back, (2, R, R) each."""
    return visible(there[None], back[None])[0].to(there)
