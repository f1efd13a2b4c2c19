"""DynODE in a host (paper Sec. 3): some frames are inverted, one is edited, learned dynamics carry the edit to all others."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import torch

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.fitting import store as fits
from dynode.dynamics.trajectory import Trajectory
from dynode.editing import propagation
from dynode.settings import choose
from dynode.video_editing.cost_counters import Counters, counted_evaluations
from dynode.video_editing.keyframes import Edit, EditTrack
from dynode.video_editing.methods import EditedCodes, system
from dynode.video_editing.per_frame import EveryFrame


@system("dynode+latent-transformer")
@dataclass(frozen=True)
class Carried:
    """Latent Transformer's alignment, editor and pasting; codes of every `stride`-th frame, edit of the first of a shot.

    mode: how the edit is carried, see `dynode.editing.propagation`.  preset, seed: of the dynamics.  settings: instead of
    the preset's own.  store: where fits are kept; None: nowhere.
    """

    mode: str = "offset"
    stride: int = 4
    preset: str = "dynode"
    seed: int = 0
    settings: object = None
    store: fits.FitStore | None = None
    host: EveryFrame = field(default_factory=EveryFrame)
    name: str = "dynode+latent-transformer"

    def __post_init__(self):
        choose("mode of propagation", self.mode, list(propagation.MODES))

    def steadied(self, detector, counters: Counters):
        return self.host.steadied(detector, counters)

    def squares(self, track):
        return self.host.squares(track)

    def wanted(self, track) -> np.ndarray:
        """Every `stride`-th frame and the last of each shot, of those that show the face."""
        numbers = np.arange(len(track))
        shown = Clip(
            torch.zeros(len(track), 1, 1), numbers, torch.as_tensor(track.detected), shots=torch.as_tensor(track.shots)
        )
        return shown.sampled("regular", self.stride).observed.numpy()

    def edited(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, counters: Counters) -> EditedCodes:
        with counters.stage("fit"):
            path, w0 = counted_evaluations(self.fitted(clip), counters), clip.ws[0]
        ws, stages = path(ts), stages_of(w0, edit)
        if all(track.constant for track in edit.tracks):
            edited = propagation.propagate(path, w0, stages[-1], self.mode)(ts)
            return EditedCodes(ws, edited, {"observed": len(clip), "drift": drift(edited - ws, stages[-1] - w0)})
        edited = (
            ws.clone()
        )  # each edit has a strength of its own over time: its offset at full strength is carried, then scaled
        for track, before, after in zip(edit.tracks, stages, stages[1:], strict=False):
            moved = propagation.propagate(path, w0, w0 + after - before, self.mode)(ts) - ws
            edited += track.share(ts - start)[:, None, None] * moved
        return EditedCodes(ws, edited, {"observed": len(clip)})

    def fitted(self, clip: Clip) -> Trajectory:
        if self.store is None:
            return methods.fit(self.preset, clip, self.settings, self.seed)
        return self.store.fit(self.preset, clip, self.settings, self.seed)


def stages_of(w0: torch.Tensor, edit: Edit) -> list[torch.Tensor]:
    """The code (L, D) before any edit and after each, all at their largest strengths."""
    steps = zip(edit.editors, edit.tracks, strict=True)
    return list(itertools.accumulate(steps, lambda w, step: edited_by(*step, w, edit.rows), initial=w0))


def edited_by(editor, track: EditTrack, w: torch.Tensor, rows: int) -> torch.Tensor:
    return propagation.composed(w, [(editor, track.largest)], rows)


def drift(offsets: torch.Tensor, first: torch.Tensor) -> float:
    """How far the last offset of (T, L, D) has left the first edit (L, D), as a share of it."""
    return float((offsets[-1] - first).norm() / first.norm().clamp(min=1e-12))
