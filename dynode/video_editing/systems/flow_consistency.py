"""How consistent two edited frames are: the terms of TCSVE (Xu et al. 2022) for a pair, the anchor and another frame.

Flows come from TV-L1 where the authors have RAFT.  TV-L1 passes no gradient, so each field is improved by one step of Lucas and
Kanade, which is a formula of the two images and differentiable in them.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from dynode.inversion.observer import Observer
from dynode.io.images import resampled
from dynode.metrics.warping import warped
from dynode.perception import optical_flow
from dynode.perception.lpips import LPIPS, total

GREY = (0.2125, 0.7154, 0.0721)  # of red, green and blue
WINDOW = 7  # pixels a side, over which a step of Lucas and Kanade is estimated
STILL = 1e-3  # added to the squared gradients: where a picture is flat nothing moves
FARTHEST = 1.0  # pixels of a step
REFERENCE = 256  # pixels a side of the images whose flow error the published visibility measures


@dataclass(frozen=True)
class Pair:
    """Terms of a pair of edited frames, each (): consistency, flow (see `pair_terms`); and how much is visible, a mean."""

    consistency: torch.Tensor
    flow: torch.Tensor
    visible: float


def grey(images: torch.Tensor) -> torch.Tensor:
    """(B, 1, h, w) in [0, 1] of images (B, 3, h, w)."""
    return ((images + 1) / 2 * images.new_tensor(GREY)[:, None, None]).sum(1, keepdim=True)


def flow_between(one: torch.Tensor, other: torch.Tensor, observer: Observer) -> torch.Tensor:
    """The flow (1, 2, h, w) from one image (1, 3, h, w) to another, in pixels, differentiable in both."""
    observer.count("flow_calls")
    flat = [grey(image)[0, 0].detach().float().cpu().numpy() for image in (one, other)]
    start = optical_flow.stack_flows([optical_flow.tvl1_flow(*flat)]).to(one)
    return start + lucas_kanade(grey(one), warped(grey(other), start))


def lucas_kanade(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The small flow (B, 2, h, w) from one grey image (B, 1, h, w) to another, one least-squares step in each window."""

    def mean(values: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(values, WINDOW, 1, WINDOW // 2, count_include_pad=False)

    rows, columns = torch.gradient(other.detach(), dim=(2, 3))
    off = one - other
    xx, yy, xy = mean(columns * columns) + STILL, mean(rows * rows) + STILL, mean(columns * rows)
    right, down = mean(columns * off), mean(rows * off)
    step = torch.cat([yy * right - xy * down, xx * down - xy * right], 1) / (xx * yy - xy * xy)
    return step.clamp(-FARTHEST, FARTHEST)


def distance_map(perceptual: LPIPS, one: torch.Tensor, other: torch.Tensor, smallest: int = 0) -> torch.Tensor:
    """LPIPS of images (B, 3, R, R) at every pixel, (B, 1, R, R), before its mean; small ones are enlarged to `smallest`."""
    size = max(one.shape[-1], smallest)
    features = [perceptual.features(resampled(each.clamp(-2, 2), size)) for each in (one, other)]
    layers = zip(*features, perceptual.model.lins, strict=True)
    maps = ((a - b).square() * head.model[-1].weight for a, b, head in layers)
    return total(resampled(each.sum(1, keepdim=True), one.shape[-1]) for each in maps)


def round_trip(there: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """How far (B, 1, h, w), in pixels, a point is from where it was after going along a flow (B, 2, h, w) and back."""
    return (there + warped(back, there)).square().sum(1, keepdim=True).add(1e-12).sqrt()


def visibility(error: torch.Tensor, falloff: float, changed: torch.Tensor | None) -> torch.Tensor:
    """How much a pixel counts, in [0, 1]: exp(-falloff error), plus the map of what the edit changed where one is given.

    error: of the round trip, in pixels of images of REFERENCE pixels a side.
    """
    both = torch.exp(-falloff * error)
    return (both if changed is None else both + changed).clamp(0, 1).detach()


def pair_terms(
    perceptual: LPIPS,
    edited: torch.Tensor,
    changed: torch.Tensor | None,
    *,
    flow_size: int,
    falloff: float,
    observer: Observer,
    smallest: int = 0,
) -> Pair:
    """The terms of two edited images (2, 3, R, R), both directions.

    consistency: LPIPS of each image and the other one warped onto it, a mean weighted by visibility.  flow: error of the round
    trip, a mean over the visible pixels, which shrinks where the frames move alike.  changed: maps (2, 1, R, R) of what the edit
    changed, None where they do not count.
    """
    size, resolution = min(flow_size, edited.shape[-1]), edited.shape[-1]
    small = resampled(edited, size)
    flows = torch.cat([flow_between(small[k][None], small[1 - k][None], observer) for k in (0, 1)])
    error = round_trip(flows, flows.flip(0)) * (REFERENCE / size)
    large = resampled(flows.detach(), resolution) * (resolution / size)
    visible = visibility(resampled(error, resolution), falloff, changed)
    distances = distance_map(perceptual, edited, warped(edited.flip(0), large), smallest)
    weighted = (distances * visible).sum() / visible.sum().clamp(min=1)
    weights = resampled(visible, size)
    flow = (weights * error).sum() / weights.sum().clamp(min=1)
    return Pair(weighted, flow, float(visible.mean()))
