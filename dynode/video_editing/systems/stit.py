"""STIT, "Stitch it in Time" (Tzaban et al. 2022): one generator tuned on all frames, a constant edit, frames stitched one by one.

`FIDELITY` says what of the published system is kept and what is not.
"""

from dataclasses import dataclass, field, replace

import torch

from dynode.clips import Clip
from dynode.editing import propagation
from dynode.errors import UserError
from dynode.inversion.observer import Observer
from dynode.perception.lpips import LPIPS
from dynode.settings import require_positive
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.registry import system
from dynode.video_editing.systems import clip_tuning, tuning_system
from dynode.video_editing.systems.clip_tuning import ClipTuning
from dynode.video_editing.systems.fidelity import CHANGED, KEPT, LEFT_OUT, Part
from dynode.video_editing.systems.scene import Scene, pivots_of
from dynode.video_editing.systems.stitched_host import StitchedHost
from dynode.video_editing.systems.stitching import StitchSettings
from dynode.video_editing.systems.trained_weights import RATES

FIDELITY = (
    Part("alignment", "FFHQ's rule; centres smoothed over time with sigma 1, axes with sigma 3", KEPT),
    Part(
        "landmarks",
        "68 points of dlib",
        CHANGED,
        "5 points, which alignment needs alone, from the 68 of face-api.js over several views of the face",
    ),
    Part(
        "border of the frame",
        "black where the square leaves it",
        CHANGED,
        "reflected, as in FFHQ: the generator draws no black corners",
    ),
    Part(
        "pivots",
        "e4e, one pass",
        CHANGED,
        "our refining encoder, 3 passes: e4e's weights belong to StyleGAN2; embedded: few steps from there",
    ),
    Part("generator", "StyleGAN2 of 1024 pixels", CHANGED, "any of the package; of faces MobileStyleGAN"),
    Part("tuning", "one generator on all frames, one frame a step, Adam at 3e-5, 10 L2 + LPIPS (AlexNet)", KEPT),
    Part("trained weights", "all", CHANGED, "all but the mapping's, which no image of a code depends on"),
    RATES,
    Part("passes", "80 in the examples", KEPT, "fewer in the embedded settings, at a higher rate: minutes on a CPU"),
    Part("resolution", "1024", KEPT, "256 in the embedded settings"),
    Part("locality", "there, off by default", KEPT),
    Part(
        "edit",
        "one direction of W on every code",
        KEPT,
        "of an editor that depends on the code, its offset of the mean pivot",
    ),
    Part(
        "factor", "half of the strength", KEPT, "1 in the embedded settings: a strength means the same for all systems"
    ),
    Part(
        "edits of the style space", "StyleCLIP's global directions", LEFT_OUT, "editors of W+ alone, as for all systems"
    ),
    Part("fine rows", "optionally replaced by their mean over the video", KEPT),
    Part("edited rows", "all", CHANGED, "as for all systems: all but the fine ones of faces; `--rows 0` edits all"),
    Part(
        "stitching",
        "copy of the tuned weights for each frame, ring and content terms, Adam at 3e-4, 100 steps, early stop",
        KEPT,
        "15 steps in the embedded settings",
    ),
    Part(
        "segmentation", "BiSeNet", CHANGED, "the hull of landmarks, or a face parser that is named; smoothed over time"
    ),
    Part(
        "paste", "face and ring, eroded and blurred", CHANGED, "a smooth ramp over the ring, which is what that makes"
    ),
    Part("frame rate", "25 a second", CHANGED, "the source's own times"),
)


@dataclass(frozen=True)
class StitSettings:
    """How STIT edits; the defaults are those of its authors' examples."""

    tuning: ClipTuning = field(default_factory=ClipTuning)
    stitching: StitchSettings = field(default_factory=StitchSettings)
    factor: float = 0.5  # of every strength
    frozen_rows: int = 0  # rows from this one on are replaced by their mean over the shot; 0: none is
    resolution: int = 1024

    def __post_init__(self):
        require_positive(self, "factor", "resolution")


EMBEDDED = StitSettings(
    ClipTuning(passes=8, lr=5e-4, precision="bfloat16"),
    StitchSettings(steps=15, precision="bfloat16"),
    factor=1.0,
    resolution=256,
)


@system("stit")
@dataclass(frozen=True)
class Stit(StitchedHost):
    """The host: N pivots, one tuned generator, N edits by the same offset, N stitched frames."""

    chosen: StitSettings = EMBEDDED
    name: str = "stit"
    fidelity = FIDELITY
    stand_ins = (tuning_system.PIVOTS,)

    @staticmethod
    def scaled(scale: str) -> StitSettings:
        """The settings of a scale, one of SCALES."""
        return StitSettings() if scale == "published" else EMBEDDED

    def edit_shot(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer) -> EditedShot:
        """Every code plus the same offset, that of the mean code, times the factor."""
        ws, mean = clip.ws, clip.ws.mean(0, keepdim=True).expand_as(clip.ws)
        edited = ws + self.chosen.factor * (propagation.reedited(mean, edit.at(ts - start), edit.rows) - mean)
        rows = self.chosen.frozen_rows
        return EditedShot(frozen(ws, rows), frozen(edited, rows))

    def tuned_shot(
        self, scene: Scene, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer
    ) -> EditedShot:
        s, pivots = self.chosen, pivots_of(clip).ws
        perceptual = LPIPS("alex", checked=False).to(scene.device)
        tuned = clip_tuning.tuned_on(scene.of_inverted(), pivots, s.tuning, observer, perceptual)
        shot = self.edit_shot(clip, ts, edit, start, observer)
        return replace(shot, weights=tuned.tensors, measured={"tuning": tuned.numbers})

    def passes(self, inverted: int, frames: int) -> float:
        """Passes of the generator, forward and backward, at most: tuning, stitching."""
        s = self.chosen
        return inverted * s.tuning.passes + frames * (s.stitching.steps + 1)


def frozen(codes: torch.Tensor, rows: int) -> torch.Tensor:
    """Codes (T, L, D) whose rows from `rows` on are their mean over time; 0: as they are.  Raises UserError where there are none."""
    if not rows:
        return codes
    if rows >= codes.shape[1]:
        raise UserError(f"frozen_rows is below the number of style rows, {codes.shape[1]}, got {rows}.")
    return torch.cat([codes[:, :rows], codes[:, rows:].mean(0, keepdim=True).expand_as(codes[:, rows:])], 1)
