"""How well trajectories meet the clip they were fitted to: rows for Table 1, images for Fig. 2."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics import fit_files
from dynode.dynamics import methods as by_name
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.trajectory import Trajectory
from dynode.evaluation.records import Row, select
from dynode.metrics import METRICS
from dynode.metrics.latent import latent_mse, path_length, roughness, skill
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS

IMAGE_METRICS = ("mse", "psnr", "ssim", "lpips_alex", "identity")
KEPT_FRAMES = 200  # of a longer clip, what metrics saw (4 MB a frame) is not kept
SAME = 1e-6  # codes closer than this share of the clip's largest number differ by rounding
NETWORKS = {"lpips_alex": lambda: LPIPS("alex"), "identity": Identity}


def metrics_of(category: str) -> tuple[str, ...]:
    """The image metrics that have a meaning: identity is a matter of faces."""
    return IMAGE_METRICS if category == "face" else tuple(name for name in IMAGE_METRICS if name != "identity")


def resolution_for(generator) -> int:
    """Pixels a side that images are compared at: the generator's own, at most 256."""
    return min(256, generator.resolution)


class Looked:
    """Images (T, 3, R, R) as metrics see them: each is looked at once, and of a short clip that is kept.

    lender, source (T,): where source is 0 or more, the image is that one of the lender's, who need not look again.
    """

    def __init__(self, images: torch.Tensor, networks: dict, lender: "Looked | None" = None, source=None):
        self.images, self.networks, self.kept = images, networks, {}
        self.lender, self.source = lender, source

    def network(self, metric) -> list:
        """The network that the metric is computed with, if it needs one."""
        return [self.networks[metric.network]] if metric.network else []

    def by(self, name: str, frames):
        """What the metric of that name compares, of the frames (a slice or indices)."""
        metric = METRICS[name]
        if metric.look is None:
            return self.images[frames]
        if len(self.images) > KEPT_FRAMES:
            return metric.look(self.images[frames], *self.network(metric))
        if name not in self.kept:
            self.kept[name] = self.look(metric)
        return [layer[frames] for layer in self.kept[name]]

    def look(self, metric) -> list[torch.Tensor]:
        """What the metric sees in all images."""
        network = self.network(metric)
        lent = torch.zeros(len(self.images), dtype=torch.bool) if self.lender is None else self.source >= 0
        if not lent.any():
            return metric.look(self.images, *network)
        known = self.lender.by(metric.name, self.source[lent])
        fresh = [] if lent.all() else metric.look(self.images[~lent], *network)
        layers = [layer.new_empty(len(lent), *layer.shape[1:]) for layer in known]
        for k, layer in enumerate(layers):
            layer[lent] = known[k]
            if fresh:
                layer[~lent] = fresh[k]
        return layers


class Reference:
    """Images (T, 3, R, R) that a method is compared with, and the metrics of the clip's own images against them."""

    def __init__(self, images: Looked, own: Looked):
        self.looked, self.own, self.known = images, own, {}
        self.images = images.images

    def compare(self, name: str, pred: Looked, frames) -> torch.Tensor:
        """The metric of that name for all predicted images, those of the frames (a slice or indices)."""
        metric = METRICS[name]
        return metric.compute(pred.by(name, slice(None)), self.looked.by(name, frames), *pred.network(metric))

    def of_own(self, name: str) -> torch.Tensor:
        """The metric (T,) of the clip's own images: what a method that is exact there gets, computed once."""
        if name not in self.known:
            self.known[name] = self.compare(name, self.own, slice(None))
        return self.known[name]


@dataclass
class Evaluation:
    """A trajectory's codes and images at every frame of a clip, beside what it is compared with.

    references: "code", the images G(z_i) of the clip's own codes, and where at hand "source", the aligned frames, or
    "truth", what a world really looked like.
    source (T,): the clip's own frame whose code this is, but for rounding, and so its image; -1 for a code of its own.
    """

    clip: Clip
    trajectory: Trajectory
    codes: torch.Tensor
    images: torch.Tensor
    references: dict[str, Reference]
    source: torch.Tensor
    known: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        own = next(iter(self.references.values())).own
        self.new = (self.source != torch.arange(len(self.clip))).nonzero().flatten()
        self.looked = Looked(self.images[self.new], own.networks, own, self.source[self.new])

    def forget(self) -> None:
        """Let go of what metrics saw in the images: 4 MB a frame; what was measured stays."""
        self.looked.kept.clear()

    def values(self, name: str, reference: str = "code") -> torch.Tensor:
        """One value per frame (T,) of the metric of that name."""
        if METRICS[name].space == "latent":
            return METRICS[name](self.codes, self.clip.ws)
        if (name, reference) not in self.known:
            values = self.references[reference].of_own(name).clone()
            if len(self.new):
                values[self.new] = self.references[reference].compare(name, self.looked, self.new)
            self.known[name, reference] = values
        return self.known[name, reference]


class Evaluator:
    """Renders the clip's own codes once, and every method at every frame, at most at 256 pixels.

    others: more references by name, images (T, 3, R, R): {"source": ...} of footage, {"truth": ...} of a world.
    """

    def __init__(self, clip: Clip, generator, resolution: int = 0, others: dict | None = None, progress=None):
        generators.require_same(clip.meta["generator"], clip.meta["generator_hash"], f"The clip {clip.name}")
        self.generator, self.progress = generator, progress
        self.resolution = resolution or resolution_for(generator)
        self.category = generators.category_of(clip.meta["generator"])
        self.own = self.render(clip.ws)
        networks = {name: build() for name, build in NETWORKS.items() if name in metrics_of(self.category)}
        own = Looked(self.own, networks)
        looked = {"code": own} | {name: Looked(images, networks) for name, images in (others or {}).items()}
        self.references = {name: Reference(each, own) for name, each in looked.items()}

    def render(self, ws: torch.Tensor) -> torch.Tensor:
        return generators.render(self.generator, ws, self.resolution, progress=self.progress)

    def evaluate(self, clip: Clip, trajectory: Trajectory) -> Evaluation:
        """Render the trajectory at the clip's times; a code that the clip itself holds is not rendered again."""
        codes = trajectory(clip.ts)
        close = SAME * clip.ws.abs().max()
        same = torch.stack([((clip.ws - code).abs() <= close).flatten(1).all(1) for code in codes])
        itself = torch.arange(len(clip))  # where two frames share a code it is the frame's own
        source = torch.where(same[itself, itself], itself, same.int().argmax(1))
        source = torch.where(same.any(1), source, -1)
        images = self.own[source]
        if (source < 0).any():
            images[source < 0] = self.render(codes[source < 0])
        return Evaluation(clip, trajectory, codes, images, self.references, source)


def splits(clip: Clip) -> dict[str, torch.Tensor]:
    """Frames (T,) bool: seen, between what was seen, and beyond it; the splits without a frame are left out."""
    first, last = (clip.ts[clip.observed][k] for k in (0, -1))
    beyond = (clip.ts < first) | (clip.ts > last)
    found = {"observed": clip.observed, "unobserved": ~clip.observed & ~beyond, "extrapolated": beyond}
    return {split: frames for split, frames in found.items() if frames.any()}


def rows(result: Evaluation, linear: Evaluation, category: str = "face", **identity) -> Iterator[Row]:
    """Rows of one method: every metric on every split against every reference, skill against linear, and the path.

    Skill is measured against the truth where it is known, else against the clip's own codes.
    """
    identity["category"], names = category, metrics_of(category)
    for (split, frames), name, reference in product(splits(result.clip).items(), names, result.references):
        value = float(result.values(name, reference)[frames].mean())
        if math.isfinite(value):  # the PSNR of an exact frame is not
            named = {"split": split, "space": "image", "unit": METRICS[name].unit, "reference": reference}
            yield Row(name, value, **named, **identity)
    judged = "truth" if "truth" in result.references else "code"
    errors = (each.values("mse", judged) for each in (result, linear))
    yield from skill_rows("skill", result.clip, *errors, space="image", reference=judged, **identity)
    yield from latent_rows(result.clip, result.codes, linear.codes, **identity)


def reconstruction_rows(result: Evaluation, category: str) -> Iterator[Row]:
    """How near the clip's own codes come to the footage or the truth: what inversion left, means over all frames."""
    for name, reference in product(metrics_of(category), (r for r in result.references if r != "code")):
        value = float(result.references[reference].of_own(name).mean())
        named = {"category": category, "clip": result.clip.name, "method": "own codes", "unit": METRICS[name].unit}
        yield Row(name, value, reference=reference, **named)


def latent_rows(shown: Clip, codes: torch.Tensor, linear_codes: torch.Tensor, **identity) -> Iterator[Row]:
    """What can be said of codes (T, L, D) without rendering them: errors, skill, length and roughness of the path.

    The path's numbers are shares of the clip's own, at the clip's times.
    """
    identity["space"], own = "latent", shown.ws
    errors, linear_errors = (latent_mse(each, own) for each in (codes, linear_codes))
    for split, frames in splits(shown).items():
        yield Row("latent_mse", float(errors[frames].mean()), split=split, unit=latent_mse.unit, **identity)
    yield from skill_rows("skill_latent", shown, errors, linear_errors, **identity)
    yield Row("path_length", path_length(codes) / path_length(own), unit="ratio", **identity)
    if len(own) > 2:
        yield Row("roughness", roughness(codes, shown.ts) / roughness(own, shown.ts), unit="ratio", **identity)


def cost_rows(fit, **identity) -> Iterator[Row]:
    """What a learned path cost: seconds of fitting (on this machine) and trained parameters, over all shots."""
    for metric, key, unit in (("seconds", "seconds", "s"), ("parameters", "parameters", "")):
        yield Row(
            metric, float(sum(shot.log[key] for shot in fit_files.shots_of(fit))), space="", unit=unit, **identity
        )


def skill_rows(name: str, shown: Clip, errors: torch.Tensor, linear_errors: torch.Tensor, **identity) -> Iterator[Row]:
    """Skill (T,) errors against linear's, on the splits that were not observed."""
    for split, frames in splits(shown).items():
        score = skill(errors[frames], linear_errors[frames])
        if split != "observed" and math.isfinite(score):
            yield Row(name, score, split=split, **identity)


def with_paper_numbers(found: list[Row], paper: dict[str, dict[str, float]]) -> list[Row]:
    """The same rows with the paper's own numbers beside them: paper[metric][split], in the metric's unit."""
    return [
        dataclasses.replace(row, paper=paper.get(row.metric, {}).get(row.split)) if row.reference != "source" else row
        for row in found
    ]


@dataclass
class Study:
    """Rows of all runs, and for the first seed the evaluations by (method, sampling, stride), for figures."""

    rows: list[Row] = dataclasses.field(default_factory=list)
    first: dict[tuple[str, str, int], Evaluation] = dataclasses.field(default_factory=dict)


def study(
    clip: Clip,
    evaluator: Evaluator,
    fits: FitStore,
    *,
    methods,
    samplings,
    strides,
    seeds,
    hidden_end: int = 0,
    settings=None,
    latent_methods=(),
) -> Study:
    """Every method at every sampling, stride and seed: Table 1 for one clip.

    settings: {method: DynamicsSettings} for learned methods that do not run as their preset says.
    latent_methods: interpolations that are compared in latent space only.
    hidden_end: the last so many frames are observed by no method; their rows have the split "extrapolated".
    Methods without randomness run once; irregular samplings are drawn anew for each seed.
    """
    found, chosen = Study(), {name: (settings or {}).get(name) or by_name.LEARNED.get(name) for name in methods}
    conditions = list(product(samplings, strides, seeds))
    for one in chosen.values():
        fits.fit_together(one, [(clip.sampled(*condition, hidden_end), condition[2]) for condition in conditions])
    for sampling, stride, seed in conditions:
        shown = clip.sampled(sampling, stride, seed, hidden_end)
        repeated = sampling == "regular" and seed != seeds[0]
        if not repeated:
            linear = evaluator.evaluate(shown, fits.fit("linear", shown))
        identity = {
            "category": evaluator.category,
            "clip": clip.name,
            "sampling": sampling,
            "stride": stride,
            "seed": seed,
        }
        for method in () if repeated else latent_methods:
            codes = fits.fit(method, shown)(clip.ts)
            found.rows += latent_rows(shown, codes, linear.codes, method=method, **identity)
        for method in methods:
            if repeated and chosen[method] is None:
                continue
            same = method == "linear"
            result = linear if same else evaluator.evaluate(shown, fits.fit(method, shown, chosen[method], seed))
            label = chosen[method].label if chosen[method] else method
            found.rows += rows(result, linear, method=label, **identity)
            result.forget()
            if chosen[method]:
                found.rows += cost_rows(result.trajectory, method=label, **identity)
            found.first.setdefault((method, sampling, stride), result)
    return found


def hold_over_linear(found: list[Row]) -> dict[int, float]:
    """By stride: how much more holding the last observed frame errs than straight lines do, at regular times; MSE of
    unobserved frames against the codes' own images.  Near 1 there was hardly a motion to predict."""
    judged = select(found, metric="mse", split="unobserved", sampling="regular", reference="code")
    hold, linear = ({row.stride: row.value for row in select(judged, method=name)} for name in ("hold", "linear"))
    return {stride: value / linear[stride] for stride, value in hold.items()}


def share_of_best(found: list[Row], method: str, rivals) -> float:
    """A method's MSE at unobserved frames of irregular samplings, as a share of that of the best of the rivals; against
    the truth where it is known."""
    judged = select(found, metric="mse", split="unobserved", sampling="irregular")
    judged = select(judged, reference="truth") or select(judged, reference="code")
    errors = {name: [row.value for row in select(judged, method=name)] for name in (method, *rivals)}
    means = {name: sum(values) / len(values) for name, values in errors.items() if values}
    return means.pop(method) / min(means.values())


def verdict(found: list[Row], paper: dict[str, dict[str, float]]) -> str:
    """ "too easy: hold passes" where holding the last observed frame meets the paper's unobserved MSE, else "counts"; also
    where the paper has no number."""
    if "mse" not in paper:
        return "counts"
    hold = select(found, method="hold", split="unobserved", metric="mse", reference="code")
    return "too easy: hold passes" if hold and all(r.value <= paper["mse"]["unobserved"] for r in hold) else "counts"
