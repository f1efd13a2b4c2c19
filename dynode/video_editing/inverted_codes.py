"""Codes of the frames that a system wants inverted, kept in a clip file."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch

from dynode import generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.inversion import invert_frames
from dynode.inversion.frame_sources import from_track
from dynode.inversion.observer import Observer
from dynode.inversion.projection import ProjectionSettings, settings_for
from dynode.perception.face_tracking import FaceTrack
from dynode.video_editing.footage import Footage


def selected(track: FaceTrack, wanted: np.ndarray) -> FaceTrack:
    """The frames of a track where `wanted` (T,) is true."""
    return FaceTrack(**{f.name: getattr(track, f.name)[wanted] for f in dataclasses.fields(track)})


def inverted_clip(
    footage: Footage,
    wanted: np.ndarray,
    codes: Path,
    stride: int,
    settings: ProjectionSettings | None,
    device: torch.device | str,
    observer: Observer,
) -> Clip:
    """Invert the wanted frames (T,) bool into the clip file `codes`; where it is there already, it is read.

    Prints what it will cost before it starts; resumes as `dynode invert` does.  Raises UserError for a file of other frames.
    """
    settings = settings or settings_for(generators.resolution_of(footage.generator))
    identity = footage.metadata | {"stride": stride}
    if not codes.exists():
        source = from_track(selected(footage.track, wanted), footage.path)
        return invert_frames.invert_source(
            source, codes, identity, settings, footage.generator, device=device, observer=observer
        )
    clip = Clip.load(codes)
    known = {"settings": dataclasses.asdict(settings), "generator_hash": generators.hash_of(footage.generator)}
    if any(as_json(clip.meta.get(key)) != as_json(value) for key, value in (identity | known).items()):
        raise UserError(
            f"{codes} holds codes of other frames, settings or weights: delete it, or choose another output."
        )
    observer.count("steps_before", clip.optimiser_steps)
    return clip


def as_json(value):
    """The value as a JSON file would return it."""
    return json.loads(json.dumps(value))
