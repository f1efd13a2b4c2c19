"""What a system does itself where the others share a procedure: its codes, and edits that read the frames."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from dynode.clips import Clip
from dynode.generators.protocol import Generator
from dynode.inversion.observer import Observer
from dynode.perception.face_tracking import FaceTrack
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.footage import Footage
from dynode.video_editing.inverted_codes import selected
from dynode.video_editing.keyframes import Edit


@runtime_checkable
class OwnCodes(Protocol):
    """A system that inverts frames itself; it never edits codes of another inversion."""

    def own_codes(
        self,
        footage: Footage,
        wanted: np.ndarray,
        folder: Path,
        generator: Generator,
        device: torch.device | str,
        observer: Observer,
    ) -> tuple[Clip, Path]:
        """The clip of the wanted frames (T,) bool of footage, and its file in the folder, which keeps it."""
        ...


@dataclass(frozen=True, repr=False)
class ShotFrames:
    """The followed frames of one shot of a video, and the generator that its codes are of."""

    path: Path
    track: FaceTrack
    generator: Generator
    device: torch.device | str

    def __repr__(self):
        return f"<ShotFrames: {len(self.track)} of {self.path}, for {self.generator.name}>"

    def images(self, size: int) -> Iterator[torch.Tensor]:
        """The aligned frames (3, size, size) in [-1, 1], one at a time."""
        return self.track.crops(self.path, size)


@runtime_checkable
class EditsFrames(Protocol):
    """A system whose codes depend on the edit and on the frames: it makes both codes of a shot at once."""

    def edit_frames(self, clip: Clip, shot: ShotFrames, edit: Edit, start: float, observer: Observer) -> EditedShot:
        """The codes of one shot, before and after the edit, from a clip of its frames.  start: as in `System.edit_shot`."""
        ...


def shot_frames(footage: Footage, of_shot: np.ndarray, generator: Generator, device: torch.device | str) -> ShotFrames:
    """The frames of footage where of_shot (T,) bool is true."""
    return ShotFrames(footage.path, selected(footage.track, of_shot), generator, device)


def without_codes(footage: Footage) -> Footage:
    """The footage of a clip as that of a video: without the codes, with what their metadata say of the video."""
    known = footage.clip.meta if footage.clip else {}
    kept = {key: known[key] for key in ("source", "source_sha256", "stretch", "face") if key in known}
    return dataclasses.replace(footage, clip=None, keyframes=None, metadata=kept | footage.metadata)
