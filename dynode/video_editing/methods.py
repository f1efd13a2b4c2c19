"""Systems that edit a clip's codes, by name; all else of editing a video is one skeleton that they share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from dynode.clips import Clip
from dynode.perception.face_tracking import FaceTrack
from dynode.settings import choose
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.keyframes import Edit


@dataclass(frozen=True)
class EditedCodes:
    """The codes (T, L, D) of a shot's frames as the system has them, and edited; what it tells of how it did that."""

    ws: torch.Tensor
    edited: torch.Tensor
    told: dict


class System(Protocol):
    """What sets one way of editing videos apart from another."""

    name: str

    def steadied(self, detector: Callable, counters: Counters) -> Callable:
        """The face detector, or one whose landmarks are steadied from frame to frame."""
        ...

    def squares(self, track: FaceTrack) -> FaceTrack:
        """The track with the alignment squares that the system cuts out."""
        ...

    def wanted(self, track: FaceTrack) -> np.ndarray:
        """Which frames (T,) bool must be inverted."""
        ...

    def edited(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, counters: Counters) -> EditedCodes:
        """Edit one shot: from a clip of its wanted frames, codes at all its times ts (T,); start: where seconds count from."""
        ...


SYSTEMS: dict[str, Callable[..., System]] = {}


def system(name: str):
    """Register a class as the system of that name."""

    def register(cls):
        SYSTEMS[name] = cls
        return cls

    return register


def load(name: str, **settings) -> System:
    """The system of that name.  Raises UserError for another."""
    from dynode.video_editing import per_frame, propagated  # noqa: F401  (they register themselves)

    return choose("method of editing videos", name, SYSTEMS)(**settings)
