"""A method beside the best of its baselines over the clips of a category: the ratio of their errors, from rows of records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynode.errors import UserError
from dynode.evaluation.records import Row, select
from dynode.metrics.paired_bootstrap import Ratio, best_baseline, paired_ratio


@dataclass(frozen=True)
class Comparison:
    """A method's errors over those of the baseline with the lowest mean error of all, under one condition."""

    method: str
    baseline: str
    ratio: Ratio

    def __str__(self):
        return f"{self.method} / {self.baseline}: {self.ratio}, {self.ratio.clips} clips"


def compare(
    rows: Iterable[Row], method: str, baselines: Sequence[str], *, seed: int = 0, **condition: Any
) -> Comparison:
    """The ratio of a method's summed squared errors to the best baseline's, with its interval over clips.

    condition: fields of rows that are one category, sampling, stride, split and reference, such as category="bird",
    sampling="regular", stride=8, split="unobserved", reference="truth".  A metric other than "mse" is named there too.
    Rows without a number of frames count alike.  seed: of the bootstrap.
    Raises UserError for methods without rows, and where they ran on different clips or draws.
    """
    condition = {"metric": "mse", "variant": ""} | condition
    chosen = select(rows, **condition)
    errors = {name: errors_of(select(chosen, method=name)) for name in dict.fromkeys((method, *baselines))}
    named = ", ".join(f"{key} {value}" for key, value in condition.items() if value != "")
    if missing := [name for name, known in errors.items() if not known]:
        raise UserError(f"There is no row of {', '.join(missing)} ({named}): run it on the same clips.")
    if others := [name for name, known in errors.items() if known.keys() != errors[method].keys()]:
        raise UserError(
            f"{method} and {', '.join(others)} ran on different frames ({named}): run them on the same ones."
        )
    return Comparison(method, *over_best(errors[method], {name: errors[name] for name in baselines}, seed))


def over_best(
    errors: Mapping["Frames", float], others: Mapping[str, Mapping["Frames", float]], seed: int = 0
) -> tuple[str, Ratio]:
    """The baseline of the lowest mean error over clips, and the ratio of summed errors on the same frames to its own."""
    ours, by_clip = summed_by_clip(errors), {name: summed_by_clip(known) for name, known in others.items()}
    best = best_baseline({name: list(known.values()) for name, known in by_clip.items()})
    pairs = [(error, by_clip[best][clip]) for clip, error in ours.items()]
    return best, paired_ratio(*zip(*pairs, strict=True), seed=seed)


Frames = tuple[str, int, int | None]  # clip, draw, and the seed where it decides which frames are observed


def errors_of(rows: Iterable[Row]) -> dict[Frames, float]:
    """The summed squared errors of a method on each choice of frames, means over its seeds on the same ones."""
    values: dict[Frames, list[float]] = {}
    for row in rows:
        key = row.clip, row.draw, row.seed if row.sampling == "irregular" else None
        values.setdefault(key, []).append(row.value * (row.frames or 1))
    return {key: sum(each) / len(each) for key, each in values.items()}


def summed_by_clip(errors: Mapping[Frames, float]) -> dict[str, float]:
    """The errors of all choices of frames of a clip, added."""
    clips = dict.fromkeys(clip for clip, _, _ in errors)
    return {clip: sum(value for key, value in errors.items() if key[0] == clip) for clip in clips}
