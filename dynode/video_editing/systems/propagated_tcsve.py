"""DynODE in TCSVE: tuning and both phases on the inverted frames alone; the first one's refined offset is propagated to all.

The trajectory is fitted to the pivots of the inverted frames.  What the phases made of the first frame's edit goes along it as
any edit does; the weights that they left render all frames, each of which is stitched.  `FIDELITY` says what is ours in it.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from dynode.clips import Clip
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.presets import DynamicsSettings
from dynode.editing import propagation
from dynode.editing.editors import Strength, per_code
from dynode.inversion.observer import Observer
from dynode.perception.face_tracking import FaceTrack
from dynode.video_editing.cost_counters import observed_fields
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.keyframes import Edit, EditTrack
from dynode.video_editing.propagated import PropagatedEdit
from dynode.video_editing.registry import Detector, system
from dynode.video_editing.systems import tcsve
from dynode.video_editing.systems.fidelity import CHANGED, KEPT, Part
from dynode.video_editing.systems.scene import Scene
from dynode.video_editing.systems.stitching import Stitched
from dynode.video_editing.systems.tcsve import Tcsve, TcsveSettings

FIDELITY = (
    Part(
        "which frames",
        "the first is edited, some are observed",
        KEPT,
        "every `stride`-th frame and the last are inverted",
    ),
    Part(
        "host",
        "TCSVE on them",
        CHANGED,
        "pairs of the first frame and each other: its edit is the one that is propagated",
    ),
    Part("offset", "that of the first code", CHANGED, "after phase W; the paper does not say how the host refines it"),
    Part(
        "decoding and stitching",
        "by the host",
        KEPT,
        "weights of phase G, which saw the inverted frames alone; every frame",
    ),
    *(part for part in tcsve.FIDELITY if part.name not in ("anchor", "phase W")),
)


def from_first(scale: str) -> TcsveSettings:
    """TCSVE's settings of a scale, with the first frame as anchor."""
    settings = Tcsve.scaled(scale)
    return replace(settings, phases=replace(settings.phases, anchor="first"))


@dataclass(frozen=True)
class Offset:
    """Adds an offset (L, D) to every code, times the strength."""

    offset: torch.Tensor
    name: str = "correction"
    space: str = "w+"

    def edit(self, ws: torch.Tensor, strength: Strength, rows: int = 0) -> torch.Tensor:
        return ws + per_code(strength, ws) * self.offset.to(ws)


@system("dynode+tcsve")
@dataclass(frozen=True)
class PropagatedTcsve:
    """TCSVE on every `stride`-th frame, its refined edit of the first propagated by learned dynamics.

    mode, method, seed, store: as of `PropagatedEdit`.
    """

    chosen: TcsveSettings = field(default_factory=lambda: from_first("embedded"))
    mode: str = "offset"
    stride: int = 4
    method: str | DynamicsSettings = "dynode"
    seed: int = 0
    store: FitStore | None = None
    name: str = "dynode+tcsve"
    fidelity = FIDELITY
    stand_ins = Tcsve.stand_ins
    scaled = staticmethod(from_first)

    def __post_init__(self):
        _ = self.dynamics  # refuses unknown modes and methods before anything is inverted

    @property
    def host(self) -> Tcsve:
        return Tcsve(self.chosen)

    @property
    def dynamics(self) -> PropagatedEdit:
        return PropagatedEdit(self.mode, self.stride, self.method, self.seed, self.store)

    @property
    def resolution(self) -> int:
        return self.chosen.resolution

    @property
    def precision(self) -> str:
        return self.host.precision

    @property
    def outer(self) -> float:
        return self.host.outer

    @property
    def settings(self) -> dict:
        return self.dynamics.settings | {"name": self.name, "host": dataclasses.asdict(self.chosen)}

    def steadied(self, detector: Detector, observer: Observer) -> Detector:
        return self.host.steadied(detector, observer)

    def squares(self, track: FaceTrack) -> FaceTrack:
        return self.host.squares(track)

    def wanted(self, track: FaceTrack) -> np.ndarray:
        return self.dynamics.wanted(track)

    def edit_shot(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer) -> EditedShot:
        """The edit of the first code, propagated without any refinement."""
        return self.dynamics.edit_shot(clip, ts, edit, start, observer)

    def tuned_shot(
        self, scene: Scene, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer
    ) -> EditedShot:
        edits = [(editor, track.largest) for editor, track in zip(edit.editors, edit.tracks, strict=True)]
        direct = EditedShot(clip.ws, propagation.reedited(clip.ws, edits, edit.rows))
        refined = self.host.refined(scene, clip, direct, edit.rows, observer)
        with observer.stage("fit"):
            path = self.dynamics.fitted(clip)
        with observed_fields(path, observer):
            whole = with_correction(edit, refined.edited[0] - direct.edited[0])
            shot = self.dynamics.propagated(path, clip, ts, whole, start)
        return replace(shot, weights=refined.weights, measured=refined.measured)

    def passes(self, inverted: int, frames: int) -> float:
        """Passes of the generator, forward and backward, at most."""
        return self.host.passes(inverted, frames)

    def stitched(self, scene: Scene, shot: EditedShot, observer: Observer) -> Iterator[Stitched]:
        yield from self.host.stitched(scene, shot, observer)


def with_correction(edit: Edit, correction: torch.Tensor) -> Edit:
    """An edit and, as its last step, a correction (L, D) of its result at the largest strengths.

    The correction's strength over time is the first attribute's, relative to its largest.
    """
    first = edit.tracks[0]
    scale = first.largest or 1.0
    track = EditTrack("correction", tuple((seconds, strength / scale) for seconds, strength in first.keyframes))
    return replace(edit, tracks=(*edit.tracks, track), editors=(*edit.editors, Offset(correction)))
