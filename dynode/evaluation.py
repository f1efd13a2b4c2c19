"""How well trajectories meet the clip they were fitted to: rows for Table 1, images for Fig. 2."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.presets import PRESETS
from dynode.fits import FitStore
from dynode.metrics import METRICS
from dynode.metrics.latent import path_length, roughness, skill
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS
from dynode.records import Row, select
from dynode.trajectory import Trajectory

IMAGE_METRICS = ("mse", "psnr", "ssim", "lpips_alex", "identity")
NETWORKS = {"lpips_alex": lambda: LPIPS("alex"), "identity": Identity}


@dataclass
class Evaluation:
    """A trajectory's codes and images at every frame of a clip, beside the images it is compared with.

    references: "code", the images G(z_i) of the clip's own codes, and "source", the aligned frames, where at hand.
    """

    clip: Clip
    trajectory: Trajectory
    codes: torch.Tensor
    images: torch.Tensor
    references: dict[str, torch.Tensor]
    networks: dict
    known: dict = dataclasses.field(default_factory=dict)

    def splits(self) -> dict[str, torch.Tensor]:
        """Frames (T,) bool: seen, between what was seen, and beyond it; the splits without a frame are left out."""
        first, last = (self.clip.ts[self.clip.observed][k] for k in (0, -1))
        beyond = (self.clip.ts < first) | (self.clip.ts > last)
        observed = self.clip.observed
        found = {"observed": observed, "unobserved": ~observed & ~beyond, "extrapolated": beyond}
        return {split: frames for split, frames in found.items() if frames.any()}

    def values(self, name: str, reference: str = "code") -> torch.Tensor:
        """One value per frame (T,) of the metric of that name."""
        metric = METRICS[name]
        if metric.space == "latent":
            return metric(self.codes, self.clip.ws)
        if (name, reference) not in self.known:
            network = [self.networks[metric.network]] if metric.network else []
            self.known[name, reference] = metric(self.images, self.references[reference], *network)
        return self.known[name, reference]


class Evaluator:
    """Renders the clip's own codes once, and every method at every frame.

    source: the aligned frames (T, 3, R, R) of the footage, where it is at hand: a second reference.
    """

    def __init__(self, clip: Clip, generator, resolution: int = 256, source: torch.Tensor | None = None, progress=None):
        generators.require_same(clip.meta["generator"], clip.meta["generator_hash"], f"The clip {clip.name}")
        self.generator, self.resolution, self.progress = generator, resolution, progress
        self.networks = {name: build() for name, build in NETWORKS.items()}
        self.references = {"code": self.render(clip.ws)}
        if source is not None:
            self.references["source"] = source

    def render(self, ws: torch.Tensor) -> torch.Tensor:
        return generators.render(self.generator, ws, self.resolution, progress=self.progress)

    def evaluate(self, clip: Clip, trajectory: Trajectory) -> Evaluation:
        """Render the trajectory at the clip's times; a code that the clip itself holds is not rendered again."""
        codes = trajectory(clip.ts)
        same = torch.stack([(clip.ws == code).flatten(1).all(1) for code in codes])
        known, source = same.any(1), same.int().argmax(1)
        images = self.references["code"][source]
        if not known.all():
            images[~known] = self.render(codes[~known])
        return Evaluation(clip, trajectory, codes, images, self.references, self.networks)


def rows(result: Evaluation, linear: Evaluation, names=IMAGE_METRICS, **identity) -> Iterator[Row]:
    """Rows of one method: every metric on every split against every reference, skill against linear, and the path."""
    for split, frames in result.splits().items():
        for name in ("latent_mse", *names):
            metric = METRICS[name]
            for reference in result.references if metric.space == "image" else ["code"]:
                value = float(result.values(name, reference)[frames].mean())
                if math.isfinite(value):  # the PSNR of an exact frame is not
                    named = {"split": split, "space": metric.space, "unit": metric.unit, "reference": reference}
                    yield Row(name, value, **named, **identity)
        if split == "observed":
            continue
        for name, errors in (("skill", "mse"), ("skill_latent", "latent_mse")):
            score = skill(result.values(errors)[frames], linear.values(errors)[frames])
            if math.isfinite(score):
                yield Row(name, score, split=split, space=METRICS[errors].space, **identity)
    yield from path_rows(result, **identity)


def path_rows(result: Evaluation, **identity) -> Iterator[Row]:
    """Length and roughness of the path at the clip's times, as shares of the clip's own."""
    own, ts = result.clip.ws, result.clip.ts
    yield Row("path_length", path_length(result.codes) / path_length(own), space="latent", unit="ratio", **identity)
    if len(ts) > 2:
        share = roughness(result.codes, ts) / roughness(own, ts)
        yield Row("roughness", share, space="latent", unit="ratio", **identity)


def with_paper_numbers(found: list[Row], paper: dict[str, dict[str, float]]) -> list[Row]:
    """The same rows with the paper's own numbers beside them: paper[metric][split], in the metric's unit."""
    return [
        dataclasses.replace(row, paper=paper.get(row.metric, {}).get(row.split)) if row.reference == "code" else row
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
    category: str = "face",
) -> Study:
    """Every method at every sampling, stride and seed: Table 1 for one clip.

    settings: {method: DynamicsSettings} for learned methods that do not run as their preset says.
    hidden_end: the last so many frames are observed by no method; their rows have the split "extrapolated".
    Methods without randomness run once; irregular samplings are drawn anew for each seed.
    """
    found = Study()
    for sampling, stride, seed in product(samplings, strides, seeds):
        shown = clip.sampled(sampling, stride, seed, hidden_end)
        repeated = sampling == "regular" and seed != seeds[0]
        if not repeated:
            linear = evaluator.evaluate(shown, fits.fit("linear", shown))
        identity = {"category": category, "clip": clip.name, "sampling": sampling, "stride": stride, "seed": seed}
        for method in methods:
            chosen = (settings or {}).get(method) or PRESETS.get(method)
            if repeated and chosen is None:
                continue
            same = method == "linear"
            result = linear if same else evaluator.evaluate(shown, fits.fit(method, shown, chosen, seed))
            found.rows += rows(result, linear, method=chosen.label if chosen else method, **identity)
            found.first.setdefault((method, sampling, stride), result)
    return found


def verdict(found: list[Row], paper: dict[str, dict[str, float]]) -> str:
    """ "too easy: hold passes" where holding the last observed frame meets the paper's unobserved MSE, else "counts"."""
    hold = select(found, method="hold", split="unobserved", metric="mse", reference="code")
    return "too easy: hold passes" if hold and all(r.value <= paper["mse"]["unobserved"] for r in hold) else "counts"
