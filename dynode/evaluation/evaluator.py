"""Evaluate trajectories frame by frame: codes and images at every time of a clip, and any metric of them."""

import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn
from tqdm import tqdm

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory
from dynode.generators.protocol import Generator
from dynode.metrics import METRICS, Metric, evaluated_for

CACHED_FRAMES = 200  # of a longer clip no features are kept (4 MB a frame)
SAME = 1e-6  # codes closer than this fraction of the clip's largest number differ by rounding
ALL = slice(None)
Frames = slice | torch.Tensor  # which frames: a slice or indices
Extractor = Callable[..., Sequence[torch.Tensor]]


def resolution_for(generator: Generator) -> int:
    """Pixels a side that images are compared at: the generator's own, at most 256."""
    return min(256, generator.resolution)


def networks_for(metrics: Iterable[Metric]) -> dict[str, nn.Module]:
    """The networks that these metrics are computed with, each built once, by the name that the metrics give."""
    names = dict.fromkeys(each.network for each in metrics if each.network)
    return {name: pkgutil.resolve_name(name)() for name in names}


class ImageFeatures:
    """Images (T, 3, R, R) with the features that metrics compare; each image passes a network once.

    Features of at most CACHED_FRAMES images are kept.  donor, source (T,): where source is 0 or more, the image is that
    one of the donor's, whose features are taken over.
    """

    def __init__(
        self,
        images: torch.Tensor,
        networks: Mapping[str, nn.Module],
        donor: "ImageFeatures | None" = None,
        source: torch.Tensor | None = None,
    ):
        self.images, self.networks, self.cache = images, networks, {}
        self.donor = donor
        self.source = torch.full((len(images),), -1) if source is None else source

    def network(self, metric: Metric) -> list[nn.Module]:
        """The network that the metric is computed with, if it needs one."""
        return [self.networks[metric.network]] if metric.network else []

    def of(self, name: str, frames: Frames = ALL) -> torch.Tensor | list[torch.Tensor]:
        """What the metric of that name compares, of these frames."""
        metric = METRICS[name]
        if metric.features is None:
            return self.images[frames]
        extract = partial(self.extracted, metric.features, self.network(metric))
        if len(self.images) > CACHED_FRAMES:
            return extract(self.images[frames])
        if name not in self.cache:
            self.cache[name] = self.with_lent(name, extract)
        return [layer[frames] for layer in self.cache[name]]

    @staticmethod
    def extracted(features: Extractor, network: list[nn.Module], images: torch.Tensor) -> list[torch.Tensor]:
        return list(features(images, *network))

    def with_lent(self, name: str, extract: Callable[[torch.Tensor], list[torch.Tensor]]) -> list[torch.Tensor]:
        """The features of all images, those that the donor has taken over from it."""
        lent = self.source >= 0
        if self.donor is None or not lent.any():
            return extract(self.images)
        known = self.donor.of(name, self.source[lent])
        layers = [layer.new_empty(len(lent), *layer.shape[1:]) for layer in known]
        fresh = [] if lent.all() else extract(self.images[~lent])
        for k, layer in enumerate(layers):
            layer[lent] = known[k]
            if fresh:
                layer[~lent] = fresh[k]
        return layers


def compared(
    name: str, pred: ImageFeatures, true: ImageFeatures, pred_frames: Frames = ALL, true_frames: Frames = ALL
) -> torch.Tensor:
    """The metric of that name (N,) of N predicted frames, each beside the true frame of the same position."""
    metric = METRICS[name]
    return metric.compare(pred.of(name, pred_frames), true.of(name, true_frames), *pred.network(metric))


class Reference:
    """What images are compared with, and the metrics of the clip's own images against it."""

    def __init__(self, features: ImageFeatures, own: ImageFeatures):
        self.features, self.own = features, own
        self.images, self.measured = features.images, {}

    def compare(self, name: str, pred: ImageFeatures, frames: Frames = ALL) -> torch.Tensor:
        """The metric of that name of all predicted images against those of these frames."""
        return compared(name, pred, self.features, true_frames=frames)

    def own_values(self, name: str) -> torch.Tensor:
        """The metric (T,) of the clip's own images: what a method that is exact there gets, computed once."""
        if name not in self.measured:
            self.measured[name] = self.compare(name, self.own)
        return self.measured[name]


@dataclass
class Evaluation:
    """A trajectory's codes and images at every frame of a clip, beside what it is compared with.

    references: "code", the images G(z_i) of the clip's own codes, and where at hand "source", the aligned frames, or
    "truth", the world's own pictures.
    source (T,): the clip's own frame whose code this is, but for rounding, and so its image; -1 for a code of its own.
    """

    clip: Clip
    trajectory: Trajectory
    codes: torch.Tensor
    images: torch.Tensor
    references: dict[str, Reference]
    source: torch.Tensor
    measured: dict[tuple[str, str], torch.Tensor] = field(default_factory=dict)

    def __post_init__(self):
        own = next(iter(self.references.values())).own
        self.new = (self.source != torch.arange(len(self.clip))).nonzero().flatten()
        self.features = ImageFeatures(self.images[self.new], own.networks, own, self.source[self.new])

    def release(self) -> None:
        """Let go of the cached features of the images, 4 MB a frame; measured values stay."""
        self.features.cache.clear()

    def values(self, name: str, reference: str = "code") -> torch.Tensor:
        """One value per frame (T,) of the metric of that name."""
        if METRICS[name].space == "latent":
            return METRICS[name](self.codes, self.clip.ws)
        if (name, reference) not in self.measured:
            values = self.references[reference].own_values(name).clone()
            if len(self.new):
                values[self.new] = self.references[reference].compare(name, self.features, self.new)
            self.measured[name, reference] = values
        return self.measured[name, reference]


class Evaluator:
    """Renders the clip's own codes once, and every method at every frame, at most at 256 pixels.

    others: more references by name, images (T, 3, R, R): {"source": ...} of footage, {"truth": ...} of a world.
    Raises UserError for codes of other weights than the generator's.
    """

    def __init__(
        self,
        clip: Clip,
        generator: Generator,
        resolution: int = 0,
        others: Mapping[str, torch.Tensor] | None = None,
        progress: tqdm | None = None,
    ):
        name = clip.meta.get("generator", "")
        generators.require_same(name, clip.meta.get("generator_hash", ""), f"The clip {clip.name}")
        self.generator, self.progress = generator, progress
        self.resolution = resolution or resolution_for(generator)
        self.category = generators.category_of(name)
        self.own = self.render(clip.ws)
        networks = networks_for(evaluated_for(self.category))
        own = ImageFeatures(self.own, networks)
        features = {"code": own} | {name: ImageFeatures(images, networks) for name, images in (others or {}).items()}
        self.references = {name: Reference(each, own) for name, each in features.items()}

    def render(self, ws: torch.Tensor) -> torch.Tensor:
        """Images (T, 3, R, R) of codes (T, L, D)."""
        return generators.render(self.generator, ws, self.resolution, progress=self.progress)

    def evaluate(self, clip: Clip, trajectory: Trajectory) -> Evaluation:
        """Render the trajectory at the clip's times; a code that the clip itself holds is not rendered again."""
        codes = trajectory(clip.ts)
        close = SAME * clip.ws.abs().max()
        same = torch.stack([((clip.ws - code).abs() <= close).flatten(1).all(1) for code in codes])
        itself = torch.arange(len(clip))  # where two frames have the same code it is the frame's own
        source = torch.where(same[itself, itself], itself, same.int().argmax(1))
        source = torch.where(same.any(1), source, -1)
        images = self.own[source]
        if (source < 0).any():
            images[source < 0] = self.render(codes[source < 0])
        return Evaluation(clip, trajectory, codes, images, self.references, source)
