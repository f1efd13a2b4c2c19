"""What is to be edited: attributes with strengths that may change over time, and the editors that do it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from dynode.editing import editors
from dynode.errors import UserError

EXAMPLE = "smile=1.5, or smile=0:0,0.5:1.5 for a strength of 0 at 0 s that rises to 1.5 at 0.5 s"
BETWEEN = 16  # straight lines that stand for a product of two: what they miss of it is below a thousandth


@dataclass(frozen=True)
class EditTrack:
    """One attribute and its strength over time: keyframes (seconds, strength), straight lines between, level outside.

    Seconds count from the first frame that is edited; strengths are in the editor's own unit.
    """

    attribute: str
    keyframes: tuple[tuple[float, float], ...]

    def __post_init__(self):
        seconds = [t for t, _ in self.keyframes]
        if not seconds or any(b <= a for a, b in zip(seconds, seconds[1:], strict=False)):
            raise UserError(f"The keyframes of {self.attribute} must come in order of time, got {seconds or 'none'}.")
        if not np.isfinite(self.keyframes).all():
            raise UserError(f"The keyframes of {self.attribute} must be finite numbers, got {self.keyframes}.")

    @classmethod
    def parsed(cls, text: str) -> "EditTrack":
        """NAME=STRENGTH or NAME=SECONDS:STRENGTH,...  Raises UserError for anything else."""
        name, equals, told = text.rpartition("=")
        if not (name and equals):
            raise UserError(f"An edit is NAME=STRENGTH, such as {EXAMPLE}; got {text!r}.")
        return cls(name, keyframes(told))

    @property
    def constant(self) -> bool:
        return len({strength for _, strength in self.keyframes}) == 1

    @property
    def largest(self) -> float:
        """The strength farthest from 0."""
        return max((strength for _, strength in self.keyframes), key=abs)

    def strength(self, seconds) -> torch.Tensor:
        """Strengths (T,) float32 at times (T,)."""
        known = np.array(self.keyframes)
        return torch.from_numpy(np.interp(np.asarray(seconds), known[:, 0], known[:, 1])).float()

    def share(self, seconds) -> torch.Tensor:
        """Strengths as shares of the largest."""
        return self.strength(seconds) / self.largest if self.largest else torch.zeros(len(seconds))

    def scaled(self, shares: tuple[tuple[float, float], ...]) -> "EditTrack":
        """The track times another, given as keyframes of shares.

        Where both change between two keyframes their product is no straight line: it gets keyframes in between.
        """
        other = EditTrack("the strength over time", shares)
        times = sorted({t for t, _ in (*self.keyframes, *shares)})
        if not (self.constant or other.constant):
            pairs = zip(times, times[1:], strict=False)
            times = [*(t for a, b in pairs for t in np.linspace(a, b, BETWEEN, endpoint=False).tolist()), times[-1]]
        values = self.strength(times) * other.strength(times)
        return EditTrack(self.attribute, tuple(zip(times, values.tolist(), strict=True)))

    @property
    def text(self) -> str:
        """ "smile 1.5" or "smile 0 to 1.5"."""
        values = [strength for _, strength in self.keyframes]
        return f"{self.attribute} " + (f"{values[0]:g}" if self.constant else f"{min(values):g} to {max(values):g}")


def keyframes(text: str) -> tuple[tuple[float, float], ...]:
    """ "1.5" or "0:0,0.5:1.5" as keyframes.  Raises UserError for anything else."""
    pairs = [part.rpartition(":") for part in text.split(",")]
    try:
        return tuple((float(seconds) if colon else 0.0, float(strength)) for seconds, colon, strength in pairs)
    except ValueError:
        raise UserError(f"A strength is a number or SECONDS:STRENGTH,..., such as {EXAMPLE}; got {text!r}.") from None


@dataclass(frozen=True)
class Edit:
    """Tracks with the editor of each, in the order they are applied; rows: edited are the first so many (0: all)."""

    tracks: tuple[EditTrack, ...]
    editors: tuple
    rows: int = 0
    method: str = ""

    @property
    def text(self) -> str:
        return ", ".join(track.text for track in self.tracks)

    def around(self, wrap: Callable) -> "Edit":
        """The same with every editor wrapped."""
        return replace(self, editors=tuple(map(wrap, self.editors)))

    def at(self, seconds) -> list[tuple]:
        """(editor, strengths (T,)) at times (T,) in seconds from the first edited frame."""
        return [(editor, track.strength(seconds)) for editor, track in zip(self.editors, self.tracks, strict=True)]


def edit_of(tracks: Iterable[EditTrack], method: str, generator, rows: int = 0) -> Edit:
    """The edit by the editors METHOD:ATTRIBUTE of a generator.  Raises UserError for unknown ones and for none at all."""
    tracks = tuple(tracks)
    if not tracks:
        raise UserError(f"There is nothing to edit: name an attribute and its strength, such as {EXAMPLE}.")
    return Edit(tracks, tuple(editors.load(f"{method}:{track.attribute}", generator) for track in tracks), rows, method)
