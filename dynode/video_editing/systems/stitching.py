"""Stitching tuning (Tzaban et al. 2022, Sec. 3.4): each edited frame gets weights of its own, which join it to its source.

    loss = |G'(w) - c|^2_B + lambda_content |G'(w) - G(w)|^2_C

with G the weights before, c the source's crop, B the ring around the face, C the face itself, and squared errors summed over
channels and over a region, divided by its area.  It ends early, once the term of the ring is small.  Pasted is face and ring,
with a soft edge that lies in the ring.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from dynode.inversion.observer import Observer
from dynode.settings import require_positive
from dynode.video_editing import masks
from dynode.video_editing.masks import Masks
from dynode.video_editing.patches import Patch
from dynode.video_editing.systems.kept_stages import Stage, digest_of
from dynode.video_editing.systems.scene import Scene, sized
from dynode.video_editing.systems.trained_weights import Differences, TrainedWeights


@dataclass(frozen=True)
class StitchSettings:
    """How edited frames are stitched; the defaults are the published ones."""

    steps: int = 100  # at most, for each frame; 0: edited frames stay as they are
    lr: float = 3e-4
    lambda_border: float = 1.0
    lambda_content: float = 0.01
    outer: float = 50 / 1024  # width of the ring, in sides of the square
    stop: float = 0.005  # of the ring's term; published for plain backgrounds, .002 for detailed ones
    precision: str = "float32"

    def __post_init__(self):
        require_positive(self, "outer")


@dataclass(frozen=True)
class Regions:
    """The ring around the face and the face, (1, 1, R, R) each, 0 or 1."""

    border: torch.Tensor
    content: torch.Tensor


@dataclass(frozen=True)
class Stitched:
    """A stitched frame: image (3, R, R); its measures, by name.

    border, content: squared errors against the source in the ring, and in the face, after; with "_before" before.
    moved: squared error in the face against the edited frame before.  steps: that were taken.
    """

    image: torch.Tensor
    measures: dict[str, float]


def regions_of(distance: torch.Tensor, resolution: int, outer: float) -> Regions:
    """The regions of one frame, from distances (M, M) to the edge of its face; none enters the square's margin."""
    large = sized(distance[None], resolution)
    edge = (torch.arange(resolution, device=large.device) + 0.5) / resolution - 0.5
    inside = torch.maximum(edge.abs()[:, None], edge.abs()) < 0.5 - masks.MARGIN
    content = (large > 0) & inside
    return Regions(((large > -outer) & inside & ~content).float(), content.float())


def masked_error(one: torch.Tensor, other: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """Squared error of images (1, 3, R, R) in a region (1, 1, R, R), summed over channels, a mean over its pixels, ()."""
    return ((one - other).square() * region).sum() / region.sum().clamp(min=1)


def stitched(
    weights: TrainedWeights, code: torch.Tensor, source: torch.Tensor, regions: Regions, settings: StitchSettings
) -> Stitched:
    """Train weights until the image of a code (1, L, D) joins its source (1, 3, R, R) around the face."""
    edited = final = None
    optimiser, taken = torch.optim.Adam(weights.groups(settings.lr)), 0
    for _ in range(settings.steps):
        image = weights.images(code)
        edited = image.detach() if edited is None else edited
        border = masked_error(image, source, regions.border)
        if border < settings.stop:
            final = image.detach()
            break
        content = masked_error(image, edited, regions.content)
        optimiser.zero_grad()
        (settings.lambda_border * border + settings.lambda_content * content).backward()
        optimiser.step()
        weights.observer.count("tuning_steps")
        taken += 1
    if final is None:
        with torch.no_grad():
            final = weights.images(code)
    return Stitched(
        final[0], measures_of(final, final if edited is None else edited, source, regions) | {"steps": taken}
    )


def measures_of(final: torch.Tensor, edited: torch.Tensor, source: torch.Tensor, regions: Regions) -> dict[str, float]:
    """The measures of a stitched frame, see `Stitched`."""
    pairs = {
        "border_before": (edited, source, regions.border),
        "border": (final, source, regions.border),
        "content_before": (edited, source, regions.content),
        "content": (final, source, regions.content),
        "moved": (final, edited, regions.content),
    }
    return {name: float(masked_error(*pair)) for name, pair in pairs.items()}


def stitched_frames(
    scene: Scene, differences: Differences, codes: torch.Tensor, settings: StitchSettings, observer: Observer
) -> Iterator[Stitched]:
    """The stitched frames of a scene, in order, for edited codes (T, L, D); those that are kept are read."""
    common = {**scene.weights, "settings": settings, "tuned": digest_of({"weights": dict(differences)})}
    frames = zip(codes.split(1), scene.frames.split(1), scene.distances, strict=True)
    for code, source, distance in frames:

        def make(code=code, source=source, distance=distance) -> Stage:
            weights = TrainedWeights(scene.generator, differences, scene.resolution, observer, settings.precision)
            regions = regions_of(distance.to(scene.device), scene.resolution, settings.outer)
            done = stitched(weights, code.to(scene.device), source.to(scene.device), regions, settings)
            return Stage({"image": done.image.half().cpu()}, done.measures)

        decided_by = common | {"code": code, "source": source, "distance": distance}
        stage = scene.kept.stage("stitched", decided_by, make, observer)
        yield Stitched(stage.tensors["image"].float(), stage.numbers)


def patches(
    frames: Iterable[tuple[np.ndarray, np.ndarray]], crops: Iterable[torch.Tensor], scene: Scene, outer: float
) -> Iterator[Patch]:
    """What is pasted: crops (3, S, S) into frames uint8 (H, W, 3) with their quads (4, 2), masked by face and ring.

    The mask is 1 on the source's face, 0 beyond its ring, and falls between.
    """
    for (frame, quad), crop, distance in zip(frames, crops, scene.distances, strict=True):
        edge = distance.numpy()
        face = masks.soft(edge, masks.CORE)
        yield Patch(frame, crop, quad, Masks(masks.soft(edge, outer, outer / 2), face, face))
