"""Systems that edit videos, by name.  One is a module of this room: a class under `@system(name)`."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from dynode.clips import Clip
from dynode.inversion.observer import Observer
from dynode.lazy import Registry
from dynode.perception.face_detection import Face
from dynode.perception.face_tracking import FaceTrack
from dynode.settings import choose
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.keyframes import Edit

Class = TypeVar("Class", bound=type)
SCALES = ("embedded", "published")  # of a system's own settings: for a CPU, or those of its authors
Detector = Callable[[np.ndarray], list[Face]]  # frame uint8 (H, W, 3) -> its faces, largest first


class System(Protocol):
    """What distinguishes one system from another; `VideoEditor` does all that they share."""

    @property
    def name(self) -> str: ...

    @property
    def stride(self) -> int:
        """Every `stride`-th frame is inverted."""
        ...

    @property
    def settings(self) -> dict:
        """What was chosen, for records."""
        ...

    def steadied(self, detector: Detector, observer: Observer) -> Detector:
        """The face detector, or one whose landmarks are steadied from frame to frame."""
        ...

    def squares(self, track: FaceTrack) -> FaceTrack:
        """The track with the alignment squares that the system cuts out."""
        ...

    def wanted(self, track: FaceTrack) -> np.ndarray:
        """Which frames (T,) bool must be inverted."""
        ...

    def edit_shot(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer) -> EditedShot:
        """Edit one shot: from a clip of its wanted frames to codes at all of its times ts (T,).

        start: the time at which the edit's own seconds begin.
        """
        ...


OWN = ("igci", "rigid", "stit", "tcsve", "propagated_tcsve")  # modules of systems in a room of their own
SYSTEMS: Registry[Callable[..., System]] = Registry(
    "dynode.video_editing",
    "dynode.video_editing",
    first=tuple(f"dynode.video_editing.systems.{name}" for name in OWN),
)


def system(name: str) -> Callable[[Class], Class]:
    """Register a class as the system of that name."""

    def register(cls: Class) -> Class:
        SYSTEMS.add(name, cls)
        return cls

    return register


def system_class(name: str) -> Callable[..., System]:
    """What makes the system of that name.  Raises UserError for another."""
    return choose("method of editing videos", name, SYSTEMS.load())


def taken_by(make: Callable[..., System], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some settings that what makes a system takes."""
    parameters = inspect.signature(make).parameters
    open_ended = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    return {name: value for name, value in settings.items() if open_ended or name in parameters}


def scaled(make: Callable[..., System], scale: str) -> Any:
    """The settings of its own that a system has at a scale, one of SCALES; None where it has none.

    It has them as `scaled(scale)`, and takes them as its parameter `chosen`; `-p system.NAME=VALUE` changes one.
    """
    choose("scale of a system's settings", scale, SCALES)
    return make.scaled(scale) if hasattr(make, "scaled") else None  # pyright: ignore[reportFunctionMemberAccess]


def load_system(name: str, **settings) -> System:
    """The system of that name with these settings.  Raises UserError for another name."""
    return system_class(name)(**settings)
