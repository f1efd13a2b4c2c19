"""A control of editing systems: Latent Transformer on codes that are smoothed over time before they are edited.

It says what of a method's consistency smoothing alone would give: every frame is inverted and edited, nothing is learned.
"""

from dataclasses import dataclass

import numpy as np
import torch

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.editing import propagation
from dynode.inversion.observer import Observer
from dynode.settings import choose, require_positive
from dynode.video_editing import over_time
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.per_frame import FIDELITY, PerFrame
from dynode.video_editing.registry import system
from dynode.video_editing.systems.fidelity import CHANGED, Part

FILTERS = {
    "gaussian": "a Gaussian filter over frames",
    "trend": "the Gaussian process that the method `trend` fits, to all frames",
}


@dataclass(frozen=True)
class Smoothing:
    """filter: of FILTERS.  sigma: of the Gaussian filter, in frames."""

    filter: str = "gaussian"
    sigma: float = 1.5

    def __post_init__(self):
        choose("filter of codes", self.filter, FILTERS)
        require_positive(self, "sigma")


@system("smoothed+latent-transformer")
@dataclass(frozen=True)
class SmoothedHost(PerFrame):
    """The host on smoothed codes: N inversions and N edits for N frames."""

    chosen: Smoothing = Smoothing()
    name: str = "smoothed+latent-transformer"
    fidelity = (Part("codes", "as they are inverted", CHANGED, "smoothed over time: a control"), *FIDELITY)

    @staticmethod
    def scaled(scale: str) -> Smoothing:
        """The same at every scale."""
        return Smoothing()

    @property
    def settings(self) -> dict:
        return {"name": self.name, "filter": self.chosen.filter, "sigma": self.chosen.sigma}

    def edit_shot(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer) -> EditedShot:
        ws = self.smooth(clip, ts)
        return EditedShot(ws, propagation.reedited(ws, edit.at(ts - start), edit.rows))

    def smooth(self, clip: Clip, ts: torch.Tensor) -> torch.Tensor:
        """The codes (T, L, D) of a shot, smoothed."""
        if self.chosen.filter == "trend":
            return methods.fit(clip, "trend")(ts).to(clip.ws)
        codes = ((None, code) for code in clip.ws.numpy())
        smooth = np.stack([code for _, code in over_time.filtered(codes, self.chosen.sigma)])
        return torch.from_numpy(smooth).to(clip.ws)
