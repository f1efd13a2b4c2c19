"""Comparison of two methods on the same clips: a ratio of summed squared errors, a mean difference, with confidence intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

RESAMPLES = 9999
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """The errors of a method over those of a baseline on `clips` clips, summed, and a confidence interval over clips.

    low and high are NaN for a single clip, which says nothing about others.
    """

    value: float
    low: float
    high: float
    clips: int

    def __str__(self):
        interval = "(one clip)" if math.isnan(self.low) else f"[{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f} {interval}"


@dataclass(frozen=True)
class Difference:
    """A mean difference over videos of `clips` clips by `edits` edits each, and a confidence interval over both.

    low and high are NaN where there is one clip or one edit.
    """

    value: float
    low: float
    high: float
    clips: int
    edits: int


def ratio_of_sums(errors: Any, baseline: Any, axis: int = -1) -> Any:
    """The sum of errors (..., N) over that of a baseline's on the same clips."""
    return np.sum(errors, axis) / np.sum(baseline, axis)


def paired_ratio(
    errors: Sequence[float], baseline: Sequence[float], *, confidence: float = CONFIDENCE, seed: int = 0
) -> Ratio:
    """The ratio of summed errors with its interval by the paired bootstrap over clips, expanded percentiles.

    errors, baseline: summed squared errors of each clip, in the same order; both of a clip are drawn together.
    Of 12 clips with log-normal errors the interval holds the true ratio in 90 to 92 of 100 cases; plain percentiles and BCa
    hold it in 81 to 87.  Raises ValueError for lists of different lengths, without a clip, or a baseline without an error.
    """
    pair = np.asarray(errors, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if pair[0].shape != pair[1].shape or pair[0].ndim != 1 or not len(pair[0]):
        raise ValueError(f"errors of the same clips were wanted, got {pair[0].shape} and {pair[1].shape}")
    if pair[1].min() <= 0:
        raise ValueError("the baseline makes no error on some clip: a draw of that one would have no ratio to it")
    value, clips = float(ratio_of_sums(*pair)), len(pair[0])
    if clips == 1:
        return Ratio(value, float("nan"), float("nan"), clips)
    counts, tail = drawn(clips, seed, RESAMPLES), 50 * (1 - expanded(confidence, clips))
    low, high = np.percentile((counts @ pair[0]) / (counts @ pair[1]), [tail, 100 - tail])
    return Ratio(value, float(low), float(high), clips)


def crossed_difference(differences: Any, *, confidence: float = CONFIDENCE, seed: int = 0) -> Difference:
    """The mean of differences (clips, edits) with its interval, expanded percentiles of the pigeonhole bootstrap.

    Clips and edits are drawn independently of each other, as the videos of one clip, or of one edit, are not (Owen 2007,
    "The pigeonhole bootstrap"); it errs on the side of wide intervals.  Raises ValueError for anything but a table of numbers.
    """
    table = np.asarray(differences, dtype=np.float64)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"a number for each clip and edit was wanted, got {table.shape}")
    value, (clips, edits) = float(table.mean()), table.shape
    if min(table.shape) == 1:
        return Difference(value, float("nan"), float("nan"), clips, edits)
    of_clips, of_edits = drawn(clips, seed, RESAMPLES), drawn(edits, seed + 1, RESAMPLES)
    means = np.einsum("rc,ce,re->r", of_clips, table, of_edits) / table.size
    tail = 50 * (1 - expanded(confidence, min(table.shape)))
    low, high = np.percentile(means, [tail, 100 - tail])
    return Difference(value, float(low), float(high), clips, edits)


@cache
def drawn(clips: int, seed: int, resamples: int) -> np.ndarray:
    """How often each clip is drawn in each resample (resamples, clips)."""
    chosen = np.random.default_rng(seed).integers(0, clips, (resamples, clips))
    return (chosen[..., None] == np.arange(clips)).sum(1).astype(np.float64)


@cache
def expanded(confidence: float, clips: int) -> float:
    """The level of percentiles whose interval is as wide as Student's of so few clips (Hesterberg 2015, section 3.3)."""
    from scipy.special import ndtr, stdtrit  # those of scipy.stats, which takes a second to import

    quantile = (clips / (clips - 1)) ** 0.5 * stdtrit(clips - 1, (1 + confidence) / 2)
    return float(ndtr(quantile) - ndtr(-quantile))


def best_baseline(errors: Mapping[str, Sequence[float]]) -> str:
    """The name of the baseline with the lowest mean error; of equals the first.  errors: name -> those of the same clips."""
    return min(errors, key=lambda name: float(np.mean(errors[name])))
