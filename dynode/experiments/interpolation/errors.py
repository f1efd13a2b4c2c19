"""Interpolation error against densely sampled ground truth.

Of codes the ground truth is the clip's own path, frame by frame; of a world's images it is known at any moment of the
episode, so that times between the frames count too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
from tqdm import tqdm

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.methods import label_of, settings_of
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.dynamics.trajectory import Trajectory
from dynode.editing.propagation import propagate
from dynode.evaluation.evaluator import ImageFeatures, compared, networks_for, resolution_for
from dynode.evaluation.records import Row
from dynode.evaluation.trajectories import splits
from dynode.generators.protocol import Generator
from dynode.inversion.frame_sources import truth_at
from dynode.metrics import METRICS
from dynode.metrics.latent import mean_step

CODE_METRICS = ("code_distance", "curve_distance")
IMAGE_METRICS = ("mse", "lpips_alex")


def refined(ts: torch.Tensor, rate: int) -> torch.Tensor:
    """Times (T,) with every interval between them cut into `rate` equal parts, ((T - 1) * rate + 1,)."""
    fraction = torch.arange(rate, dtype=ts.dtype) / rate
    return torch.cat([(ts[:-1, None] + fraction * ts.diff()[:, None]).flatten(), ts[-1:]])


class DenseTruth:
    """Images of a clip's episode at `rate` times its frame rate, the ground truth of paths.

    ts (S,): their times in seconds.
    """

    def __init__(self, clip: Clip, generator: Generator, rate: int = 3):
        self.generator, self.rate, self.ts = generator, rate, refined(clip.ts, rate)
        self.networks = networks_for(METRICS[name] for name in IMAGE_METRICS)
        self.truth = ImageFeatures(truth_at(clip, self.ts, resolution_for(generator)), self.networks)

    def unobserved(self, clip: Clip) -> torch.Tensor:
        """Which times (S,) bool lie between the clip's observations and at none of them."""
        observed = clip.ts[clip.observed]
        return ~torch.isin(self.ts, observed) & (self.ts > observed[0]) & (self.ts < observed[-1])

    def errors(self, path: Trajectory, at: torch.Tensor) -> dict[str, torch.Tensor]:
        """Values (S,) of the image metrics, NaN but at the times `at` (S,) bool; equal codes are rendered once."""
        codes, index = torch.unique(path(self.ts[at]), dim=0, return_inverse=True)
        images = generators.render(self.generator, codes, resolution_for(self.generator))
        features, values = ImageFeatures(images, self.networks), {}
        for name in IMAGE_METRICS:
            values[name] = torch.full((len(at),), torch.nan, dtype=torch.float64)
            values[name][at] = compared(name, features, self.truth, index, at.nonzero().flatten())
        return values


def between(observed: Clip) -> torch.Tensor:
    """Unobserved frames (T,) bool between observed ones; all unobserved ones where there are none between."""
    return splits(observed).get("unobserved", ~observed.observed)


def code_rows(observed: Clip, path: Trajectory, **identity: Any) -> Iterator[Row]:
    """Distances of the path's codes from the clip's own at the frames between the observed ones, in the clip's steps."""
    frames, codes = between(observed), path(observed.ts)
    for name in CODE_METRICS:
        value = float(METRICS[name](codes, observed.ws)[frames].mean())
        yield Row(name, value, split="unobserved", space="latent", unit=METRICS[name].unit, **identity)


def span_row(observed: Clip, **identity: Any) -> Row:
    """Mean distance of the unobserved codes from the affine space that the observed ones span: a lower bound for every
    path that stays in it."""
    outside = (
        PrincipalAxes.of(observed.ws[observed.observed]).squared_distance(observed.ws).sqrt()[between(observed)].mean()
    )
    identity |= {"method": "nearest in the span", "split": "unobserved", "space": "latent", "unit": "steps"}
    return Row("code_distance", float(outside / mean_step(observed.ws)), **identity)


def variance_rows(observed: Clip, plane: PrincipalAxes, **identity: Any) -> Iterator[Row]:
    """Explained variance of a clip's first components, the number of components that reach 90 and 99 %, and the fraction
    outside the span of the observed codes."""
    outside = PrincipalAxes.of(observed.ws[observed.observed]).squared_distance(observed.ws).sum()
    whole = (observed.ws.double() - plane.centre).square().sum()
    fractions = dict(zip(("component 1", "component 2", "component 3"), plane.fractions.tolist(), strict=False))
    fractions |= {"first two": float(plane.fractions[:2].sum()), "outside the span": float(outside / whole)}
    for name, value in fractions.items():
        yield Row("explained_variance", value, variant=name, space="latent", unit="share", **identity)
    for level in (0.9, 0.99):
        variant = f"to {100 * level:.0f} %"
        yield Row("components", float(plane.components_for(level)), variant=variant, space="latent", **identity)


@dataclass
class InterpolationErrors:
    """Rows of all runs, and of the first one the image errors over time, method -> metric -> values (S,) at the times of
    the dense truth, NaN at the observed ones."""

    rows: list[Row] = field(default_factory=list)
    first: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)


def measure(
    clip: Clip,
    store: FitStore,
    truth: DenseTruth | None,
    *,
    methods: Sequence[str],
    samplings: Sequence[str],
    stride: int,
    seeds: Sequence[int],
    settings: Mapping[str, Any] | None = None,
    progress: tqdm | None = None,
) -> InterpolationErrors:
    """Errors of every method under every sampling and seed, in codes, and in images where there is a dense truth.

    settings: {method: settings} of learned methods that do not run as their preset says.
    Methods without randomness run once under regular sampling; irregular samplings are drawn anew for each seed.
    """
    result, chosen = InterpolationErrors(), {name: (settings or {}).get(name) or settings_of(name) for name in methods}
    runs = [(clip.sampled(sampling, stride, seed), sampling, seed) for sampling, seed in product(samplings, seeds)]
    clips = [(observed, seed) for observed, _, seed in runs]
    fits = {name: store.fit_many(clips, one) for name, one in chosen.items() if one is not None}
    category = generators.category_of(clip.meta["generator"])
    for k, (observed, sampling, seed) in enumerate(runs):
        identity = {"category": category, "clip": clip.name, "sampling": sampling, "stride": stride, "seed": seed}
        repeated = sampling == "regular" and seed != seeds[0]
        result.rows += [] if repeated else [span_row(observed, **identity)]
        for name in (name for name in methods if not repeated or name in fits):
            path = fits[name][k] if name in fits else store.fit(observed, name)
            label = label_of(chosen[name] or name)
            result.rows += code_rows(observed, path, method=label, **identity)
            if truth is not None:
                errors = truth.errors(path, truth.unobserved(observed))
                result.rows += image_rows(errors, truth, method=label, **identity)
                result.first.setdefault(label, errors)
            if progress is not None:
                progress.update()
    return result


def image_rows(errors: dict[str, torch.Tensor], truth: DenseTruth, **identity: Any) -> Iterator[Row]:
    """Means of image errors; the variant is the rate at which they were evaluated."""
    identity |= {"split": "unobserved", "reference": "truth", "variant": f"{truth.rate} x the frame rate"}
    for name, values in errors.items():
        yield Row(name, float(values.nanmean()), unit=METRICS[name].unit, **identity)


def best_referenced(rows: list[Row]) -> list[Row]:
    """Of the rows between observations those with the best reference available: a world's dense truth in images, else
    the images of a clip's own codes; all rows in codes, and the errors of a world's own codes against the truth."""
    dense = {row.clip for row in rows if row.variant.endswith("x the frame rate")}
    kept = {clip: ("truth", True) for clip in dense}
    return [
        row
        for row in rows
        if row.space == "latent"
        or row.method == "own codes"
        or (row.reference, bool(row.variant)) == kept.get(row.clip, ("code", False))
    ]


def edit_rows(observed: Clip, path: Trajectory, edited: torch.Tensor, **identity: Any) -> Iterator[Row]:
    """Error of the first code's edit, an offset propagated along a path, against every code edited, at unobserved frames.

    edited (T, L, D).  Fractions of the first edit's length: the whole error; the path's error; the change of the edit.
    """
    unobserved, offset = ~observed.observed, (edited[0] - observed.ws[0]).double()
    propagated = propagate(path, observed.ws[0], edited[0])(observed.ts)
    codes = (observed.ws, edited, path(observed.ts), propagated)
    own, true, predicted, propagated = (ws[unobserved].double() for ws in codes)
    for name, error in (
        ("carried_edit_error", propagated - true),
        ("path_error", predicted - own),
        ("edit_change", true - own - offset),
    ):
        value = float(error.flatten(1).norm(dim=1).mean() / offset.norm())
        yield Row(name, value, split="unobserved", space="latent", unit="share of the edit", **identity)
