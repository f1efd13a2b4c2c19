"""DynODE in a host (paper Sec. 3): some frames are inverted, one is edited, learned dynamics propagate the edit to all others."""

import dataclasses
import itertools
from dataclasses import dataclass, field

import numpy as np
import torch

from dynode.clips import Clip, sampled_frames
from dynode.dynamics import methods
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.trajectory import Trajectory
from dynode.editing import propagation
from dynode.editing.editors import Editor
from dynode.inversion.observer import Observer
from dynode.perception.face_tracking import FaceTrack
from dynode.settings import choose
from dynode.video_editing.cost_counters import observed_fields
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.keyframes import Edit, EditTrack
from dynode.video_editing.per_frame import PerFrame
from dynode.video_editing.registry import Detector, system
from dynode.video_editing.systems.fidelity import CHANGED, KEPT, Part

FIDELITY = (
    Part("path", "of the first code, by a neural ODE fitted to the inverted frames", KEPT),
    Part(
        "propagation",
        "the field, solved from the edited first code",
        CHANGED,
        "by default the first code's offset at all times; the field is `--mode flow`: where no code taught it, it may drift",
    ),
    Part("frames inverted", "not stated", CHANGED, "every one that `--stride` names, and the last"),
    Part("alignment, editor, rows, paste", "of the Latent Transformer", CHANGED, "as of `latent-transformer` here"),
)


@system("dynode+latent-transformer")
@dataclass(frozen=True)
class PropagatedEdit:
    """Latent Transformer's alignment, editor and pasting; codes of every `stride`-th frame, edit of the first of a shot.

    mode: how the edit is propagated, see `dynode.editing.propagation`.  method: the dynamics, by a name of
    `dynode.dynamics.METHODS` or by settings; seed: of their fit.  store: where fits are kept; None: nowhere.
    """

    mode: str = "offset"
    stride: int = 4
    method: str | DynamicsSettings = "dynode"
    seed: int = 0
    store: FitStore | None = None
    host: PerFrame = field(default_factory=PerFrame)
    name: str = "dynode+latent-transformer"
    fidelity = FIDELITY

    def __post_init__(self):
        choose("mode of propagation", self.mode, list(propagation.MODES))
        methods.label_of(self.method)  # refuses unknown ones before anything is inverted

    @property
    def settings(self) -> dict:
        named = {"mode": self.mode, "stride": self.stride, "seed": self.seed, "name": self.name}
        if isinstance(self.method, str):
            return named | {"preset": self.method}
        return named | {"preset": self.method.preset, "dynamics": dataclasses.asdict(self.method)}

    def steadied(self, detector: Detector, observer: Observer) -> Detector:
        return self.host.steadied(detector, observer)

    def squares(self, track: FaceTrack) -> FaceTrack:
        return self.host.squares(track)

    def wanted(self, track: FaceTrack) -> np.ndarray:
        """Every `stride`-th frame and the last of each shot, of those in which the face was found."""
        detected, shots = torch.as_tensor(track.detected), torch.as_tensor(track.shots)
        return sampled_frames(detected, shots, "regular", self.stride).numpy()

    def edit_shot(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer) -> EditedShot:
        with observer.stage("fit"):
            path = self.fitted(clip)
        with observed_fields(path, observer):
            return self.propagated(path, clip, ts, edit, start)

    def fitted(self, clip: Clip) -> Trajectory:
        if self.store is None:
            return methods.fit(clip, self.method, seed=self.seed)
        return self.store.fit(clip, self.method, self.seed)

    def propagated(self, path: Trajectory, clip: Clip, ts: torch.Tensor, edit: Edit, start: float) -> EditedShot:
        """The path's codes at times ts, and with the edit of the clip's first code.

        A constant edit is propagated as one.  Of others each has its own strength over time: its offset at the largest
        strength is propagated, then scaled.
        """
        w0 = clip.ws[0]
        ws, stages = path(ts), edit_stages(w0, edit)
        if edit.constant:
            edited = propagation.propagate(path, w0, stages[-1], self.mode)(ts)
            drift = propagation.relative_drift(edited - ws, stages[-1] - w0)[-1]
            return EditedShot(ws, edited, len(clip), float(drift))
        edited = ws.clone()
        for track, before, after in zip(edit.tracks, stages, stages[1:], strict=False):
            offsets = propagation.propagate(path, w0, w0 + after - before, self.mode)(ts) - ws
            edited += track.weight(ts - start)[:, None, None] * offsets
        return EditedShot(ws, edited, len(clip))


def edit_stages(w0: torch.Tensor, edit: Edit) -> list[torch.Tensor]:
    """The code (L, D) before any edit and after each, all at their largest strengths."""

    def edited(w: torch.Tensor, step: tuple[Editor, EditTrack]) -> torch.Tensor:
        editor, track = step
        return propagation.composed(w, [(editor, track.largest)], edit.rows)

    return list(itertools.accumulate(zip(edit.editors, edit.tracks, strict=True), edited, initial=w0))
