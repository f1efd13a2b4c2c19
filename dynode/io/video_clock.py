"""The clock of a film: one that runs on where the times in a file begin again, jump, or are missing."""

import statistics
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from typing import TypeVar

from dynode.errors import Remark

Item = TypeVar("Item")
SAME_TIME = 1e-6  # seconds
LONGEST_GAP = 10.0  # seconds that a broadcast may skip; more is a clock set anew
MOST_REPEATS = 8  # frames in a row at one time; more have no times of their own
REMEMBERED = 101  # steps that the usual step is taken of


class Clock:
    """Maps a file's times in seconds, in order of showing, to increasing ones from 0.

    rate: frames a second, for frames without a time; None where the file names none.  broadcast: whether the clock may be
    set forward, as in MPEG transport streams; elsewhere a gap is a gap.
    offsets: one entry for each stretch between two jumps, what is added to the file's times there.
    """

    def __init__(self, rate: Fraction | None, broadcast: bool = False, name: str = "the video"):
        self.usual = float(1 / rate) if rate else None
        self.broadcast, self.name, self.steps = broadcast, name, deque(maxlen=REMEMBERED)
        self.offsets: list[float] = []
        self.start = self.last = 0.0

    def times(self, items: Iterable[tuple[float | None, Item]]) -> Iterator[tuple[float, Item]]:
        """(time, item) of (the file's time, item); what is shown at the time of the one before is left out.

        A time before the last begins a new stretch, unless the next one is later than the last: then it was alone in error.
        Raises LookupError where a time is missing and the rate is not known.
        """
        source = iter(items)
        held: deque[tuple[float | None, Item]] = deque(islice(source, 1))
        while held:
            time, item = held.popleft()
            now = self.shown(time)
            if not (self.offsets and now < self.last + SAME_TIME and self.is_error(now, held, source)):
                yield self.entered(time, now), item
            held.extend(islice(source, 0 if held else 1))

    def is_error(
        self, now: float, held: deque[tuple[float | None, Item]], source: Iterator[tuple[float | None, Item]]
    ) -> bool:
        """Whether a time that is no later than the last is alone in that: the clock goes on after it, or the file ends."""
        ahead = MOST_REPEATS if now > self.last - SAME_TIME else 1
        held.extend(islice(source, max(0, ahead - len(held))))
        if not held:
            return bool(self.steps)
        return any(self.shown(time) > self.last + SAME_TIME for time, _ in islice(held, ahead))

    def shown(self, time: float | None) -> float:
        """A file's time on the clock as it runs now; one step after the last where it is missing."""
        if not self.offsets:
            return 0.0
        if time is None:
            return self.last + self.step
        return time - self.start + self.offsets[-1]

    def entered(self, time: float | None, now: float) -> float:
        """Take a time: start or go on, in a new stretch where the clock jumped."""
        if not self.offsets:
            self.start, self.offsets = time or 0.0, [0.0]
            return 0.0
        jumps = now < self.last + SAME_TIME or (self.broadcast and now - self.last > LONGEST_GAP)
        if jumps:
            self.remark()
            after = self.last + self.step
            self.offsets.append(self.offsets[-1] + after - now)
            now = after
        else:
            self.steps.append(now - self.last)
        self.last = now
        return now

    def remark(self) -> None:
        """Warn of the first jump."""
        if len(self.offsets) == 1:
            warnings.warn(
                f"The clock of {self.name} begins anew, as in recordings one behind the other: its frames are taken one after "
                "another.",
                Remark,
                stacklevel=2,
            )

    @property
    def step(self) -> float:
        """The usual seconds from frame to frame: the median of the last ones."""
        if self.steps:
            return statistics.median(self.steps)
        if self.usual is None:
            raise LookupError("no rate")
        return self.usual
