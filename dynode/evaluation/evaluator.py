"""Evaluate trajectories frame by frame: codes and images at every time of a clip, and any metric of them."""

import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import cast

import torch
from torch import nn
from tqdm import tqdm

from dynode import generators, runtime
from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory
from dynode.evaluation import kept_evaluations
from dynode.evaluation.kept_evaluations import KeptEvaluations, KeptValues, digest_of
from dynode.generators import tuned
from dynode.generators.protocol import Generator
from dynode.io.images import from_levels, to_levels
from dynode.metrics import METRICS, Metric

CACHED_FRAMES = 200  # of a longer clip no features are kept (4 MB a frame)
SAME = 1e-6  # codes closer than this fraction of the clip's largest number differ by rounding
ALL = slice(None)
Frames = slice | torch.Tensor  # which frames: a slice or indices
Extractor = Callable[..., Sequence[torch.Tensor]]
Images = Callable[[], torch.Tensor]  # makes images (T, 3, R, R) when they are needed


@dataclass(frozen=True)
class LateImages:
    """Reference images (T, 3, R, R) that are made when they are first needed.  made_from: a text of all that they depend on."""

    make: Images
    made_from: str

    def __call__(self) -> torch.Tensor:
        return self.make()


def resolution_for(generator: Generator) -> int:
    """Pixels a side that images are compared at: the generator's own, at most 256."""
    return min(256, generator.resolution)


def networks_for(metrics: Iterable[Metric]) -> dict[str, nn.Module]:
    """The networks that these metrics are computed with, each built once, by the name that the metrics give."""
    names = dict.fromkeys(each.network for each in metrics if each.network)
    return {name: pkgutil.resolve_name(name)() for name in names}


class LateNetworks(dict[str, nn.Module]):
    """Networks by the name that metrics give, each built when it is first used."""

    def __missing__(self, name: str) -> nn.Module:
        self[name] = pkgutil.resolve_name(name)()
        return self[name]


class ImageFeatures:
    """Images (T, 3, R, R), or a function that makes them, with the features that metrics compare; each passes a network once.

    Features of at most CACHED_FRAMES images are kept.  donor, source (T,): where source is 0 or more, the image is that
    one of the donor's, whose features are taken over.
    """

    def __init__(
        self,
        images: torch.Tensor | Images,
        networks: Mapping[str, nn.Module],
        donor: "ImageFeatures | None" = None,
        source: torch.Tensor | None = None,
    ):
        self.given, self.networks, self.cache = images, networks, {}
        self.donor, self.source = donor, source

    @cached_property
    def images(self) -> torch.Tensor:
        return self.given if isinstance(self.given, torch.Tensor) else self.given()

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
        if self.donor is None or self.source is None or not (self.source >= 0).any():
            return extract(self.images)
        lent = self.source >= 0
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
    """What images are compared with, and the metrics of the clip's own images against it.

    name: as in rows.  kept: values of the clip's own images, by metric and reference.
    """

    def __init__(self, features: ImageFeatures, own: ImageFeatures, name: str = "code", kept: KeptValues | None = None):
        self.features, self.own, self.name = features, own, name
        self.kept, self.measured = kept or KeptValues(), {}

    @property
    def images(self) -> torch.Tensor:
        return self.features.images

    @cached_property
    def slot(self) -> str:
        """Under which name values against these images are kept; the clip's own images come from the codes of the key."""
        if self.features is self.own:
            return self.name
        given = self.features.given
        return f"{self.name} {digest_of(given.made_from if isinstance(given, LateImages) else self.images)[:16]}"

    @property
    def shown(self) -> torch.Tensor:
        """The images (T, 3, R, R) for figures and viewers: those of the clip's codes as 8 bits show them, kept."""
        return pictures_of(self.kept, lambda: self.images) if self.features is self.own else self.images

    def compare(self, name: str, pred: ImageFeatures, frames: Frames = ALL) -> torch.Tensor:
        """The metric of that name of all predicted images against those of these frames."""
        return compared(name, pred, self.features, true_frames=frames)

    def own_values(self, name: str) -> torch.Tensor:
        """The metric (T,) of the clip's own images: what a method that is exact there gets, computed once."""
        if name not in self.measured:
            self.measured[name] = recalled(self.kept, name, self, lambda: self.compare(name, self.own))
        return self.measured[name]


def recalled(kept: KeptValues, name: str, reference: Reference, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
    """The metric (T,) of that name against a reference: as it is kept, else computed, and kept with the next `write`."""
    code = None if kept.store is None else kept_evaluations.code_of(METRICS[name])
    if code is None:  # nothing is kept, or not of a function that has no file
        return compute().double()
    slot = f"{reference.slot}/{name}" + (f"@{code}" if code else "")
    if (known := kept.get(slot)) is None:
        known = compute().double()
        kept.put(slot, known)
    return known


@dataclass
class Evaluation:
    """A trajectory's codes and images at every frame of a clip, beside what it is compared with.

    render: makes the images (T, 3, R, R).
    references: "code", the images G(z_i) of the clip's own codes, and where at hand "source", the aligned frames, or
    "truth", the world's own pictures.
    source (T,): the clip's own frame whose code this is, but for rounding, and so its image; -1 for a code of its own.
    kept: what is known of these codes from an earlier evaluation.
    """

    clip: Clip
    trajectory: Trajectory
    codes: torch.Tensor
    render: Images
    references: dict[str, Reference]
    source: torch.Tensor
    measured: dict[tuple[str, str], torch.Tensor] = field(default_factory=dict)
    kept: KeptValues = field(default_factory=KeptValues)

    def __post_init__(self):
        own = next(iter(self.references.values())).own
        self.new = (self.source != torch.arange(len(self.clip))).nonzero().flatten()
        self.features = ImageFeatures(lambda: self.images[self.new], own.networks, own, self.source[self.new])

    @cached_property
    def images(self) -> torch.Tensor:
        """The images (T, 3, R, R), rendered when they are first needed."""
        return self.render()

    def release(self) -> None:
        """Let go of the cached features of the images, 4 MB a frame; measured values stay."""
        self.features.cache.clear()

    def values(self, name: str, reference: str = "code") -> torch.Tensor:
        """One value per frame (T,) of the metric of that name."""
        if METRICS[name].space == "latent":
            return METRICS[name](self.codes, self.clip.ws)
        if (name, reference) not in self.measured:
            compared_with = self.references[reference]
            compute = partial(self.computed, name, compared_with)
            self.measured[name, reference] = recalled(self.kept, name, compared_with, compute)
        return self.measured[name, reference]

    def computed(self, name: str, reference: Reference) -> torch.Tensor:
        """The values (T,) of a metric: of the clip's own frames those that are known, of others from their images."""
        values = reference.own_values(name).clone()
        if len(self.new):
            values[self.new] = reference.compare(name, self.features, self.new).double()
        return values

    def write(self) -> None:
        """Keep what was measured, in the user's cache."""
        for each in (self.kept, *(reference.kept for reference in self.references.values())):
            each.write()

    @property
    def shown(self) -> torch.Tensor:
        """The images (T, 3, R, R) as 8 bits show them, for figures and viewers; they are kept, and rendered once."""
        return pictures_of(self.kept, lambda: self.images)


def pictures_of(kept: KeptValues, images: Images) -> torch.Tensor:
    """Images (T, 3, R, R) as 8 bits show them: those that are kept with some values, else made and kept."""
    pictures = KeptValues(kept.store, kept.key + kept_evaluations.PICTURES, kept.described)
    if (levels := pictures.get("levels")) is None:
        levels = to_levels(images())
        pictures.put("levels", levels)
        pictures.write()
    return from_levels(levels)


class Evaluator:
    """Renders the clip's own codes once, and every method at every frame, at most at 256 pixels, when that is needed.

    others: more references by name, images (T, 3, R, R): {"source": ...} of footage, {"truth": ...} of a world.
    keep: what was measured is kept in the user's cache and not measured again; not where DYNODE_EVALUATIONS is 0.
    Raises UserError for codes of other weights than the generator's.
    """

    def __init__(
        self,
        clip: Clip,
        generator: Generator,
        resolution: int = 0,
        others: Mapping[str, torch.Tensor | LateImages] | None = None,
        progress: tqdm | None = None,
        keep: bool = True,
    ):
        name = clip.meta.get("generator", "")
        generators.require_same(name, clip.meta.get("generator_hash", ""), f"The clip {clip.name}")
        self.clip, self.generator, self.progress = clip, generator, progress
        self.resolution = resolution or resolution_for(generator)
        self.category = generators.category_of(name)
        self.store = KeptEvaluations() if keep and kept_evaluations.switched_on() else None
        networks, kept = LateNetworks(), self.kept_of(clip, clip.ws, "own codes")
        own, given = ImageFeatures(lambda: self.own, networks), others or {}
        features = {"code": own} | {name: ImageFeatures(images, networks) for name, images in given.items()}
        self.references = {name: Reference(each, own, name, kept) for name, each in features.items()}

    @cached_property
    def own(self) -> torch.Tensor:
        """The images (T, 3, R, R) of the clip's own codes."""
        return self.render(self.clip.ws)

    def render(self, ws: torch.Tensor) -> torch.Tensor:
        """Images (T, 3, R, R) of codes (T, L, D)."""
        return generators.render(self.generator, ws, self.resolution, progress=self.progress)

    def evaluate(self, clip: Clip, trajectory: Trajectory) -> Evaluation:
        """Evaluate the trajectory at the clip's times; a code that the clip itself holds is not rendered again."""
        codes = trajectory(clip.ts)
        close = SAME * clip.ws.abs().max()
        same = torch.stack([((clip.ws - code).abs() <= close).flatten(1).all(1) for code in codes])
        itself = torch.arange(len(clip))  # where two frames have the same code it is the frame's own
        source = torch.where(same[itself, itself], itself, same.int().argmax(1))
        source = torch.where(same.any(1), source, -1)
        images, label = partial(self.with_own, codes, source), trajectory.label or type(trajectory).__name__
        kept = self.kept_of(clip, codes, label)
        return Evaluation(clip, trajectory, codes, images, self.references, source, kept=kept)

    def with_own(self, codes: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        """Images (T, 3, R, R) of codes (T, L, D), of which the clip's own frames `source` (T,) are rendered already."""
        images = self.own[source]
        if (source < 0).any():
            images[source < 0] = self.render(codes[source < 0])
        return images

    def kept_of(self, clip: Clip, codes: torch.Tensor, method: str) -> KeptValues:
        """What is kept of a method's codes (T, L, D) at the clip's times."""
        if self.store is None or self.made_from is None:
            return KeptValues()
        key = digest_of(self.made_from, method, codes, clip.ws, clip.ts)[:32]
        return KeptValues(self.store, key, {"clip": clip.name, "method": method})

    @cached_property
    def made_from(self) -> str | None:
        """A hash of all but codes and references that numbers depend on; None where a generator's code cannot be hashed."""
        generator, foreign = self.generator, kept_evaluations.foreign_code([type(self.generator).__module__])
        if foreign is None:
            return None
        named = [generator.name, generator.hash, tuned.hash_of(generator), foreign]
        weights = kept_evaluations.hash_of_network(cast(nn.Module, generator))
        shown = [self.category, str(self.resolution), runtime.device_name(generator.w_avg.device)]
        return digest_of(kept_evaluations.hash_of_code(), weights, *named, *shown)
