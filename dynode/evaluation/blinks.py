"""Blinks of a curve of eye openings, and which blinks of a source are missing from its reconstruction."""

from dataclasses import dataclass

import numpy as np

from dynode.evaluation.counts import is_or_are, of_all

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

    @property
    def text(self) -> str:
        """How many of the source's are kept, and how many are added; "" where there are none of either."""
        whole, kept = len(self.source), len(self.source) - len(self.missing)
        parts = [f"{of_all(kept, whole)} kept" if kept else f"{of_all(whole, whole)} lost"] * bool(whole)
        parts += [f"{len(self.extra)} added"] * bool(self.extra)
        return ", ".join(parts)

    @property
    def lost(self) -> str:
        """How many are missing, "" where none is: 2 of 3 are lost."""
        count = len(self.missing)
        return f"{of_all(count, len(self.source))} {is_or_are(count)} lost" if count else ""

    @property
    def added(self) -> str:
        """How many are extra, "" where none is: 1 is added."""
        count = len(self.extra)
        return f"{count} {is_or_are(count)} added" if count else ""


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
