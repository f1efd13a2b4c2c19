"""Codes of the frames that a system wants inverted, kept in the user's cache: all edits of a video share them.

A file is known by the video's sha256, by what decides its codes (generator, settings, face, encoder, what is tried where a
frame has not arrived), and by the times and squares of its frames; how those frames were chosen does not count.  They are
codes of faces: see ETHICS.md.
"""

import contextlib
import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from dynode import generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation.counts import counted
from dynode.generators.protocol import Generator
from dynode.inversion import arrival, invert_frames
from dynode.inversion import encoder_files as encoders
from dynode.inversion.frame_sources import from_track
from dynode.inversion.observer import Observer
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.io import assets
from dynode.perception.face_tracking import FaceTrack
from dynode.video_editing.footage import SAME_TIME, Footage

SAME_SQUARE = 0.01  # of its side; squares of the same frame differ by how many frames around it were followed


def kept_folder() -> Path:
    """Where the codes of all edited videos are kept; deleting it forgets them."""
    return assets.own_dir() / "codes"


@dataclasses.dataclass(frozen=True)
class KeptCodes:
    """The codes that are kept, or will be, of some frames of a video.

    job: what decides them besides the frames.  track: those frames.
    """

    folder: Path
    sha256: str
    job: dict
    track: FaceTrack

    @property
    def prefix(self) -> str:
        """What the names of all files with these codes begin with, whatever their frames."""
        return f"{self.sha256[:16]}.{digest(json.dumps(self.job, sort_keys=True).encode())}"

    @property
    def path(self) -> Path:
        """The file of exactly these frames."""
        numbers = np.round(np.concatenate([self.track.ts, self.track.quads.ravel()]), 4) + 0.0  # no -0
        return self.folder / f"{self.prefix}.{digest(numbers.tobytes())}.safetensors"

    def read(self) -> tuple[Clip, Path] | None:
        """Codes of these frames and their file: one of exactly these, or of more; None where there is none."""
        for path in (self.path, *sorted(self.folder.glob(f"{self.prefix}.*.safetensors"))):
            with contextlib.suppress(UserError):  # one that is missing or damaged is made anew
                if (clip := of_frames(Clip.load(path), self.track)) is not None:
                    return clip, path
        return None


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def kept_codes(
    footage: Footage, wanted: np.ndarray, folder: Path, settings: ProjectionSettings, generator: Generator
) -> KeptCodes:
    """What the codes of the wanted frames (T,) bool of footage are kept as."""
    job = {"generator_hash": generators.hash_of(footage.generator), "settings": dataclasses.asdict(settings)}
    job |= {"face": footage.metadata["face"]} if "face" in footage.metadata else {}
    encoder = encoders.shipped_for(generator) if settings.encoded else ""
    job |= invert_frames.hashes_of(generator, settings, encoder)
    job |= {} if settings.independent else {"arrival": arrival.rule()}
    return KeptCodes(folder, footage.metadata["source_sha256"], job, selected(footage.track, wanted))


def inverted_clip(
    footage: Footage,
    wanted: np.ndarray,
    folder: Path,
    stride: int,
    settings: ProjectionSettings | None,
    generator: Generator,
    device: torch.device | str,
    observer: Observer,
) -> tuple[Clip, Path]:
    """Invert the wanted frames (T,) bool into a file of the folder; where their codes are kept already, they are read.

    Prints what it will cost before it starts; resumes as `dynode invert` does.  Returns the clip and its file.
    """
    settings = settings or invert_frames.usual_settings("", footage.generator)
    kept = kept_codes(footage, wanted, folder, settings, generator)
    if known := kept.read():
        observer.count("steps_before", known[0].optimiser_steps)
        return known
    identity = {key: footage.metadata[key] for key in ("source_sha256", "face") if key in footage.metadata}
    named = {"name": footage.path.stem, "stride": stride}
    named |= {key: footage.metadata[key] for key in ("source", "stretch") if key in footage.metadata}
    source = from_track(kept.track, footage.path)
    parts = {"metadata": named, "device": device, "observer": observer}
    return invert_frames.invert_source(source, kept.path, identity, settings, footage.generator, **parts), kept.path


def keyframe_codes(footage: Footage, keyframes: Clip, wanted: np.ndarray, observer: Observer) -> Clip:
    """The keyframe codes that came with footage, those of the wanted frames (T,) bool.  Raises UserError where they are of other frames."""
    clip = of_frames(keyframes, selected(footage.track, wanted))
    if clip is None:
        raise UserError(
            f"{keyframes.name} holds codes of {len(keyframes)} frames, not of the {counted(int(wanted.sum()), 'frame')} "
            f"wanted: give the video {footage.path} instead, or the options of the edit that made the codes."
        )
    observer.count("steps_before", clip.optimiser_steps)
    return clip


def selected(track: FaceTrack, wanted: np.ndarray) -> FaceTrack:
    """The frames of a track where `wanted` (T,) is true."""
    return FaceTrack(**{f.name: getattr(track, f.name)[wanted] for f in dataclasses.fields(track)})


def of_frames(clip: Clip, track: FaceTrack) -> Clip | None:
    """The clip's codes of exactly the frames of a track, by their times and squares; None where it lacks one."""
    at = [int(np.abs(clip.ts.numpy() - t).argmin()) for t in track.ts]
    if np.abs(clip.ts.numpy()[at] - track.ts).max() > SAME_TIME or clip.quads is None:
        return None
    detected = np.ones(len(clip), dtype=bool) if clip.detected is None else clip.detected.numpy()
    far = np.abs(clip.quads.numpy()[at] - track.quads).max() > SAME_SQUARE * track.width
    if far or (detected[at] != track.detected).any():
        return None
    whole = torch.zeros(len(clip), dtype=torch.bool)
    whole[at] = True
    return dataclasses.replace(clip.where(whole), shots=torch.from_numpy(track.shots))
