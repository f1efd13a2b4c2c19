"""Errors on clips of the test set against how sparsely they are observed: the rows of notebook 14."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dynode import clips, generators, runtime
from dynode.clips import Clip
from dynode.dynamics.amortised import amortised_path, prior_files
from dynode.dynamics.amortised.amortised_path import AmortisedSettings
from dynode.dynamics.baselines import motion_prior
from dynode.dynamics.baselines.interpolation import Linear
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.methods import label_of
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.evaluation import kept_evaluations, records
from dynode.evaluation.evaluator import Evaluator, LateImages
from dynode.evaluation.kept_evaluations import KeptEvaluations, KeptValues, digest_of
from dynode.evaluation.records import Row
from dynode.evaluation.trajectories import splits
from dynode.experiments.test_set import EpisodeSet, episode_sets, episodes_of, face_images, face_windows_tested
from dynode.generators.protocol import Generator
from dynode.generators.registry import of_clip
from dynode.inversion import encoder_files
from dynode.inversion.frame_sources import reference_images
from dynode.io import assets, source_code
from dynode.metrics import METRICS
from dynode.training.rendered_pictures import renderer_hash
from dynode.worlds import Episode, world

GENERATORS = {name: f"stylegan2-{name}-factors" for name in ("scene", "bird", "isaac3d")}  # of the worlds' codes
METRIC, PASSES = "mse", 24  # frames that an encoder gets at once
OWN = "own codes"  # rendered: what is left to a method that knows every code
# Controls of dynode[amortised]: the context of another clip; fields trained alike that see the state by a matrix, or not at all;
# in place of the field, sequence models trained alike; and `prior`, its kernel learned from the same clips.
OTHER_CONTEXT, PRIOR = "dynode[amortised,other context]", "prior[amortised]"
TRAINED = {"dynode[amortised,linear]": "linear", "dynode[amortised,no z]": "none"}
TRAINED |= {"gru[amortised]": "gru", "latent_ode[amortised]": "latent_ode", PRIOR: "prior"}
CONTROLS = (OTHER_CONTEXT, *TRAINED)
CHOOSE = ("sets", "episodes", "windows")  # parameters that choose clips


@dataclass(frozen=True)
class Sampling:
    """How a clip is observed: one of the conditions of the test set.  hidden_end: of the last frames, which are scored then."""

    sampling: str
    stride: int
    draw: int = 0
    hidden_end: int = 0

    @property
    def split(self) -> str:
        return "extrapolated" if self.hidden_end else "unobserved"

    @property
    def variant(self) -> str:
        """As in rows: how far beyond the last observed frame."""
        return f"{self.hidden_end} frames beyond" if self.hidden_end else ""

    def observe(self, clip: Clip) -> Clip:
        return clip.sampled(self.sampling, self.stride, 0, self.hidden_end, self.draw)


def conditions(
    strides: Sequence[int], draws: Sequence[int], hidden_ends: Sequence[int], extrapolated_at: int
) -> list[Sampling]:
    """Regular and irregular samplings of every stride, these for each draw; then the horizons beyond the last observed frame."""
    inside = [Sampling("regular", stride) for stride in strides]
    inside += [Sampling("irregular", stride, draw) for stride in strides for draw in draws]
    return inside + [Sampling("regular", extrapolated_at, hidden_end=end) for end in hidden_ends]


@dataclass(frozen=True)
class Controls:
    """Methods that are measured under some conditions alone: at these strides, and at these horizons."""

    methods: Sequence[str] = ()
    strides: Sequence[int] = ()
    hidden_ends: Sequence[int] = ()

    def at(self, sampling: Sampling, clip: Clip) -> list[str]:
        """Those that are measured under a condition, on a clip."""
        chosen = sampling.hidden_end in self.hidden_ends if sampling.hidden_end else sampling.stride in self.strides
        return [name for name in self.methods if chosen and is_trained(name, clip.meta["generator"])]


class Subject:
    """A clip of the test set with what renders and what it is compared with.

    category: as in rows.  beat_stride: where a set of episodes has one, it is a stride of its own.
    every: of the frames to be scored every N-th is.  other: a clip of the same set, for controls.
    """

    def __init__(
        self,
        category: str,
        clip: Clip,
        evaluator: Evaluator,
        beat_stride: int = 0,
        every: int = 1,
        other: Clip | None = None,
    ):
        self.category, self.clip, self.evaluator, self.other = category, clip, evaluator, other
        self.beat_stride, self.every = beat_stride, every

    @property
    def reference(self) -> str:
        """The truth, or the footage."""
        return list(self.evaluator.references)[-1]

    def scored(self, observed: Clip, split: str) -> torch.Tensor:
        """Which frames (T,) bool are scored."""
        chosen = splits(observed)[split]
        return chosen & (chosen.cumsum(0) % self.every == 0 if self.every > 1 else torch.ones_like(chosen))


def pictures_of(chosen: EpisodeSet, episode: Episode, generator: Generator) -> LateImages:
    """The true pictures (T, 3, R, R) of an episode, rendered when they are first needed."""
    drawn_by, factors = world(episode.world), episode.factors(chosen.ts)
    made_from = digest_of("pictures", episode.world, renderer_hash(drawn_by), factors, str(generator.resolution))
    return LateImages(cache(lambda: drawn_by.images(factors, generator.resolution)), made_from)


def encoded(
    chosen: EpisodeSet, episode: Episode, generator: Generator, encoder: Any, made_by: str = ""
) -> tuple[Clip, LateImages]:
    """Codes of an episode, each frame by itself, by an encoder; and the true pictures (T, 3, R, R).

    made_by: a text of all that codes depend on besides pictures, under which they are kept; "" keeps none.
    """
    images, name = pictures_of(chosen, episode, generator), chosen.clip_name(episode)
    store = KeptEvaluations() if made_by and kept_evaluations.switched_on() else None
    kept = KeptValues(store, digest_of("codes", made_by, images.made_from)[:32], {"clip": name})
    if (ws := kept.get("ws")) is None:
        ws = torch.cat([encoder(part).detach().cpu() for part in images().split(PASSES)])
        kept.put("ws", ws)
        kept.write()
    known = {"generator": generator.name, "generator_hash": generator.hash, "protocol": "independent"}
    shown = {"world": episode.world, "kind": episode.kind, "seed": episode.seed, "seconds": chosen.seconds}
    meta: dict[str, Any] = known | {"name": name, "episode": shown}
    return Clip(ws, torch.from_numpy(chosen.ts), meta=meta), images


def of_worlds(
    names: Sequence[str], episodes: int, device: torch.device | str = "cpu", known: Collection[str] = ()
) -> Iterator[Subject]:
    """The first episodes of some sets of the test set; the other clip is the next of them.

    known: names of clips to leave out.  Raises UserError for an unknown set.
    """
    for name in names:
        chosen = episodes_of(name)[: max(episodes, 2)]
        if all(EpisodeSet.clip_name(episode) in known for episode in chosen[:episodes]):
            continue
        each = episode_sets()[name]
        generator = generators.load(GENERATORS[each.world], device=device)
        file = encoder_files.shipped_for(generator)
        encoder, code = encoder_files.load(file, generator), source_code.hash_of("dynode.inversion.encoder")
        made_by = digest_of(
            encoder_files.hash_of(file), generator.hash, code, runtime.device_name(generator.w_avg.device)
        )
        made = [encoded(each, episode, generator, encoder, made_by) for episode in chosen]
        for (clip, images), (other, _) in list(zip(made, [*made[1:], made[0]], strict=True))[:episodes]:
            evaluator = Evaluator(clip, generator, others={"truth": images})
            if clip.name not in known:
                yield Subject(name, clip, evaluator, each.beat_stride, other=other)


def of_faces(
    windows: Sequence[str], device: torch.device | str = "cpu", known: Collection[str] = ()
) -> Iterator[Subject]:
    """Test windows of faces by name, but for those that are known.  Raises UserError for one that is not of the test set."""
    tested = {window.name for window in face_windows_tested()}
    if others := [name for name in windows if name not in tested]:
        raise UserError(f"{', '.join(others)} is no window of the test set; those are {', '.join(sorted(tested))}.")
    for name in (each for each in windows if each not in known):
        clip = clips.load(name)
        generator = of_clip(clip.meta, name, device=device)
        evaluator = Evaluator(clip, generator, others=reference_images(clip, min(256, generator.resolution)))
        yield Subject("face", clip, evaluator, every=face_images().every)


def measure(
    subject: Subject,
    samplings: Sequence[Sampling],
    methods: Sequence[str],
    store: FitStore,
    progress: tqdm | None = None,
    controls: Controls = Controls(),
) -> Iterator[Row]:
    """The error of every method, and of the clip's own codes, under every condition: in images, and in codes.

    In images a method is rendered at the frames that are scored alone.
    """
    extra = [Sampling("irregular", subject.beat_stride, draw) for draw in dict.fromkeys(one.draw for one in samplings)]
    known = {one.stride for one in samplings if one.sampling == "irregular"} | {0}
    for one in [*samplings, *(extra if subject.beat_stride not in known else [])]:
        observed = one.observe(subject.clip)
        frames = subject.scored(observed, one.split)
        named: dict[str, Any] = {"category": subject.category, "clip": subject.clip.name, "variant": one.variant}
        named |= {"sampling": one.sampling, "stride": one.stride, "draw": one.draw, "split": one.split}
        named |= {"frames": int(frames.sum()), "protocol": "independent"}
        for method in (*methods, *controls.at(one, subject.clip)):
            codes = fitted(subject, one, method, store)(subject.clip.ts)
            yield from errors(subject, codes, frames, method if method in CONTROLS else label_of(method), **named)
            if progress is not None:
                progress.update()
        yield from errors(subject, subject.clip.ws, frames, OWN, **named)


def fitted(subject: Subject, sampling: Sampling, method: str, store: FitStore) -> Trajectory:
    """A method's path through the observed codes of a subject, or that of a control."""
    observed = sampling.observe(subject.clip)
    if method == OTHER_CONTEXT:
        assert subject.other is not None, "worlds have another clip"
        return amortised_path.fit_told(observed, sampling.observe(subject.other))
    if method in TRAINED:
        file = trained(observed.meta["generator"], TRAINED[method])
        if method == PRIOR:
            return motion_prior.conditioned(prior_files.load(file, observed), observed)
        return store.fit(observed, AmortisedSettings(file=str(file)))
    return store.fit(observed, method)


def trained(generator: str, kind: str) -> Path:
    """The file of what clips of a generator share, by `TRAINED`, where `make fields` leaves it."""
    return assets.own_dir() / "training" / "dynamics" / f"{generator}.{kind}.safetensors"


def say_untrained(controls: Sequence[str], sets: Sequence[str]) -> None:
    """Print which controls are left out, since what they share was not trained here."""
    worlds = dict.fromkeys(GENERATORS[episode_sets()[name].world] for name in sets)
    for generator in worlds:
        if lost := [name for name in controls if not is_trained(name, generator)]:
            print(f"Not trained here for {generator}, so left out: {', '.join(lost)}.  `make fields` trains them.")


def is_trained(control: str, generator: str) -> bool:
    """Whether a control can be measured on codes of a generator: of those with a file of their own it has to be there."""
    return control not in TRAINED or trained(generator, TRAINED[control]).is_file()


def errors(subject: Subject, codes: torch.Tensor, at: torch.Tensor, method: str, **named: Any) -> Iterator[Row]:
    """Mean squared errors of codes (T, L, D) at the frames `at` (T,) bool: in images, against the truth or the footage, and in codes."""
    own = subject.clip.ws
    path = Linear(subject.clip.ts, torch.where(at[:, None, None], codes, own))  # other frames need no picture
    path.label = method
    result = subject.evaluator.evaluate(subject.clip, path)
    value = float(result.values(METRIC, subject.reference)[at].mean())
    result.write()
    result.release()
    yield Row(METRIC, value, method=method, reference=subject.reference, unit=METRICS[METRIC].unit, **named)
    if method != OWN:
        value = float(METRICS["latent_mse"](codes, own)[at].mean())
        yield Row("latent_mse", value, method=method, space="latent", unit=METRICS["latent_mse"].unit, **named)


def earlier(files: Sequence[str], parameters: Mapping[str, Any]) -> tuple[list[Row], dict[str, str], list[str]]:
    """Of records of earlier runs the rows of the clips that a run measures, keys of these clips' codes, and stand-ins.

    parameters: of this run.  Raises UserError for a record of something else, or of a run with other conditions or methods,
    and for two records of one clip.
    """
    rows, codes, stand_ins = [], {}, []
    wanted = {
        EpisodeSet.clip_name(one) for name in parameters["sets"] for one in episodes_of(name)[: parameters["episodes"]]
    }
    wanted |= set(parameters["windows"])
    for file in files:
        known, made = records.read(file)
        before = made.get("parameters", {})
        if other := [name for name in parameters if name not in CHOOSE and before.get(name) != parameters[name]]:
            raise UserError(f"{file} was made with another value of {', '.join(other)}: leave it out of `joined`.")
        if twice := sorted(codes.keys() & made["codes"].keys()):
            raise UserError(f"Two records of `joined` have the clip {twice[0]}: leave one of them out.")
        rows += [row for row in known if row.clip in wanted]
        codes |= {name: key for name, key in made["codes"].items() if name in wanted}
        stand_ins += made["stand_ins"]
    return rows, codes, stand_ins


def origins(files: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """For the record: of what commit and code, when, where and by which command the records of earlier runs were made."""
    made = [records.read(file)[1] for file in files]
    whole = [each for one in made for each in (one, *one.get("joined", []))]
    kept = [{key: one[key] for key in ("commit", "date", "device", "command", "source")} for one in whole]
    return {"joined": kept} if kept else {}


def key_of(clip: Clip) -> str:
    """A hash of the codes of a clip, to tell that they are those of a record."""
    return digest_of(clip.ws)[:12]
