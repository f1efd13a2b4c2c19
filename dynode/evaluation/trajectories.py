"""How well trajectories interpolate the clip they were fitted to: rows for Table 1, images for Fig. 2."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch

from dynode.clips import Clip
from dynode.dynamics import methods as by_name
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.evaluation.evaluator import Evaluation, Evaluator
from dynode.evaluation.records import Row, select
from dynode.metrics import METRICS, evaluated_for
from dynode.metrics.latent import path_length, roughness, skill

TOO_EASY = "too easy: hold passes"


def splits(clip: Clip) -> dict[str, torch.Tensor]:
    """Frames (T,) bool: observed, between observed ones, and beyond them; splits without a frame are left out.

    Frames without the face are in none: their codes are no reference, but interpolated between others.
    """
    first, last = (clip.ts[clip.observed][k] for k in (0, -1))
    beyond = (clip.ts < first) | (clip.ts > last)
    held_out = ~clip.observed if clip.detected is None else ~clip.observed & clip.detected
    frames = {"observed": clip.observed, "unobserved": held_out & ~beyond, "extrapolated": held_out & beyond}
    return {split: chosen for split, chosen in frames.items() if chosen.any()}


def method_rows(result: Evaluation, linear: Evaluation, category: str = "face", **identity: Any) -> Iterator[Row]:
    """Rows of one method: every metric on every split against every reference, skill over linear, and the path.

    Skill is measured against the ground truth where it is known, else against the clip's own codes.
    """
    identity["category"] = category
    for (split, frames), metric, reference in product(
        splits(result.clip).items(), evaluated_for(category), result.references
    ):
        value = float(result.values(metric.name, reference)[frames].mean())
        if math.isfinite(value):  # the PSNR of an exact frame is not
            named: dict[str, Any] = {"split": split, "space": "image", "unit": metric.unit, "reference": reference}
            named["frames"] = int(frames.sum())
            yield Row(metric.name, value, **named, **identity)
    reference = "truth" if "truth" in result.references else "code"
    errors = (each.values("mse", reference) for each in (result, linear))
    yield from skill_rows("skill", result.clip, *errors, space="image", reference=reference, **identity)
    result.write()
    yield from latent_rows(result.clip, result.codes, linear.codes, **identity)


def reconstruction_rows(result: Evaluation, category: str) -> Iterator[Row]:
    """Error of the clip's own codes against the footage or the ground truth, left by inversion: means over all frames."""
    for metric, reference in product(evaluated_for(category), (r for r in result.references if r != "code")):
        value = float(result.references[reference].own_values(metric.name).mean())
        identity: dict[str, Any] = {"category": category, "clip": result.clip.name, "method": "own codes"}
        identity["protocol"] = result.clip.protocol
        yield Row(metric.name, value, unit=metric.unit, reference=reference, **identity)
    result.write()


def latent_rows(observed: Clip, codes: torch.Tensor, linear_codes: torch.Tensor, **identity: Any) -> Iterator[Row]:
    """What can be measured in codes (T, L, D) without rendering them: errors, skill, length and roughness of the path.

    Length and roughness are ratios to those of the clip's own path, at the clip's times.
    """
    identity["space"], own = "latent", observed.ws
    for metric in evaluated_for(identity.get("category", "face"), space="latent"):
        values = metric(codes, own)
        for split, frames in splits(observed).items():
            named = {"split": split, "unit": metric.unit, "frames": int(frames.sum())}
            yield Row(metric.name, float(values[frames].mean()), **named, **identity)
    errors = (METRICS["latent_mse"](each, own) for each in (codes, linear_codes))
    yield from skill_rows("skill_latent", observed, *errors, **identity)
    yield Row("path_length", path_length(codes) / path_length(own), unit="ratio", **identity)
    if len(own) > 2:
        value = roughness(codes, observed.ts) / roughness(own, observed.ts)
        yield Row("roughness", value, unit="ratio", **identity)


def cost_rows(fit: Trajectory, **identity: Any) -> Iterator[Row]:
    """The cost of a fit: its seconds (on this machine) and trained parameters, over all shots; the mean DEPTH that they chose."""
    for metric, unit in (("seconds", "s"), ("parameters", "")):
        total = float(sum(shot.log[metric] for shot in fit.shots))
        yield Row(metric, total, space="", unit=unit, **identity)
    if depths := [shot.log["depth"] for shot in fit.shots if "depth" in shot.log]:
        yield Row("depth", sum(depths) / len(depths), space="", **identity)


def skill_rows(
    name: str, observed: Clip, errors: torch.Tensor, linear_errors: torch.Tensor, **identity: Any
) -> Iterator[Row]:
    """Skill of errors (T,) over those of linear interpolation, on the splits that were not observed."""
    for split, frames in splits(observed).items():
        score = skill(errors[frames], linear_errors[frames])
        if split != "observed" and math.isfinite(score):
            yield Row(name, score, split=split, **identity)


def with_paper_numbers(rows: list[Row], paper: Mapping[str, Mapping[str, float]]) -> list[Row]:
    """The same rows with the paper's own numbers beside them: paper[metric][split], in the metric's unit."""
    return [
        dataclasses.replace(row, paper=paper.get(row.metric, {}).get(row.split)) if row.reference != "source" else row
        for row in rows
    ]


class ByMethod(dict[tuple[str, str, int], Evaluation]):
    """Evaluations by (method, sampling, stride); one that was not made is an error of the user, who chose the methods."""

    def __missing__(self, key: tuple[str, str, int]) -> Evaluation:
        method, sampling, stride = key
        made = ", ".join(dict.fromkeys(name for name, *_ in self))
        raise UserError(
            f"A figure or table shows {method} at {sampling} times, stride {stride}, which was not evaluated: the methods "
            f"were {made or 'none'}; keep hold, linear and dynode among them."
        )


@dataclass
class Study:
    """Rows of all runs, and for the first seed and draw the evaluations by (method, sampling, stride), for figures."""

    rows: list[Row] = field(default_factory=list)
    first: ByMethod = field(default_factory=ByMethod)

    def add(self, name: str, result: Evaluation, linear: Evaluation, **identity: Any) -> None:
        """The rows of one method, with its cost where it was trained; cached features are let go of."""
        self.rows += method_rows(result, linear, **identity)
        result.release()
        if result.trajectory.shots[0].log.get("parameters"):
            self.rows += cost_rows(result.trajectory, **identity)
        self.first.setdefault((name, identity["sampling"], identity["stride"]), result)


def study(
    clip: Clip,
    evaluator: Evaluator,
    fits: FitStore,
    *,
    methods: Sequence[str],
    samplings: Sequence[str],
    strides: Sequence[int],
    seeds: Sequence[int],
    draws: Sequence[int] = (0,),
    hidden_end: int = 0,
    settings: Mapping[str, Any] | None = None,
    latent_methods: Sequence[str] = (),
) -> Study:
    """Every method at every sampling, stride and seed: Table 1 for one clip.

    settings: {method: settings} for learned methods that do not run as their preset says.
    latent_methods: interpolations that are compared in latent space only.
    hidden_end: the last N frames are observed by no method; their rows have the split "extrapolated".
    Methods without randomness run once; irregular samplings are drawn anew for each seed, and for each of the draws.
    """
    chosen = {name: (settings or {}).get(name) or name for name in methods}
    learned = [name for name, method in chosen.items() if by_name.settings_of(method) is not None]
    conditions, result = conditions_of(samplings, strides, seeds, draws), Study()
    for name in learned:
        fits.fit_many([(clip.sampled(*each[:3], hidden_end, each[3]), each[2]) for each in conditions], chosen[name])
    for sampling, stride, seed, draw in conditions:
        observed = clip.sampled(sampling, stride, seed, hidden_end, draw)
        identity: dict[str, Any] = {"sampling": sampling, "stride": stride, "seed": seed, "draw": draw}
        identity |= {"category": evaluator.category, "clip": clip.name, "protocol": clip.protocol}
        repeated = sampling == "regular" and seed != seeds[0]  # the same frames again
        if not repeated:
            linear = evaluator.evaluate(observed, fits.fit(observed, "linear"))
        for method in () if repeated else latent_methods:
            codes = fits.fit(observed, method)(clip.ts)
            result.rows += latent_rows(observed, codes, linear.codes, method=method, **identity)
        for name, method in chosen.items():
            if name in learned or not repeated:
                fitted = linear if name == "linear" else evaluator.evaluate(observed, fits.fit(observed, method, seed))
                result.add(name, fitted, linear, method=by_name.label_of(method), **identity)
    return result


def conditions_of(
    samplings: Sequence[str], strides: Sequence[int], seeds: Sequence[int], draws: Sequence[int]
) -> list[tuple[str, int, int, int]]:
    """(sampling, stride, seed, draw) of every run; regular frames are not drawn."""
    return [
        (sampling, stride, seed, draw)
        for sampling, stride in product(samplings, strides)
        for draw in (draws if sampling == "irregular" else (0,))
        for seed in seeds
    ]


def verdict(rows: list[Row], paper: Mapping[str, Mapping[str, float]]) -> str:
    """TOO_EASY where holding the last observed frame reaches the paper's unobserved MSE, else "counts".

    Also "counts" where the paper has no number.
    """
    if "mse" not in paper:
        return "counts"
    hold = select(rows, method="hold", split="unobserved", metric="mse", reference="code")
    return TOO_EASY if hold and all(row.value <= paper["mse"]["unobserved"] for row in hold) else "counts"
