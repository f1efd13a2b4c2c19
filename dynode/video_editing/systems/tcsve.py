"""TCSVE, "Temporally consistent semantic video editing" (Xu et al. 2022): two phases of refinement between tuning and stitching.

`FIDELITY` says what of the published system is kept and what is not.
"""

from dataclasses import dataclass, field, replace

import torch

from dynode.clips import Clip
from dynode.editing import propagation
from dynode.inversion.observer import Observer
from dynode.perception.lpips import LPIPS
from dynode.settings import require_positive
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.registry import system
from dynode.video_editing.systems import clip_tuning, tuning_system
from dynode.video_editing.systems.clip_tuning import ClipTuning
from dynode.video_editing.systems.consistency_phases import Phases, PhaseSettings
from dynode.video_editing.systems.fidelity import CHANGED, KEPT, LEFT_OUT, Part
from dynode.video_editing.systems.scene import Scene, pivots_of
from dynode.video_editing.systems.stitched_host import StitchedHost
from dynode.video_editing.systems.stitching import StitchSettings
from dynode.video_editing.systems.trained_weights import RATES

FIDELITY = (
    Part(
        "alignment", "landmarks of 3DDFA", CHANGED, "the package's own detector, squares smoothed as STIT smooths them"
    ),
    Part(
        "pivots",
        "e4e, one pass",
        CHANGED,
        "our refining encoder, 3 passes: e4e's weights belong to StyleGAN2; embedded: few steps from there",
    ),
    Part("generator", "StyleGAN2 of 1024 pixels", CHANGED, "any of the package; of faces MobileStyleGAN"),
    Part(
        "tuning",
        "one generator, 200 passes, Adam at 3e-4, L2 + LPIPS (AlexNet), locality, no early stop",
        KEPT,
        "embedded settings: Adam at 5e-4, locality at every fourth step",
    ),
    Part("trained weights", "all", CHANGED, "all but the mapping's, which no image of a code depends on"),
    RATES,
    Part("resolution", "1024", KEPT, "256 in the embedded settings"),
    Part("passes and epochs", "200, 10 and 3", KEPT, "fewer in the embedded settings: minutes on a CPU"),
    Part("direct edit", "a StyleCLIP mapper on every code", CHANGED, "any editor of the package on every code"),
    Part("out of domain", "generators of StyleGAN-NADA", LEFT_OUT, "no such weights ship"),
    Part("anchor", "the middle frame; pairs of it and each other frame", KEPT),
    Part(
        "phase W",
        "the mapper of the edit itself is trained, w + s M(w), s .05 or .04, Adam at 1e-3",
        CHANGED,
        "editors have no common form: a mapper of the same shape, 0 at first, is trained on top of the edited code; embedded: 64 wide",
    ),
    Part("size of the correction", ".2 (|M(w_a)| + |M(w_i)|)", KEPT),
    Part("phase G", "the generator, Adam at 1e-4, the outside term times 15, 100 times locality", KEPT),
    Part(
        "locality in phase G",
        "against the original generator",
        CHANGED,
        "against the tuned one, with which the phase begins",
    ),
    Part("consistency", "spatial LPIPS of a frame and the warped other, both directions, by visibility", KEPT),
    Part("visibility", "exp(-5 error) of the round trip, plus the LPIPS map of edited frame and source", KEPT),
    Part(
        "flow",
        "RAFT, 20 iterations, at 256 pixels",
        CHANGED,
        "TV-L1 at 128 and one differentiable step of Lucas and Kanade",
    ),
    Part(
        "flow term", "10 times the sum of visible errors", CHANGED, "their mean, so that it does not grow with the size"
    ),
    Part("outside term", ".5 LPIPS of edited frame and source, times (1 - face)^4", KEPT, "a mean over the pixels"),
    Part("total variation of the flow", "weight 0", LEFT_OUT, "has no effect"),
    Part("learning rate", "halved every 50 epochs", LEFT_OUT, "there are 10"),
    Part(
        "segmentation", "BiSeNet", CHANGED, "the hull of landmarks, or a face parser that is named; smoothed over time"
    ),
    Part("edited rows", "all", CHANGED, "as for all systems: all but the fine ones of faces; `--rows 0` edits all"),
    Part("stitching", "STIT's, 50 steps", KEPT, "15 steps in the embedded settings"),
    Part("border and paste", "STIT's", CHANGED, "as of `stit` here"),
    Part("frame rate and size", "30 a second, 1280 x 720", CHANGED, "the source's own"),
)


@dataclass(frozen=True)
class TcsveSettings:
    """How TCSVE edits; the defaults are the published ones."""

    tuning: ClipTuning = field(
        default_factory=lambda: ClipTuning(passes=200, lr=3e-4, lambda_mse=1.0, locality_every=1)
    )
    phases: PhaseSettings = field(default_factory=PhaseSettings)
    stitching: StitchSettings = field(default_factory=lambda: StitchSettings(steps=50))
    resolution: int = 1024

    def __post_init__(self):
        require_positive(self, "resolution")


EMBEDDED = TcsveSettings(
    ClipTuning(passes=8, lr=5e-4, lambda_mse=1.0, locality_every=4, precision="bfloat16"),
    PhaseSettings(code_epochs=2, weight_epochs=1, width=64, precision="bfloat16"),
    StitchSettings(steps=15, precision="bfloat16"),
    resolution=256,
)


@system("tcsve")
@dataclass(frozen=True)
class Tcsve(StitchedHost):
    """The host: N pivots, one tuned generator, N edits, both phases over N - 1 pairs, N stitched frames."""

    chosen: TcsveSettings = EMBEDDED
    name: str = "tcsve"
    fidelity = FIDELITY
    stand_ins = (tuning_system.PIVOTS, "flow[tvl1]")

    @staticmethod
    def scaled(scale: str) -> TcsveSettings:
        """The settings of a scale, one of SCALES."""
        return TcsveSettings() if scale == "published" else EMBEDDED

    def edit_shot(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer) -> EditedShot:
        """Every code edited by itself: what the phases begin with."""
        return EditedShot(clip.ws, propagation.reedited(clip.ws, edit.at(ts - start), edit.rows))

    def tuned_shot(
        self, scene: Scene, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer
    ) -> EditedShot:
        return self.refined(scene, clip, self.edit_shot(clip, ts, edit, start, observer), edit.rows, observer)

    def refined(self, scene: Scene, clip: Clip, shot: EditedShot, rows: int, observer: Observer) -> EditedShot:
        """An edited shot after tuning and both phases, on the scene's inverted frames, of which the shot has all codes."""
        inverted, perceptual = scene.of_inverted(), LPIPS("alex", checked=False).to(scene.device)
        known = torch.ones(len(clip), dtype=torch.bool) if clip.detected is None else clip.detected
        pivots = pivots_of(clip).ws
        tuned = clip_tuning.tuned_on(inverted, pivots, self.chosen.tuning, observer, perceptual)
        parts = inverted, tuned.tensors, pivots, shot.edited[known], rows, self.chosen.phases, perceptual, observer
        phases, edited = Phases(*parts), shot.edited.clone()
        with observer.stage("refine"):
            codes = phases.refined_codes()
            weights = phases.refined_weights(codes.tensors["edited"])
        edited[known] = codes.tensors["edited"]
        measured = {"tuning": tuned.numbers, "codes": codes.numbers, "weights": weights.numbers}
        return replace(shot, edited=edited, weights=weights.tensors, measured=measured)

    def passes(self, inverted: int, frames: int) -> float:
        """Passes of the generator, forward and backward, at most: tuning, two images a pair in both phases, stitching."""
        s = self.chosen
        tuning = s.tuning.passes * (1 + (1.5 / s.tuning.locality_every if s.tuning.locality_every else 0))
        pairs = 2 * s.phases.code_epochs + 4 * s.phases.weight_epochs
        return inverted * tuning + (inverted - 1) * pairs + frames * (s.stitching.steps + 1)
