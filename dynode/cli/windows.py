"""Names of footage that are typed: videos, their assets, and the windows of the experiments, each with its own frames."""

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dynode.cli.options import WHOLE, Excerpt, require_likely
from dynode.errors import UserError

if TYPE_CHECKING:
    from dynode.clips import Clip
    from dynode.experiments.face_windows import Window


def named_footage(video: str, excerpt: Excerpt, clips: Iterable[str] = ()) -> tuple[str, Excerpt]:
    """The video and its frames that were named; for a window, the name of its asset and its own frames.

    clips: names that are taken as well, before those of windows.  Raises UserError for what is nearly a known name, and where
    other frames than a window's are wanted.
    """
    from dynode.experiments.face_windows import windows
    from dynode.io import assets

    clips = [*clips]
    if video in clips or Path(video).exists():
        return video, excerpt
    refuse_other_windows(video, clips)
    require_likely(video, [*clips, *assets.registry()[1], *windows()])
    if video not in windows():
        return video, excerpt
    if excerpt.stretch != WHOLE.stretch:
        raise UserError(f"The window {video} has its own frames: leave out --first, --frames and --every.")
    window = windows()[video]
    return window.asset, dataclasses.replace(excerpt, first=window.first, frames=window.frames, every=window.every)


def video_file(video: str, excerpt: Excerpt) -> tuple[Path, Excerpt]:
    """The file and the frames of a video that was named, see `named_footage`; an asset is fetched."""
    from dynode.io import assets

    name, excerpt = named_footage(video, excerpt)
    return assets.fetch(name) if name in assets.registry()[1] else Path(name), excerpt


def refuse_other_windows(video: str, clips: Iterable[str] = ()) -> None:
    """Raises UserError, which lists the windows of a person, for another number behind the name, or none."""
    person = re.sub(r"\.\d*$", "", video)
    known = windows_of(person)
    if known and video not in [window.name for window in known]:
        names = [window.name for window in known] + [name for name in clips if name.startswith(f"{person}.")]
        names = ", ".join(dict.fromkeys(names))
        raise UserError(f"There is no window {video!r}: name one of {names}, or {known[0].asset} for the whole video.")


def windows_of(person: str) -> list["Window"]:
    from dynode.experiments.face_windows import windows

    return [window for window in windows().values() if window.person == person]


def load_clip(name: str) -> "Clip":
    """The clip of that name.  Raises UserError where it is none; for a window, with the command that makes codes of it."""
    from dynode import clips
    from dynode.experiments.face_windows import windows

    if name in windows() and name not in clips.shipped_names() and not Path(name).exists():
        raise UserError(
            f"{name} is a window of footage: turn it into codes first by `dynode invert {name}`, and give {name}.safetensors."
        )
    return clips.load(name)
