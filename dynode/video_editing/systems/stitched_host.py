"""What STIT and TCSVE share as hosts: every frame is inverted, squares are STIT's, and edited frames are stitched."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from dynode.inversion.observer import Observer
from dynode.perception.face_tracking import FaceTrack
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.registry import Detector
from dynode.video_editing.systems import stitching
from dynode.video_editing.systems.scene import Scene
from dynode.video_editing.systems.stitching import Stitched


class StitchedHost:
    """A system whose settings, `chosen`, have a `resolution`, a `tuning` and `stitching`."""

    name: str
    chosen: Any

    @property
    def stride(self) -> int:
        return 1

    @property
    def resolution(self) -> int:
        return self.chosen.resolution

    @property
    def precision(self) -> str:
        return self.chosen.tuning.precision

    @property
    def outer(self) -> float:
        return self.chosen.stitching.outer

    @property
    def settings(self) -> dict:
        return {"name": self.name, **asdict(self.chosen)}

    def steadied(self, detector: Detector, observer: Observer) -> Detector:
        return detector

    def squares(self, track: FaceTrack) -> FaceTrack:
        """The track as it is: its squares are smoothed as STIT smooths them."""
        return track

    def wanted(self, track: FaceTrack) -> np.ndarray:
        return np.ones(len(track), dtype=bool)

    def stitched(self, scene: Scene, shot: EditedShot, observer: Observer) -> Iterator[Stitched]:
        yield from stitching.stitched_frames(scene, shot.weights, shot.edited, self.chosen.stitching, observer)
