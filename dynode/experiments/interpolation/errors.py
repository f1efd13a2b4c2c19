"""How far what a method puts between its observations lies from the densest truth there is.

Of codes that is the path of the clip's own, frame by frame; of a world's images it is any moment of the episode, so that
times between the frames count too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics import methods as by_name
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.dynamics.trajectory import Trajectory
from dynode.editing.propagation import propagate
from dynode.evaluation.records import Row
from dynode.evaluation.trajectories import NETWORKS, Looked, resolution_for, splits
from dynode.inversion.frame_sources import truth_at
from dynode.metrics import METRICS
from dynode.metrics.latent import mean_step

CODE_METRICS = ("code_distance", "curve_distance")
IMAGE_METRICS = ("mse", "lpips_alex")


def refined(ts: torch.Tensor, rate: int) -> torch.Tensor:
    """Times (T,) with every interval between them cut into `rate` equal parts, ((T - 1) * rate + 1,)."""
    share = torch.arange(rate, dtype=ts.dtype) / rate
    return torch.cat([(ts[:-1, None] + share * ts.diff()[:, None]).flatten(), ts[-1:]])


class DenseTruth:
    """Pictures of a clip's episode at `rate` times its frame rate, for comparison with paths.

    ts (S,): their times in seconds.
    """

    def __init__(self, clip: Clip, generator, rate: int = 3):
        self.generator, self.rate, self.ts = generator, rate, refined(clip.ts, rate)
        self.networks = {"lpips_alex": NETWORKS["lpips_alex"]()}
        self.truth = Looked(truth_at(clip, self.ts, resolution_for(generator)), self.networks)

    def hidden(self, clip: Clip) -> torch.Tensor:
        """Which times (S,) bool lie between the clip's observations and at none of them."""
        seen = clip.ts[clip.observed]
        return ~torch.isin(self.ts, seen) & (self.ts > seen[0]) & (self.ts < seen[-1])

    def errors(self, path: Trajectory, at: torch.Tensor) -> dict[str, torch.Tensor]:
        """Values (S,) of the image metrics, NaN but at the times `at` (S,) bool; codes that are the same are rendered once."""
        codes, where = torch.unique(path(self.ts[at]), dim=0, return_inverse=True)
        made = Looked(generators.render(self.generator, codes, resolution_for(self.generator)), self.networks)
        found = {}
        for name in IMAGE_METRICS:
            pair = made.by(name, where), self.truth.by(name, at.nonzero().flatten())
            found[name] = torch.full((len(at),), torch.nan, dtype=torch.float64)
            found[name][at] = METRICS[name].compute(*pair, *made.network(METRICS[name]))
        return found


def code_rows(shown: Clip, path: Trajectory, **identity) -> Iterator[Row]:
    """Distances of the path's codes from the clip's own at the frames between the observed ones, in the clip's steps."""
    hidden, codes = splits(shown).get("unobserved", ~shown.observed), path(shown.ts)
    for name in CODE_METRICS:
        value = float(METRICS[name](codes, shown.ws)[hidden].mean())
        yield Row(name, value, split="unobserved", space="latent", unit=METRICS[name].unit, **identity)


def span_row(shown: Clip, **identity) -> Row:
    """How far the codes between lie from the affine space that the observed ones span: no path in it comes nearer."""
    hidden = splits(shown).get("unobserved", ~shown.observed)
    outside = PrincipalAxes.of(shown.ws[shown.observed]).outside(shown.ws).sqrt()[hidden].mean() / mean_step(shown.ws)
    named = {"method": "nearest in the span", "split": "unobserved", "space": "latent", "unit": "steps"}
    return Row("code_distance", float(outside), **named, **identity)


def variance_rows(shown: Clip, plane: PrincipalAxes, **identity) -> Iterator[Row]:
    """How much of a clip's path its first components are, and how much the span of its observed codes leaves out."""
    outside = PrincipalAxes.of(shown.ws[shown.observed]).outside(shown.ws).sum()
    whole = (shown.ws.double() - plane.centre).square().sum()
    shares = dict(zip(("component 1", "component 2", "component 3"), plane.share.tolist(), strict=False))
    shares |= {"first two": float(plane.share[:2].sum()), "outside the span": float(outside / whole)}
    for name, value in shares.items():
        yield Row("explained_variance", value, variant=name, space="latent", unit="share", **identity)
    for share in (0.9, 0.99):
        named = {"variant": f"to {100 * share:.0f} %", "space": "latent"}
        yield Row("components", float(plane.reaching(share)), **named, **identity)


@dataclass
class Study:
    """Rows of all runs, and of the first one the image errors over time, method -> metric -> values (S,) at the times of
    the truth, NaN at the observed ones."""

    rows: list[Row] = field(default_factory=list)
    first: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)


def study(
    clip: Clip,
    store: FitStore,
    truth: DenseTruth | None,
    *,
    methods,
    samplings,
    stride: int,
    seeds,
    settings=None,
    progress=None,
) -> Study:
    """Every method under every sampling and seed, in codes, and in images where the truth is known at all times.

    settings: {method: settings} of learned methods that do not run as their preset says.
    Methods without randomness run once under regular sampling; irregular ones are drawn anew for each seed.
    """
    found, chosen = Study(), {name: (settings or {}).get(name) or by_name.LEARNED.get(name) for name in methods}
    conditions = list(product(samplings, seeds))
    for one in chosen.values():
        store.fit_together(one, [(clip.sampled(sampling, stride, seed), seed) for sampling, seed in conditions])
    category = generators.category_of(clip.meta["generator"])
    for sampling, seed in conditions:
        shown, repeated = clip.sampled(sampling, stride, seed), sampling == "regular" and seed != seeds[0]
        named = {"category": category, "clip": clip.name, "sampling": sampling, "stride": stride, "seed": seed}
        found.rows += [] if repeated else [span_row(shown, **named)]
        for name in (name for name in methods if not repeated or chosen[name]):
            path, label = store.fit(name, shown, chosen[name], seed), chosen[name].label if chosen[name] else name
            found.rows += code_rows(shown, path, method=label, **named)
            if truth is not None:
                errors = truth.errors(path, truth.hidden(shown))
                found.rows += image_rows(errors, truth, method=label, **named)
                found.first.setdefault(label, errors)
            if progress is not None:
                progress.update()
    return found


def image_rows(errors: dict[str, torch.Tensor], truth: DenseTruth, **identity) -> Iterator[Row]:
    """Means of image errors; the variant says how densely they were looked for."""
    named = {"split": "unobserved", "reference": "truth", "variant": f"{truth.rate} x the frame rate"}
    for name, values in errors.items():
        yield Row(name, float(values.nanmean()), unit=METRICS[name].unit, **named, **identity)


def judged(rows: list[Row]) -> list[Row]:
    """Of the rows between observations those with the best reference there is: a world's dense truth in images, else the
    images of a clip's own codes; all rows in codes, and what a world's own codes miss of the truth."""
    dense = {row.clip for row in rows if row.variant.endswith("x the frame rate")}
    kept = {clip: ("truth", True) for clip in dense}
    return [
        row
        for row in rows
        if row.space == "latent"
        or row.method == "own codes"
        or (row.reference, bool(row.variant)) == kept.get(row.clip, ("code", False))
    ]


def edit_rows(shown: Clip, path: Trajectory, edited: torch.Tensor, **identity) -> Iterator[Row]:
    """How near the edit of the first code, an offset carried along a path, comes to every code edited, at hidden frames.

    edited (T, L, D).  Shares of the first edit's length: the whole error; what of it the path misses; what the edit itself changes.
    """
    hidden, offset = ~shown.observed, (edited[0] - shown.ws[0]).double()
    carried = propagate(path, shown.ws[0], edited[0])(shown.ts)
    own, true, codes, carried = (ws[hidden].double() for ws in (shown.ws, edited, path(shown.ts), carried))
    for name, error in (
        ("carried_edit_error", carried - true),
        ("path_error", codes - own),
        ("edit_change", true - own - offset),
    ):
        value = float(error.flatten(1).norm(dim=1).mean() / offset.norm())
        yield Row(name, value, split="unobserved", space="latent", unit="share of the edit", **identity)
