"""Clips of the test set with what they are compared with: their codes, each frame by itself, and true pictures or footage."""

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any

import torch

from dynode import clips, generators, runtime
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation import kept_evaluations
from dynode.evaluation.evaluator import Evaluator, LateImages
from dynode.evaluation.kept_evaluations import KeptEvaluations, KeptValues, digest_of
from dynode.evaluation.trajectories import splits
from dynode.experiments.test_set import EpisodeSet, episode_sets, episodes_of, face_images, face_windows_tested
from dynode.generators.protocol import Generator
from dynode.generators.registry import of_clip
from dynode.inversion import encoder_files
from dynode.inversion.frame_sources import reference_images
from dynode.io import source_code
from dynode.training.rendered_pictures import renderer_hash
from dynode.worlds import Episode, world

GENERATORS = {name: f"stylegan2-{name}-factors" for name in ("scene", "bird", "isaac3d")}  # of the worlds' codes
PASSES = 24  # frames that an encoder gets at once


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


def key_of(clip: Clip) -> str:
    """A hash of the codes of a clip, to tell that they are those of a record."""
    return digest_of(clip.ws)[:12]
