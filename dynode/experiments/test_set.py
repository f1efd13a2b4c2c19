"""The test set: episodes of worlds, windows of faces and how they are observed, declared before learned methods ran on them."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dynode import worlds
from dynode.errors import UserError
from dynode.experiments import face_windows
from dynode.experiments.face_windows import Window
from dynode.settings import choose
from dynode.worlds import Episode


@dataclass(frozen=True)
class Conditions:
    """How clips are observed; see test_set.toml."""

    strides: tuple[int, ...]
    samplings: tuple[str, ...]
    draws: tuple[int, ...]
    hidden_ends: tuple[int, ...]
    extrapolated_at: int

    def sampled(self) -> list[tuple[str, int, int]]:
        """(sampling, stride, draw) of every condition inside a clip; regular samplings have the draw 0 alone."""
        return [
            (sampling, stride, draw)
            for sampling in self.samplings
            for stride in self.strides
            for draw in (self.draws if sampling == "irregular" else self.draws[:1])
        ]


@dataclass(frozen=True)
class FaceImages:
    """Of the conditions those that faces are rendered under, and that every N-th unobserved frame is; see test_set.toml."""

    strides: tuple[int, ...]
    draws: tuple[int, ...]
    every: int


@dataclass(frozen=True)
class EpisodeSet:
    """Episodes of a world with consecutive seeds, its kinds in turn; see test_set.toml."""

    name: str
    world: str
    kinds: tuple[str, ...]
    first: int
    episodes: int
    seconds: float
    fps: float
    reason: str
    beat_stride: int = 0

    @property
    def seeds(self) -> range:
        return range(self.first, self.first + self.episodes)

    @property
    def ts(self) -> np.ndarray:
        """The times (T,) in seconds of the frames of every episode."""
        return np.arange(round(self.seconds * self.fps)) / self.fps

    @staticmethod
    def clip_name(episode: Episode) -> str:
        """What the clip of an episode is called in files and rows."""
        return f"{episode.world}.{episode.kind}.{episode.seed}"

    def drawn(self, seeds: range) -> list[Episode]:
        """Episodes of these seeds, the kinds in turn."""
        kinds = [self.kinds[k % len(self.kinds)] for k in range(len(seeds))]
        world = worlds.world(self.world)
        return [world.episode(kind, seed, self.seconds) for kind, seed in zip(kinds, seeds, strict=True)]


@cache
def declared() -> dict[str, Any]:
    """The content of test_set.toml, its lists as tuples."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return table | {"episodes": [with_tuples(entry) for entry in table["episodes"]]}


def with_tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


def conditions() -> Conditions:
    """How the clips of the test set are observed."""
    return Conditions(**with_tuples(declared()["conditions"]))


def face_images() -> FaceImages:
    """The part of the conditions that faces are rendered under."""
    return FaceImages(**with_tuples(declared()["face_images"]))


def episode_sets() -> dict[str, EpisodeSet]:
    """The sets of test episodes by name."""
    return {entry["name"]: EpisodeSet(**entry) for entry in declared()["episodes"]}


def episodes_of(name: str) -> list[Episode]:
    """The test episodes of a set.  Raises UserError for an unknown one."""
    chosen = choose("set of test episodes", name, episode_sets())
    return chosen.drawn(chosen.seeds)


def development_episodes(name: str, count: int, after: int = 0) -> list[Episode]:
    """`count` episodes of a set's kinds in turn, with seeds that no test episode and no shipped clip has.

    after: how many to leave out first, as where those have taught what these validate.
    Raises UserError for an unknown set, and where there are fewer.
    """
    chosen, bounds = choose("set of test episodes", name, episode_sets()), declared()["development"]
    seeds = range(bounds["first"], bounds["last"] + 1)
    if after + count > len(seeds):
        raise UserError(f"There are {len(seeds)} development episodes of {name}, got {after + count}: take fewer.")
    return chosen.drawn(seeds[: after + count])[after:]


def face_windows_tested() -> list[Window]:
    """The test windows of faces."""
    return face_windows.of_role("test")


def learned_from(person: str) -> list[Window]:
    """The windows that may teach what is learned across clips for a person: all of other people.

    Settings are chosen on those with the role "development" alone.  Raises UserError for an unknown person.
    """
    known = face_windows.windows().values()
    choose("person", person, dict.fromkeys(window.person for window in known))
    return [window for window in known if window.person != person]


def embedded() -> tuple[list[Window], dict[str, list[Episode]]]:
    """The part of the test set in the profile `embedded`: the first window of each person, the first episodes of each set."""
    first = {window.person: window for window in reversed(face_windows_tested())}
    return list(first.values())[::-1], {
        name: episodes_of(name)[: declared()["embedded"]["episodes"]] for name in episode_sets()
    }
