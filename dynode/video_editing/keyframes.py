"""What is to be edited: attributes with strengths that may change over time, and the editors that do it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from dynode.editing import editors
from dynode.editing.editors import Editor, Strength
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.inversion.observer import Observed, Observer

EXAMPLE = "smile=1.5, or smile=0:0,0.5:1.5 for a strength of 0 at 0 s that rises to 1.5 at 0.5 s"
BETWEEN = 16  # linear pieces that stand for a product of two: what they miss of it is below a thousandth

Keyframes = tuple[tuple[float, float], ...]  # (seconds, value)


@dataclass(frozen=True)
class EditTrack:
    """One attribute and its strength over time: keyframes (seconds, strength), linear in between, constant outside.

    Seconds count from the first frame that is edited; strengths are in the editor's own unit.
    """

    attribute: str
    keyframes: Keyframes

    def __post_init__(self):
        seconds = [t for t, _ in self.keyframes]
        if not seconds or any(b <= a for a, b in zip(seconds, seconds[1:], strict=False)):
            given = " ".join(f"{t:g}" for t in seconds) or "none"
            raise UserError(f"The times of {self.attribute} must increase, got {given}: write them as {EXAMPLE}.")
        if not np.isfinite(self.keyframes).all():
            given = ",".join(f"{t:g}:{strength:g}" for t, strength in self.keyframes)
            raise UserError(f"The times and strengths of {self.attribute} must be finite numbers, got {given}.")

    @classmethod
    def parsed(cls, text: str) -> "EditTrack":
        """NAME=STRENGTH or NAME=SECONDS:STRENGTH,...  Raises UserError for anything else."""
        name, equals, strengths = text.rpartition("=")
        if not (name and equals):
            raise UserError(f"An edit is NAME=STRENGTH, such as {EXAMPLE}; got {text!r}.")
        return cls(name, parse_keyframes(strengths))

    @property
    def constant(self) -> bool:
        return len({strength for _, strength in self.keyframes}) == 1

    @property
    def largest(self) -> float:
        """The strength farthest from 0."""
        return max((strength for _, strength in self.keyframes), key=abs)

    def strength(self, seconds: torch.Tensor | Sequence[float]) -> torch.Tensor:
        """Strengths (T,) float32 at times (T,)."""
        known = np.array(self.keyframes)
        return torch.from_numpy(np.interp(np.asarray(seconds), known[:, 0], known[:, 1])).float()

    def weight(self, seconds: torch.Tensor | Sequence[float]) -> torch.Tensor:
        """Strengths relative to the largest."""
        return self.strength(seconds) / self.largest if self.largest else torch.zeros(len(seconds))

    def scaled(self, factors: Keyframes) -> "EditTrack":
        """The track times factors over time, given as keyframes.

        Where both change between two keyframes their product is not linear: it gets keyframes in between.
        """
        other = EditTrack("the strength over time", factors)
        times = sorted({t for t, _ in (*self.keyframes, *factors)})
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


def require_different(attributes: Sequence[str]) -> None:
    """Raises UserError for an attribute that is named twice."""
    for name in attributes:
        if attributes.count(name) > 1:
            raise UserError(f"{name} is named {attributes.count(name)} times: give it one strength, or one over time.")


def parse_keyframes(text: str) -> Keyframes:
    """ "1.5" or "0:0,0.5:1.5" as keyframes.  Raises UserError for anything else."""
    if "," in text and ":" not in text:
        raise UserError(f"A strength is written with a point, or over time as SECONDS:STRENGTH,...; got {text!r}.")
    pairs = [part.rpartition(":") for part in text.split(",")]
    try:
        return tuple((float(seconds) if colon else 0.0, float(strength)) for seconds, colon, strength in pairs)
    except ValueError:
        raise UserError(f"A strength is a number or SECONDS:STRENGTH,..., such as {EXAMPLE}; got {text!r}.") from None


class ObservedEditor(Observed):
    """Notifies an observer of every code that an editor edits (edits)."""

    name: str
    space: str

    def edit(self, ws: torch.Tensor, strength: Strength, rows: int = 0) -> torch.Tensor:
        self.observer.count("edits", len(ws))
        return self.part.edit(ws, strength, rows)


@dataclass(frozen=True, repr=False)
class Edit:
    """Tracks with the editor of each, in the order they are applied; rows: edited are the first N (0: all)."""

    tracks: tuple[EditTrack, ...]
    editors: tuple[Editor, ...]
    rows: int = 0
    method: str = ""

    def __repr__(self):
        return f"<Edit {self.text}{f' by {self.method}' if self.method else ''}, {self.rows or 'all'} rows>"

    @property
    def text(self) -> str:
        """The tracks in words; an attribute that is a mere number with the method that numbers it."""
        numbered = (track.attribute.isdecimal() and self.method for track in self.tracks)
        return ", ".join(
            f"{method} {track.text}" if method else track.text
            for method, track in zip(numbered, self.tracks, strict=True)
        )

    @property
    def constant(self) -> bool:
        """Whether no strength changes over time."""
        return all(track.constant for track in self.tracks)

    def observed_by(self, observer: Observer) -> "Edit":
        """The same edit, whose editors notify an observer."""
        return replace(self, editors=tuple(ObservedEditor(editor, observer) for editor in self.editors))

    def at(self, seconds: torch.Tensor) -> list[tuple[Editor, torch.Tensor]]:
        """(editor, strengths (T,)) at times (T,) in seconds from the first edited frame."""
        return [(editor, track.strength(seconds)) for editor, track in zip(self.editors, self.tracks, strict=True)]


def edit_of(tracks: Iterable[EditTrack], method: str, generator: Generator, rows: int = 0) -> Edit:
    """The edit by the editors METHOD:ATTRIBUTE of a generator.  Raises UserError for unknown ones and for none at all."""
    tracks = tuple(tracks)
    if not tracks:
        raise UserError(f"There is nothing to edit: name an attribute and its strength, such as {EXAMPLE}.")
    return Edit(tracks, tuple(editors.load(f"{method}:{track.attribute}", generator) for track in tracks), rows, method)
