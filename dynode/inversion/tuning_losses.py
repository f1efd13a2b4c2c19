"""Losses of a generator's tuning: squared error, LPIPS and identity, with more weight on eyes and mouth; and locality.

    loss = lambda_mse |G'(w) - c|^2 + lambda_lpips LPIPS(G'(w), c) + lambda_id (1 - cos(R(G'(w)), R(c)))

Pivotal tuning (Roich et al. 2021, Eq. 3) has the first two; its locality term (Eqs. 4 to 6) holds G' to G near the pivots.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from dynode import runtime
from dynode.io.images import resampled
from dynode.perception.lpips import LPIPS, total

Embedding = Callable[[torch.Tensor], torch.Tensor]  # images (B, 3, R, R) -> unit vectors (B, K)
KEPT_BYTES = 512 * 2**20  # of targets' features; those of further frames are computed at every step
Regions = Callable[[torch.Tensor], torch.Tensor]  # image (1, 3, R, R) -> (1, 1, R, R) in [0, 1]: eyes and mouth


@dataclass(frozen=True)
class Weights:
    """Weights of the terms, and of eyes and mouth beside the rest of the image (1: none)."""

    mse: float
    lpips: float
    identity: float
    regions: float


@dataclass(frozen=True)
class Target:
    """A frame to come near to: image (1, 3, R, R), weights of its pixels (1, 1, R, R) with mean 1 or None, its features."""

    image: torch.Tensor
    pixels: torch.Tensor | None
    identity: torch.Tensor | None
    lpips: list[torch.Tensor] | None


def weighted_distance(
    perceptual: LPIPS, one: list[torch.Tensor], other: list[torch.Tensor], pixels: torch.Tensor | None
) -> torch.Tensor:
    """LPIPS (B,) of images given by their features, each place weighted as in pixels (1, 1, R, R), reduced to each layer."""
    if pixels is None:
        return perceptual.feature_distance(one, other)
    layers = zip(one, other, perceptual.model.lins, strict=True)
    return total(
        ((a - b).square() * reduced(pixels, a)).mean((2, 3)) @ head.model[-1].weight.flatten() for a, b, head in layers
    )


def reduced(pixels: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
    """Weights of pixels at the size of a layer of features (B, C, H, W)."""
    return F.adaptive_avg_pool2d(pixels, (layer.shape[2], layer.shape[3]))


class TuningLoss:
    """The loss of an image against its target.

    identity: for faces.  regions: where eyes and mouth are, of one image.  enlarged: pixels a side at least, for LPIPS.
    precision: of LPIPS's features.
    """

    def __init__(
        self,
        perceptual: LPIPS,
        weights: Weights,
        identity: Embedding | None = None,
        regions: Regions | None = None,
        enlarged: int = 0,
        precision: torch.dtype = torch.float32,
    ):
        self.perceptual, self.weights, self.enlarged, self.precision = perceptual, weights, enlarged, precision
        self.identity = identity if weights.identity else None
        self.regions = regions if weights.regions != 1 else None
        self.kept = 0

    @torch.no_grad()
    def target(self, image: torch.Tensor) -> Target:
        """An image (3, R, R) in [-1, 1] on the device of the networks, with what is computed of it once."""
        image, pixels = image[None], None
        if self.regions is not None:
            pixels = 1 + (self.weights.regions - 1) * self.regions(image)
            pixels = pixels / pixels.mean()
        features = self.features(image)
        self.kept += sum(layer.nbytes for layer in features)
        kept = features if self.kept <= KEPT_BYTES else None
        return Target(image, pixels, self.identity(image) if self.identity else None, kept)

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        """LPIPS's features of images (B, 3, R, R), small ones enlarged."""
        with self.autocast(images.device):
            features = self.perceptual.features(resampled(images.clamp(-2, 2), max(self.enlarged, images.shape[-1])))
        return [layer.float() for layer in features]

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context in which the precision holds; float32 where a device is slower in bfloat16."""
        lower = self.precision != torch.float32 and runtime.fast_bfloat16(device)
        return torch.autocast(device.type, self.precision, enabled=lower)

    def features_of(self, target: Target) -> list[torch.Tensor]:
        """LPIPS's features of a target: those that are kept, or computed anew."""
        if target.lpips is not None:
            return target.lpips
        with torch.no_grad():
            return self.features(target.image)

    def __call__(self, images: torch.Tensor, target: Target) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(loss, LPIPS, squared error) of an image (1, 3, R, R), each (); the last two as weighted for the loss."""
        errors = (images - target.image).square()
        mse = (errors if target.pixels is None else errors * target.pixels).mean()
        lpips = weighted_distance(self.perceptual, self.features(images), self.features_of(target), target.pixels)[0]
        loss = self.weights.mse * mse + self.weights.lpips * lpips
        if self.identity is not None and target.identity is not None:
            loss = loss + self.weights.identity * (1 - (self.identity(images) * target.identity).sum())
        return loss, lpips, mse

    def locality(self, images: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """Squared error plus LPIPS, (), of the tuned generator's images (B, 3, R, R) against the untuned one's."""
        with torch.no_grad():
            wanted = self.features(before)
        lpips = self.perceptual.feature_distance(self.features(images), wanted)
        return (images - before).square().mean() + lpips.mean()


def near_pivot(pivot: torch.Tensor, random: torch.Tensor, distance: float) -> torch.Tensor:
    """The code (1, L, D) at a distance from a pivot towards a random code, at most that code itself (Eq. 4).

    As in the published code the distance is that of all rows together: its 30 is about halfway between two faces.
    """
    step = random - pivot
    length = step.flatten(1).norm(dim=1)[:, None, None]
    return pivot + step * (distance / length.clamp(min=1e-8)).clamp(max=1)
