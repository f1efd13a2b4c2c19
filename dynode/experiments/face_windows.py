"""The windows of footage that faces are studied on: one person to choose settings on, all others to test them."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dynode.io.video import Stretch

ROLES = ("development", "test")


@dataclass(frozen=True)
class Window:
    """One entry of face_windows.toml: frames of the footage of one person, chosen before any method ran on them.

    face_width: mean side of the alignment squares, px.  shown_before: in tables while presets of dynamics were chosen.
    """

    name: str
    asset: str
    first: int
    frames: int
    every: int
    role: str
    face_width: float
    shown_before: bool
    reason: str

    @property
    def person(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def stretch(self) -> Stretch:
        """Which frames of the video these are."""
        return Stretch(self.first, self.frames, self.every)


@cache
def windows() -> dict[str, Window]:
    """All windows by name, those of one person in the order of their frames."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {entry["name"]: Window(**entry) for entry in table["window"]}


def of_role(role: str) -> list[Window]:
    """The windows of one of ROLES."""
    return [window for window in windows().values() if window.role == role]
