"""How well trajectories meet the clip they were fitted to: rows for Table 1, images for Fig. 2."""

import dataclasses
from dataclasses import dataclass
from itertools import product

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.presets import PRESETS
from dynode.methods import fit as fit_method
from dynode.metrics import METRICS
from dynode.metrics.latent import latent_mse, skill
from dynode.metrics.pixels import mse
from dynode.records import Row, select
from dynode.trajectory import Trajectory


@dataclass
class Evaluation:
    """A trajectory's codes and images at every frame of a clip, beside the clip's own (reference "code")."""

    clip: Clip
    trajectory: Trajectory
    codes: torch.Tensor
    images: torch.Tensor
    true_images: torch.Tensor

    def splits(self) -> dict[str, torch.Tensor]:
        return {"observed": self.clip.observed, "unobserved": ~self.clip.observed}

    def values(self, name: str) -> torch.Tensor:
        """One value per frame (T,) of the metric of that name."""
        metric = METRICS[name]
        pair = (self.images, self.true_images) if metric.space == "image" else (self.codes, self.clip.ws)
        return metric(*pair)


class Evaluator:
    """Renders the reference once and every method at every frame of the clip."""

    def __init__(self, clip: Clip, generator, resolution: int = 256, progress=None):
        generators.require_same(clip.meta["generator"], clip.meta["generator_hash"], f"The clip {clip.name}")
        self.generator, self.resolution, self.progress = generator, resolution, progress
        self.true_images = self.render(clip.ws)

    def render(self, ws: torch.Tensor) -> torch.Tensor:
        return generators.render(self.generator, ws, self.resolution, progress=self.progress)

    def evaluate(self, clip: Clip, trajectory: Trajectory) -> Evaluation:
        """Render the trajectory at the clip's times; a code that the clip itself holds is not rendered again."""
        codes = trajectory(clip.ts)
        same = torch.stack([(clip.ws == code).flatten(1).all(1) for code in codes])
        known, source = same.any(1), same.int().argmax(1)
        images = self.true_images[source]
        if not known.all():
            images[~known] = self.render(codes[~known])
        return Evaluation(clip, trajectory, codes, images, self.true_images)


def rows(result: Evaluation, linear: Evaluation, names=("mse", "ssim", "latent_mse"), **identity) -> list[Row]:
    """Rows of one method: every metric on every split, and the skill against linear on the unobserved frames."""
    found = []
    for split, frames in result.splits().items():
        if not frames.any():
            continue
        for name in names:
            metric = METRICS[name]
            value = float(result.values(name)[frames].mean())
            found.append(Row(name, value, split=split, space=metric.space, unit=metric.unit, **identity))
    hidden = ~result.clip.observed
    if hidden.any():
        scores = {
            "skill": ("image", mse(result.images, result.true_images), mse(linear.images, linear.true_images)),
            "skill_latent": (
                "latent",
                latent_mse(result.codes, result.clip.ws),
                latent_mse(linear.codes, linear.clip.ws),
            ),
        }
        for name, (space, errors, linear_errors) in scores.items():
            score = skill(errors[hidden], linear_errors[hidden])
            found.append(Row(name, score, split="unobserved", space=space, **identity))
    return found


def with_paper_numbers(found: list[Row], paper: dict[str, dict[str, float]]) -> list[Row]:
    """The same rows with the paper's own numbers beside them: paper[metric][split], in the metric's unit."""
    return [dataclasses.replace(row, paper=paper.get(row.metric, {}).get(row.split)) for row in found]


@dataclass
class Study:
    """Rows of all runs, and for the first seed the evaluations by (method, sampling, stride), for figures."""

    rows: list[Row] = dataclasses.field(default_factory=list)
    first: dict[tuple[str, str, int], Evaluation] = dataclasses.field(default_factory=dict)


def study(
    clip: Clip, evaluator: Evaluator, *, methods, samplings, strides, seeds, settings=None, category: str = "face"
) -> Study:
    """Every method at every sampling, stride and seed: Table 1 for one clip.

    settings: {method: DynamicsSettings} for learned methods that do not run as their preset says.
    Methods without randomness run once; irregular samplings are drawn anew for each seed.
    """
    found = Study()
    for sampling, stride, seed in product(samplings, strides, seeds):
        shown = clip.sampled(sampling, stride, seed)
        repeated = sampling == "regular" and seed != seeds[0]
        if not repeated:
            linear = evaluator.evaluate(shown, fit_method("linear", shown))
        identity = {"category": category, "clip": clip.name, "sampling": sampling, "stride": stride, "seed": seed}
        for method in methods:
            chosen = (settings or {}).get(method) or PRESETS.get(method)
            if repeated and chosen is None:
                continue
            same = method == "linear"
            result = linear if same else evaluator.evaluate(shown, fit_method(method, shown, chosen, seed))
            found.rows += rows(result, linear, method=chosen.label if chosen else method, **identity)
            found.first.setdefault((method, sampling, stride), result)
    return found


def verdict(found: list[Row], paper: dict[str, dict[str, float]]) -> str:
    """ "too easy: hold passes" where holding the last observed frame meets the paper's unobserved MSE, else "counts"."""
    hold = select(found, method="hold", split="unobserved", metric="mse")
    return "too easy: hold passes" if hold and all(r.value <= paper["mse"]["unobserved"] for r in hold) else "counts"
