"""Ablations run: fits of every variant and their errors, in codes on every clip, in images on worlds with ground truth."""

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.fitting import batched
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.solvers.rollout import SolverError
from dynode.dynamics.state_spaces import Subspace
from dynode.dynamics.trajectory import Trajectory
from dynode.dynamics.trend import noise_std
from dynode.errors import UserError
from dynode.evaluation import Evaluator
from dynode.evaluation.records import Row
from dynode.experiments.ablations.conditions import Condition, code_std
from dynode.experiments.ablations.variants import Ablation, Variant, row_variant
from dynode.metrics.latent import latent_mse, skill
from dynode.settings import changed

Observed = list[tuple[Clip, Clip, int]]  # a clip, the clip as observed, the seed
IMAGE_METRICS = ("mse", "lpips_alex")


def observed_under(condition: Condition, footage: Iterable[Clip], seeds: Iterable[int]) -> Observed:
    """Every clip, as observed with every seed."""
    return [(clip, condition.observe(clip, seed), seed) for clip in footage for seed in seeds]


def fit_variant(variant: Variant, observed: Observed, store: FitStore, max_iterations: int = 0) -> list[Trajectory]:
    """A path for each; batched fits are not stored, because storing and reading them takes longer than fitting."""
    settings = variant.settings(max_iterations)
    if settings is None:
        return [methods.fit(clip, variant.base) for _, clip, _ in observed]
    if batched.can_batch(settings):
        fits = methods.fit_many([clip for _, clip, _ in observed], settings, seeds=[seed for *_, seed in observed])
    else:
        fits = [store.fit(clip, settings, seed) for _, clip, seed in observed]
    return [solved_with(fit, variant.solve_with) for fit in fits] if variant.solve_with else fits


def solved_with(fit: Trajectory, changes: dict[str, Any]) -> NeuralODE:
    """The same fit, solved under other settings.  Raises UserError for a clip with cuts."""
    if not isinstance(fit, NeuralODE):
        raise UserError(f"Only the neural ODE of one shot has settings to solve with, got a {type(fit).__name__}.")
    return dataclasses.replace(fit, settings=changed(fit.settings, changes))


def latent_rows(
    ablations: dict[str, Ablation], footage: list[Clip], seeds: list[int], store: FitStore, max_iterations: int = 0
) -> list[Row]:
    """Rows of every ablation in codes: skill, error at the observations, seconds of a fit.

    max_iterations: limit of every fit; 0: as the variants say.
    """
    jobs = [(name, variant) for name, ablation in ablations.items() for variant in ablation.variants]
    rows = []
    for name, variant in tqdm(jobs, desc="ablations", unit="variant", mininterval=2):
        ablation = ablations[name]
        paths = fit_paths(ablation, variant, clips_for(ablation, footage), seeds, store, max_iterations)
        rows += path_rows(name, ablation, variant, paths)
    return rows


def clips_for(ablation: Ablation, footage: list[Clip]) -> list[Clip]:
    """The clips that an ablation is evaluated on: all, or the first few of worlds (where there are any)."""
    worlds = [clip for clip in footage if "episode" in clip.meta]
    return worlds[: ablation.worlds] if ablation.worlds and worlds else footage


def fit_paths(
    ablation: Ablation, name: str, footage: list[Clip], seeds: list[int], store: FitStore, max_iterations: int = 0
) -> dict[tuple[str, str, int], tuple[Clip, Clip, Trajectory]]:
    """(condition, clip's name, seed) -> the clip, the clip as observed, the path; of one variant, all fitted at once.

    What has no randomness runs for the first seed only.
    """
    variant, observed = ablation.variants[name], {}
    for key, condition in ablation.conditions.items():
        some = seeds if variant.random or condition.random else seeds[:1]
        for each in observed_under(condition, footage, some):
            observed[key, each[0].name, each[2]] = each
    paths = fit_variant(variant, list(observed.values()), store, max_iterations)
    return {key: (*each[:2], path) for (key, each), path in zip(observed.items(), paths, strict=True)}


def path_rows(name: str, ablation: Ablation, variant: str, paths: dict[tuple, tuple]) -> Iterator[Row]:
    """Rows of fitted paths; `name` is the ablation's own.  A path whose solver fails has no rows."""
    for (condition, _, seed), (clip, observed, path) in paths.items():
        identity: dict[str, Any] = {
            "category": category_of(clip),
            "clip": clip.name,
            "method": ablation.variants[variant].label,
            "variant": row_variant(name, variant, condition),
            "space": "latent",
        }
        with contextlib.suppress(SolverError):
            scores = path_scores(path, clip, observed, ablation.conditions[condition], ablation.baseline)
            for metric, value in scores.items():
                if math.isfinite(value):
                    yield Row(metric, value, seed=seed, **identity)


def category_of(clip: Clip) -> str:
    """The world of an episode; "face"; or "" for a path that belongs to no generator."""
    if "episode" in clip.meta:
        return clip.meta["episode"]["world"]
    return "face" if "generator" in clip.meta else ""


def path_scores(path: Trajectory, clip: Clip, observed: Clip, condition: Condition, baseline: str) -> dict[str, float]:
    """Skill over the baseline and the error at the evaluated frames and at the observations, the errors as fractions of
    the codes' variance.

    A blended path interpolates its observations: its error there is that of the solves from neighbour to neighbour.
    """
    frames, variance = condition.evaluated(observed), code_std(clip.ws) ** 2
    errors, others = (latent_mse(each(clip.ts), clip.ws) for each in (path, methods.fit(observed, baseline)))
    scores = {
        "skill_latent": skill(errors[frames], others[frames]),
        "share_of_variance": float(errors[frames].mean()) / variance,
    }
    if isinstance(path, NeuralODE):
        rolled = path.settings.path == "rollout"
        missed = float(errors[observed.observed].mean()) / variance if rolled else path.log["observed_error"]
        scores |= {"missed": missed, "seconds": path.log["seconds"]}
    return scores


def image_rows(
    name: str,
    ablation: Ablation,
    evaluator: Evaluator,
    clip: Clip,
    seeds: list[int],
    store: FitStore,
    max_iterations: int = 0,
) -> Iterator[Row]:
    """Rows in images against the ground truth: MSE, LPIPS-Alex and skill over linear interpolation at unobserved frames."""
    observed = Condition().observe(clip, 0)
    frames, linear = Condition().evaluated(observed), evaluator.evaluate(observed, methods.fit(observed, "linear"))
    base = linear.values("mse", "truth")[frames]
    for key, variant in tqdm(ablation.variants.items(), desc=f"{name}, {clip.name}", unit="variant", mininterval=2):
        runs = observed_under(Condition(), [clip], seeds if variant.random else seeds[:1])
        for (*_, seed), path in zip(runs, fit_variant(variant, runs, store, max_iterations), strict=True):
            result = evaluator.evaluate(observed, path)
            values = {metric: result.values(metric, "truth")[frames] for metric in IMAGE_METRICS}
            scores = {metric: float(each.mean()) for metric, each in values.items()}
            scores |= {"skill": skill(values["mse"], base), "seconds": path.log.get("seconds", 0.0)}
            identity: dict[str, Any] = {"category": evaluator.category, "clip": clip.name, "method": variant.label}
            for metric, value in scores.items():
                yield Row(metric, value, reference="truth", variant=row_variant(name, key), seed=seed, **identity)


def estimated_noise_rows(condition: Condition, footage: list[Clip], seeds: list[int]) -> Iterator[Row]:
    """The noise level that a trend estimates in observed codes, as a fraction of the clean codes' standard deviation.

    Inverted codes jitter themselves: the estimate should grow as sqrt(own^2 + added^2).
    """
    for clip, observed, seed in observed_under(condition, footage, seeds if condition.random else seeds[:1]):
        codes, ts = observed.observations().ws, observed.observations().ts
        space = Subspace.fit(codes)
        states = space.encode(codes)  # all of the noise lies in their few numbers
        level = noise_std(ts, states) * float(space.sigma) * (states[0].numel() / codes[0].numel()) ** 0.5
        identity: dict[str, Any] = {"category": category_of(clip), "clip": clip.name, "space": "latent"}
        variant = row_variant("jitter", "found", str(condition.noise))
        yield Row("noise_found", level / code_std(clip.ws), variant=variant, seed=seed, **identity)
