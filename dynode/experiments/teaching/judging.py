"""Checks of T4: what is learned, and what is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy
import torch

from dynode import clips
from dynode.dynamics import Trajectory, fit
from dynode.evaluation import Row
from dynode.experiments.claims.declared import Claim, claim_of
from dynode.experiments.claims.judging import Kind, judge
from dynode.experiments.teaching.checks import exercise, returned
from dynode.metrics.latent import latent_mse

RESAMPLES = 4000
SLACK = 0.1  # of an interval's width: two bootstraps differ by their random numbers
STRIDE = 3  # of the beats, at irregular times
SHARE = 0.5  # of the smooth Gaussian process's error


@exercise("T4.overshoot", "the range of the observed values, and how far the curve leaves it above and below.")
def overshoot(of: Callable) -> str:
    observed = torch.tensor([0.0, 2.0, 1.0], dtype=torch.float64)
    for curve, right, fault in (
        ([0.5, 1.5, 1.0, 0.5], 0.0, "a curve that stays between the lowest and the highest value overshoots by 0."),
        (
            [0.0, 3.0, 1.0],
            0.5,
            "above the highest value by 1, where observed values range over 2, is an overshoot of 0.5.",
        ),
        ([-1.5, 2.0, 1.0], 0.75, "below the lowest value counts as much as above the highest."),
        ([-1.5, 3.0, 1.0], 0.75, "of the two sides the farther one counts."),
    ):
        value = float(returned(of, torch.tensor(curve, dtype=torch.float64), observed))
        if abs(value - right) > 1e-9:
            return fault
    return ""


def correlated(clips: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Errors of a method and of a reference on the same clips: a few hard ones decide, so that kinds of intervals differ."""
    rng = np.random.default_rng(148)
    reference = np.exp(rng.normal(0, 1.3, clips))
    return reference * rng.uniform(0.2, 1.2, clips), reference


def resampled(errors: np.ndarray, reference: np.ndarray, paired: bool) -> tuple[np.ndarray, np.ndarray]:
    """Both errors (RESAMPLES, n) of clips that were drawn with replacement."""
    rng, size = np.random.default_rng(0), (RESAMPLES, len(errors))
    chosen = rng.integers(0, len(errors), size)
    return errors[chosen], reference[chosen if paired else rng.integers(0, len(errors), size)]


def interval_of(values: np.ndarray, share: float = 95) -> np.ndarray:
    """The middle share of values, in percent."""
    return np.percentile(values, [50 - share / 2, 50 + share / 2])


def skill_of(errors: np.ndarray, reference: np.ndarray, axis: int = -1) -> np.ndarray:
    return 1 - errors.sum(axis) / reference.sum(axis)


def by_method(method: Literal["BCa", "basic"], errors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The interval of skill by another of scipy's methods."""
    drawn = scipy.stats.bootstrap(
        (errors, reference), skill_of, paired=True, n_resamples=RESAMPLES, method=method, rng=0
    )
    return np.array(drawn.confidence_interval)


def intervals_of(errors: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
    """The interval that is wanted, under "", and those that are not, each under its hint."""
    one, two = resampled(errors, reference, paired=True)
    skill = skill_of(one, two)
    return {
        "": interval_of(skill),
        "that is the interval of the middle 90 %: 95 % are wanted.": interval_of(skill, 90),
        "that is the interval of the ratio: skill is one minus it.": interval_of(1 - skill),
        "a mean of ratios lets an easy clip decide: sum first, divide afterwards.": interval_of(
            1 - (one / two).mean(1)
        ),
        "both errors of a clip belong together: draw them as a pair.": interval_of(
            skill_of(*resampled(errors, reference, paired=False))
        ),
        "that is the BCa interval, scipy's default: its method `percentile` is wanted.": by_method(
            "BCa", errors, reference
        ),
        "that is the basic interval: the method `percentile` is wanted.": by_method("basic", errors, reference),
    }


@exercise("T4.interval", "scipy.stats.bootstrap of the pair (errors, reference), paired, by percentiles.")
def interval(of: Callable) -> str:
    errors, reference = correlated()
    got = np.asarray(returned(of, errors, reference), dtype=float)
    if got.shape != (2,) or not got[0] < got[1]:
        return "two numbers are wanted, the lower end and the upper."
    intervals = intervals_of(errors, reference)
    off = {fault: np.abs(got - each).max() / (each[1] - each[0]) for fault, each in intervals.items()}
    nearest = min(off, key=off.__getitem__)
    return (
        nearest
        if off[nearest] < SLACK
        else "it is not the 95 % percentile interval of 1 - sum(errors) / sum(reference)."
    )


@exercise("T4.verdict", "a claim holds where the whole interval is on one side of 0.")
def verdict(of: Callable[[float, float], str]) -> str:
    for low, high, right, fault in (
        (0.1, 0.3, "better", "where even the lower end is above 0 the method is better."),
        (-0.4, -0.2, "worse", "where even the upper end is below 0 the method is worse."),
        (-0.3, 0.1, "level", "an interval that holds 0 decides nothing, whatever lies in its middle: level."),
        (-0.1, 0.9, "level", "an interval that holds 0 decides nothing, whatever lies in its middle: level."),
    ):
        if returned(of, low, high) != right:
            return f'"better", "worse" or "level" is wanted: {fault}'
    return ""


@exercise("T4.beats", "dynode.fit(beats, method): which method can know that a beat is like the last one?")
def beats(path: Any) -> str:
    if not isinstance(path, Trajectory):
        return "a path is wanted, as dynode.fit returns it."
    whole = clips.load("bird.beats")
    observed = whole.sampled("irregular", STRIDE)
    if path.meta.get("clip", {}).get("name") != whole.name:
        return "the path is of another clip: fit `beats`."
    if path.meta["observed"] != observed.observed.tolist():
        return "the path was fitted to other frames: a method may see the observed frames of `beats` alone."
    hidden = ~observed.observed
    errors = [float(latent_mse(each(whole.ts[hidden]), whole.ws[hidden]).sum()) for each in (path, fit(observed, "gp"))]
    if errors[0] > SHARE * errors[1]:
        share = errors[0] / errors[1]
        return (
            f"its error is {share:.2f} of the Gaussian process's, {SHARE:g} is wanted: smoothness alone is not enough."
        )
    return ""


@dataclass(frozen=True)
class Course:
    """An item with one claim, as the judge wants it."""

    claims: tuple[Claim, ...]
    name: str = "course"


def rows_of(errors: Mapping[str, float], sampling: str = "irregular", split: str = "unobserved") -> list[Row]:
    """Rows of twelve clips, whose errors are these by method, times 0.9 to 1.1."""
    return [
        Row(
            "latent_mse", error * (0.9 + 0.2 * k / 11), category="bird", clip=f"bird.beats.{k}", method=method,
            sampling=sampling, stride=STRIDE, split=split, reference="code", space="latent", frames=30,
        )
        for method, error in errors.items()
        for k in range(12)
    ]  # fmt: skip


def judged(entry: Mapping[str, Any], rows: list[Row]) -> Kind:
    return judge(rows, Course((claim_of("course", entry),)))[0].kind


@exercise("T4.claim", "row, to, quantity, at_most and control: each is one line of the entry.")
def claim(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return "an entry is a dictionary, as those of experiments.yaml are."
    for name in ("row", "to", "control"):
        if not isinstance(entry.get(name, {}), Mapping):
            return f"`{name}` is a dictionary of fields of rows and their values."
    quantity = entry.get("quantity")
    if isinstance(quantity, Mapping) and quantity.get("end", "value") not in ("value", "low", "high"):
        return "the end of a quantity is its `value`, or that of its interval, `low` or `high`."
    claim_of("course", entry)  # raises the sentence that a wrong entry in experiments.yaml gets
    good = {"gp": 1.0, "cubic": 2.0, "gp_periodic": 0.2}
    elsewhere = rows_of(good | {"gp_periodic": 5.0}, "regular") + rows_of(good | {"gp_periodic": 5.0}, split="observed")
    for rows, right, fault in (
        (rows_of(good), Kind.PASS, "a fifth of the error on every clip must be a PASS."),
        (rows_of(good | {"gp_periodic": 0.6}), Kind.FAIL, "six tenths of the error must be a FAIL: look at the bound."),
        (rows_of(good | {"gp_periodic": 0.51}), Kind.FAIL, "0.51 of the error must be a FAIL: look at the bound."),
        (
            rows_of(good | {"cubic": 0.3}),
            Kind.TOO_EASY,
            "where the cubic keeps to the bound too, it is TOO EASY: control.",
        ),
        (
            rows_of(good) + elsewhere,
            Kind.PASS,
            "rows of other samplings and of observed frames must have no part in it: row.",
        ),
    ):
        if (kind := judged(entry, rows)) is Kind.MISSING:
            return "on made-up rows the judge finds none that is meant, or none to compare it with: row, to."
        if kind is not right:
            return f"on made-up rows the judge says {kind}: {fault}"
    return claims_interval(entry)


def claims_interval(entry: Mapping[str, Any]) -> str:
    """Whether the upper end of the interval decides: one hard clip on which the method fails makes it wide."""
    rows = rows_of({"gp": 1.0, "cubic": 2.0, "gp_periodic": 0.35})
    worst = [row for row in rows if row.clip == "bird.beats.11" and row.method == "gp_periodic"]
    others = [row for row in rows if row not in worst]
    uneven = [*others, *(Row(**{**vars(row), "value": 2.0}) for row in worst)]
    if judged(entry, uneven) is not Kind.FAIL:
        return (
            "where one clip of twelve decides, the upper end of the interval is above the bound: quantity, and its end."
        )
    return ""
