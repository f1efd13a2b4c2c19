"""Blinks of a curve of eye openings, and which blinks of a source are missing from its reconstruction."""

from dataclasses import dataclass

import numpy as np

# Of the openings of which a quarter of the frames have more: half of a clip may be looking down.  Closed eyes of the four people
# in the assets have 0.2 to 0.6 of it, half lowered ones and those that look down 0.6 to 0.75.
CLOSED = 0.6
OPEN = 0.75  # the quantile of a clip's openings that counts as open
LOWERED = 0.7  # a blink is kept where the other eyes fall below this, so that noise about CLOSED decides nothing
NEAR = 1  # frames by which a blink may be early or late


@dataclass(frozen=True)
class Blink:
    """Frames first to last, in which the eyes are closed."""

    first: int
    last: int


@dataclass(frozen=True)
class Blinks:
    """The blinks of a source and of what was made from it; those of the source that are missing, those of the result that are
    extra: the other's eyes are not even lowered within NEAR frames."""

    source: tuple[Blink, ...]
    made: tuple[Blink, ...]
    missing: tuple[Blink, ...]
    extra: tuple[Blink, ...]


def compared(source: np.ndarray, made: np.ndarray) -> Blinks:
    """The blinks of two curves of eye openings (T,)."""
    ours, theirs = blinks(source), blinks(made)
    return Blinks(ours, theirs, without(ours, relative(made)), without(theirs, relative(source)))


def without(events: tuple[Blink, ...], other: np.ndarray) -> tuple[Blink, ...]:
    """The blinks during which the other eyes, relative openings (T,), are not lowered."""
    return tuple(b for b in events if other[max(b.first - NEAR, 0) : b.last + NEAR + 1].min() >= LOWERED)


def relative(openings: np.ndarray) -> np.ndarray:
    """Eye openings (T,) over what is open in their clip."""
    return openings / max(float(np.quantile(openings, OPEN)), 1e-6)


def closed(openings: np.ndarray) -> np.ndarray:
    """Where (T,) eye openings (T,) fall below CLOSED of what is open in their clip."""
    return relative(openings) < CLOSED


def blinks(openings: np.ndarray) -> tuple[Blink, ...]:
    """The blinks of eye openings (T,): runs of frames with closed eyes."""
    frames = np.flatnonzero(closed(openings))
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    return tuple(Blink(int(run[0]), int(run[-1])) for run in runs if len(run))
