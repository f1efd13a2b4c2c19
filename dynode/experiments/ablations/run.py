"""Questions are answered by fits and their errors: in codes on every clip, in images on worlds whose truth is known."""

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.fitting import batched
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.solvers.rollout import SolverError
from dynode.dynamics.state_spaces import Subspace
from dynode.dynamics.trend import noise_of
from dynode.evaluation.records import Row
from dynode.evaluation.trajectories import Evaluator
from dynode.experiments.ablations.conditions import Condition, spread
from dynode.experiments.ablations.variants import Question, Way, variant
from dynode.metrics.latent import latent_mse, skill
from dynode.settings import changed

Shown = list[tuple[Clip, Clip, int]]  # a clip, what is seen of it, the seed
PICTURED = ("mse", "lpips_alex")


def shown_under(condition: Condition, footage: Iterable[Clip], seeds: Iterable[int]) -> Shown:
    return [(clip, condition.shown(clip, seed), seed) for clip in footage for seed in seeds]


def fits_of(way: Way, shown: Shown, store: FitStore, most: int = 0) -> list:
    """A path for each; many small fits go together, which takes less time than to store and read them."""
    settings = way.settings(most)
    if settings is None:
        return [methods.fit(way.base, seen) for _, seen, _ in shown]
    if batched.can(settings):
        fits = batched.fit([seen for _, seen, _ in shown], [seed for *_, seed in shown], settings)
    else:
        fits = [store.fit(way.base, seen, settings, seed) for _, seen, seed in shown]
    return [read_by(fit, way.reading) for fit in fits] if way.reading else fits


def read_by(fit, changes: dict):
    """The same fit, solved under other settings."""
    return dataclasses.replace(fit, settings=changed(fit.settings, changes))


def ask(
    questions: dict[str, Question], footage: list[Clip], seeds: list[int], store: FitStore, most: int = 0
) -> list[Row]:
    """Rows of every question in codes: skill, what is missed at the observations, seconds of a fit.

    most: at most so many iterations of every fit, 0: as the questions say.
    """
    jobs, found = [(name, way) for name, question in questions.items() for way in question.ways], []
    for name, way in tqdm(jobs, desc="ask", unit="variant", mininterval=2):
        question = questions[name]
        paths = paths_of(question, way, asked_of(question, footage), seeds, store, most)
        found += rows_of(name, question, way, paths)
    return found


def asked_of(question: Question, footage: list[Clip]) -> list[Clip]:
    """The clips that a question is asked of: all, or the first few of worlds (where there are any)."""
    worlds = [clip for clip in footage if "episode" in clip.meta]
    return worlds[: question.worlds] if question.worlds and worlds else footage


def paths_of(question: Question, way: str, footage, seeds, store, most: int = 0) -> dict[tuple, tuple]:
    """(condition, clip's name, seed) -> the clip, what was seen of it, the path: of one way, all fitted at once.

    What nothing random touches is asked once, for the first seed.
    """
    chosen, shown = question.ways[way], {}
    for condition, under in question.conditions.items():
        for clip, seen, seed in shown_under(under, footage, seeds if chosen.drawn or under.drawn else seeds[:1]):
            shown[condition, clip.name, seed] = (clip, seen, seed)
    paths = fits_of(chosen, list(shown.values()), store, most)
    return {key: (*each[:2], path) for (key, each), path in zip(shown.items(), paths, strict=True)}


def rows_of(name: str, question: Question, way: str, paths: dict[tuple, tuple]) -> Iterator[Row]:
    """What was measured on such paths; `name` is the question's own.  A path whose solver gives up has no rows."""
    for (condition, _, seed), (clip, seen, path) in paths.items():
        identity = {
            "category": category_of(clip),
            "clip": clip.name,
            "method": question.ways[way].label,
            "variant": variant(name, way, condition),
            "space": "latent",
        }
        with contextlib.suppress(SolverError):
            for metric, value in of_path(path, clip, seen, question.conditions[condition], question.over).items():
                if math.isfinite(value):
                    yield Row(metric, value, seed=seed, **identity)


def category_of(clip: Clip) -> str:
    """The world of an episode; a face; or nothing, for a path that no generator shows."""
    if "episode" in clip.meta:
        return clip.meta["episode"]["world"]
    return "face" if "generator" in clip.meta else ""


def of_path(path, clip: Clip, seen: Clip, condition: Condition, over: str) -> dict[str, float]:
    """Skill over `over`, the error at judged frames and what is missed at observations (shares of the codes' variance).

    A blended path meets its observations: of it, what the solves from neighbour to neighbour miss there.
    """
    judged, variance = condition.judged(seen), spread(clip.ws) ** 2
    errors, others = (latent_mse(each(clip.ts), clip.ws) for each in (path, methods.fit(over, seen)))
    found = {
        "skill_latent": skill(errors[judged], others[judged]),
        "share_of_variance": float(errors[judged].mean()) / variance,
    }
    if hasattr(path, "log"):
        rolled = path.settings.path == "rollout"
        missed = float(errors[seen.observed].mean()) / variance if rolled else path.log["observed_error"]
        found |= {"missed": missed, "seconds": path.log["seconds"]}
    return found


def pictures(
    name: str, question: Question, evaluator: Evaluator, clip: Clip, seeds: list[int], store: FitStore, most: int = 0
) -> Iterator[Row]:
    """Rows in images against the truth: MSE and LPIPS-Alex at unobserved frames, and skill over straight lines."""
    seen = Condition().shown(clip, 0)
    judged, linear = Condition().judged(seen), evaluator.evaluate(seen, methods.fit("linear", seen))
    base = linear.values("mse", "truth")[judged]
    for way, chosen in tqdm(question.ways.items(), desc=f"{name}, {clip.name}", unit="variant", mininterval=2):
        shown = shown_under(Condition(), [clip], seeds if chosen.drawn else seeds[:1])
        for (*_, seed), path in zip(shown, fits_of(chosen, shown, store, most), strict=True):
            result = evaluator.evaluate(seen, path)
            values = {metric: result.values(metric, "truth")[judged] for metric in PICTURED}
            found = {metric: float(each.mean()) for metric, each in values.items()}
            found |= {"skill": skill(values["mse"], base), "seconds": seconds_of(path)}
            identity = {"category": evaluator.category, "clip": clip.name, "method": chosen.label, "seed": seed}
            for metric, value in found.items():
                yield Row(metric, value, reference="truth", variant=variant(name, way), **identity)


def seconds_of(path) -> float:
    """What fitting a path took; 0 for what needs no fit."""
    return path.log["seconds"] if hasattr(path, "log") else 0.0


def noise_found(condition: Condition, footage: list[Clip], seeds: list[int]) -> Iterator[Row]:
    """What a trend takes for noise in observed codes, as a share of the clean codes' standard deviation.

    Codes jitter by themselves: what is found should grow as sqrt(own^2 + added^2).
    """
    for clip, seen, seed in shown_under(condition, footage, seeds if condition.drawn else seeds[:1]):
        codes, ts = seen.observations().ws, seen.observations().ts
        space = Subspace.fit(codes)
        states = space.encode(codes)  # all of the noise lies in their few numbers
        level = noise_of(ts, states) * float(space.sigma) * (states[0].numel() / codes[0].numel()) ** 0.5
        named = {"category": category_of(clip), "clip": clip.name, "space": "latent", "seed": seed}
        yield Row("noise_found", level / spread(clip.ws), variant=f"jitter: found, {condition.noise}", **named)
