"""From footage to the scenes of a system that tunes the generator, and from its stitched frames to what is pasted."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from dynode.generators.protocol import Generator
from dynode.inversion.observer import Observer, timed
from dynode.io import images
from dynode.perception.face_tracking import aligned_crops
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.footage import Footage
from dynode.video_editing.masks import MaskSettings, RegionFinder
from dynode.video_editing.patches import Patch
from dynode.video_editing.systems import stitching
from dynode.video_editing.systems.kept_stages import KeptStages, Stage
from dynode.video_editing.systems.scene import Scene, distances_of
from dynode.video_editing.systems.tuning_system import TuningSystem


def scenes_of(
    footage: Footage,
    system: TuningSystem,
    generator: Generator,
    find: RegionFinder | None,
    mask: MaskSettings,
    folder: Path | None,
    observer: Observer,
) -> Iterator[Scene]:
    """Every shot of footage as a scene, in order.

    find: what finds the face in a crop, None where the mask does not depend on it.  folder: keeps finished stages; None: nothing.
    """
    track, kept = footage.track, KeptStages(folder)
    inverted = torch.from_numpy(system.wanted(track) & track.detected)
    crops = aligned_crops(footage.pictures(), track.quads, min(system.resolution, generator.resolution))
    for shot in np.unique(track.shots):
        of_shot = track.shots == shot
        frames = torch.stack(list(islice(crops, int(of_shot.sum()))))
        decided_by = {"frames": frames, "mask": mask, "system": system.name}  # each counts its own

        def make(frames=frames) -> Stage:
            return Stage({"distances": distances_of(frames, find, mask).contiguous()}, {})

        with observer.stage("mask"):
            distances = kept.stage("regions", decided_by, make, observer).tensors["distances"]
        yield Scene(generator, frames, distances, inverted[torch.from_numpy(of_shot)], kept)


def stitched_patches(
    system: TuningSystem, scenes: Iterable[Scene], footage: Footage, shots: Iterable[EditedShot], observer: Observer
) -> Iterator[Iterator[Patch]]:
    """The patches of every shot, in order; each shot is to be used up.  The measures of their stitching go to the shots."""
    track, pictures = footage.track, footage.pictures()
    frames = zip(pictures, track.quads, strict=True)
    for scene, shot in zip(scenes, shots, strict=True):
        crops = timed(observer, "stitch", stitched_crops(system, scene, shot, track.width, observer))
        yield stitching.patches(islice(frames, len(scene.frames)), crops, scene, system.outer)


def stitched_crops(
    system: TuningSystem, scene: Scene, shot: EditedShot, width: float, observer: Observer
) -> Iterator[torch.Tensor]:
    """Stitched images (3, S, S) of a shot, no larger than the face's square of `width` pixels in its footage."""
    measures: list[dict[str, float]] = []
    shot.measured["stitching"] = measures
    for done in system.stitched(scene, shot, observer):
        measures.append(done.measures)
        yield images.area_resize(done.image[None], min(scene.resolution, round(width)))[0]
