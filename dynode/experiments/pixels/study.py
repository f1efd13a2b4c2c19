"""Pixel models beside methods in a GAN's latent space: the same observed frames of a world, evaluated on its ground truth."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation import Evaluator, ImageFeatures, splits
from dynode.evaluation.records import Row, select
from dynode.experiments.pixels.frames import ObservedFrames
from dynode.experiments.pixels.predictors import UNLEARNED, PixelModel
from dynode.experiments.pixels.presets import PixelSettings
from dynode.experiments.pixels.store import PixelStore
from dynode.generators import weights
from dynode.metrics import METRICS

MEASURED = ("mse", "ssim", "lpips_alex")
FADE, FLOOR = "linear[pixels]", "own codes"


@dataclasses.dataclass
class PixelStudy:
    """Rows of methods on pixels for a clip, evaluated on its ground truth.

    first: frames (T, 3, R, R) and metrics (T,) by name, by (method, sampling), of the first seed, for figures.
    Raises UserError for a clip without ground truth.
    """

    clip: Clip
    evaluator: Evaluator
    rows: list[Row] = dataclasses.field(default_factory=list)
    first: dict[tuple[str, str], tuple[torch.Tensor, dict[str, torch.Tensor]]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if "truth" not in self.evaluator.references:
            raise UserError(f"{self.clip.name} is no episode of a world: methods on pixels want its ground truth.")
        self.truth = self.evaluator.references["truth"]

    def observed_frames(self, observed: Clip) -> ObservedFrames:
        """The true frames at observed times: the only input of a method on pixels."""
        return ObservedFrames(self.truth.images[observed.observed], observed.ts[observed.observed])

    def add(self, observed: Clip, images: torch.Tensor, **identity: Any) -> None:
        """Evaluate predicted frames (T, 3, R, R)."""
        features = ImageFeatures(images, self.truth.features.networks)
        self.add_values(observed, images, {name: self.truth.compare(name, features) for name in MEASURED}, **identity)

    def add_own_codes(self, observed: Clip, **identity: Any) -> None:
        """G(z_i) of every frame: the errors of the inversion alone."""
        values = {name: self.truth.own_values(name) for name in MEASURED}
        self.add_values(observed, self.evaluator.own, values, method=FLOOR, **identity)

    def add_values(
        self, observed: Clip, images: torch.Tensor, values: Mapping[str, torch.Tensor], **identity: Any
    ) -> None:
        """Rows of metrics (T,) by name: the mean over each split."""
        self.first.setdefault((identity["method"], identity["sampling"]), (images, dict(values)))
        identity |= {"category": self.evaluator.category, "clip": self.clip.name, "reference": "truth"}
        for (split, frames), name in product(splits(observed).items(), MEASURED):
            value = float(values[name][frames].mean())
            self.rows.append(Row(name, value, split=split, unit=METRICS[name].unit, **identity))

    def add_cost(self, model: PixelModel, **identity: Any) -> None:
        """Rows of seconds of training, seconds of rendering and parameters."""
        identity |= {"category": self.evaluator.category, "clip": self.clip.name, "space": ""}
        for name, unit in (("seconds", "s"), ("drawing", "s"), ("parameters", "")):
            self.rows.append(Row(name, float(model.log[name]), unit=unit, **identity))


def evaluate(
    clip: Clip,
    evaluator: Evaluator,
    store: PixelStore,
    settings: Sequence[PixelSettings],
    *,
    samplings: Sequence[str],
    stride: int,
    seeds: Sequence[int],
    hidden_end: int = 0,
) -> PixelStudy:
    """Baselines that learn nothing, and pixel models, on a clip of a world, for every sampling and seed.

    What has no randomness runs once where the observed frames are the same.
    """
    result = PixelStudy(clip, evaluator)
    for sampling, seed in product(samplings, seeds):
        observed = clip.sampled(sampling, stride, seed, hidden_end)
        frames, identity = result.observed_frames(observed), {"sampling": sampling, "stride": stride, "seed": seed}
        if sampling != "regular" or seed == seeds[0]:
            result.add_own_codes(observed, **identity)
            for method, predict in UNLEARNED.items():
                result.add(observed, predict(frames, clip.ts), method=method, **identity)
        for one in settings:
            model = store.model(clip, frames, one, seed)
            result.add(observed, model(frames, clip.ts), method=one.label, **identity)
            result.add_cost(model, method=one.label, **identity)
    return result


def skill_rows(rows: list[Row]) -> Iterator[Row]:
    """Skill over the cross-fade of every method, and over linear interpolation of codes for methods on pixels.

    1 - MSE / MSE of the baseline, against the ground truth at unobserved frames.  A baseline that ran for one seed only
    stands for all.
    """
    measured = select(rows, metric="mse", split="unobserved", reference="truth")
    known = {row.method for row in select(rows, metric="skill")}
    for metric, baseline, chosen in (
        ("skill", "linear", [row for row in measured if row.method not in known]),
        ("skill_fade", FADE, [row for row in measured if row.method != FADE]),
    ):
        for row in chosen:
            same = select(measured, method=baseline, clip=row.clip, sampling=row.sampling, stride=row.stride)
            unit = next((each.value for each in same if each.seed == row.seed), same[0].value)
            yield dataclasses.replace(row, metric=metric, value=1 - row.value / unit, unit="")


def window_around_maximum(values: torch.Tensor, columns: int) -> torch.Tensor:
    """Indices of `columns` neighbouring frames around the one whose value (T,) is largest."""
    first = int(values.argmax()) - columns // 2
    first = max(0, min(first, len(values) - columns))
    return torch.arange(first, min(first + columns, len(values)))


def generator_training(name: str) -> str:
    """One sentence on the training of a world's generator, from its card.  Raises UserError for one without a card."""
    source = generators.source_of(name)
    if not isinstance(source, Path):
        raise UserError(f"{name} was not trained on a world: its training is unknown.")
    card, pictures, hours = weights.card(source), 0, 0.0
    while card:
        pictures, hours, card = pictures + card["pictures_shown"], hours + card["hours"], card.get("started_from")
    return f"{name} was trained on {pictures} pictures of its world in {hours:.1f} hours"
