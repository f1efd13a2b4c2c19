"""Codes of the frames that a system wants: inverted now, or what a clip tells of how it was inverted before."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from dynode import generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.inversion import invert_frames
from dynode.inversion.frame_sources import of_track
from dynode.inversion.projection import ProjectionSettings, settings_for
from dynode.perception.face_tracking import FaceTrack
from dynode.settings import changed
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.footage import Footage


def selected(track: FaceTrack, wanted: np.ndarray) -> FaceTrack:
    """The frames of a track where `wanted` (T,) is true."""
    return FaceTrack(**{f.name: getattr(track, f.name)[wanted] for f in dataclasses.fields(track)})


def here(
    footage: Footage,
    wanted: np.ndarray,
    codes: Path,
    stride: int,
    settings: ProjectionSettings | None,
    device,
    counters: Counters,
) -> Clip:
    """Invert the wanted frames (T,) bool into the clip file `codes`; where it is there already, it is read.

    Prints what it will cost before it starts; resumes as `dynode invert` does.  Raises UserError for a file of other frames.
    """
    settings = settings or settings_for(generators.resolution_of(footage.generator))
    named = footage.told | {"stride": stride}
    if not codes.exists():
        part = of_track(selected(footage.track, wanted), footage.path)
        return invert_frames.invert_footage(
            part, codes, named, settings, footage.generator, device=device, watch=counters
        )
    clip = Clip.load(codes)
    known = {"settings": dataclasses.asdict(settings), "generator_hash": generators.hash_of(footage.generator)}
    if any(plain(clip.meta.get(key)) != plain(value) for key, value in (named | known).items()):
        raise UserError(
            f"{codes} holds codes of other frames, settings or weights: delete it, or choose another output."
        )
    counters.steps_before += steps_of(clip, np.ones(len(clip), dtype=bool))
    return clip


def plain(told):
    return json.loads(json.dumps(told))


def steps_of(clip: Clip, wanted: np.ndarray) -> int:
    """The optimiser steps that a clip's settings tell of inverting these frames (T,) bool of it; 0 where it tells none."""
    told = clip.meta.get("settings", {})
    if "steps" not in told:
        return 0
    shown = clip.where(clip.observed & clip.observed.new_tensor(wanted))
    shots = np.zeros(len(shown), dtype=np.int64) if shown.shots is None else shown.shots.numpy()
    frames = FaceTrack(shown.ts.numpy(), np.zeros((len(shown), 4, 2)), np.ones(len(shown), dtype=bool), shots)
    return sum(steps for _, steps in invert_frames.runs(frames, changed(ProjectionSettings(), told)))
