"""IGCI (Xu et al. 2021): every frame is inverted together with the four that follow it, every code edited by itself.

`dynode.inversion.joint.windows` has the inversion; `FIDELITY` says what of the published system is kept and what is not.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dynode import generators
from dynode.clips import Clip
from dynode.generators.protocol import Generator
from dynode.inversion import encoder_files as encoders
from dynode.inversion.frame_sources import from_track
from dynode.inversion.joint import image_flow
from dynode.inversion.joint.invert_windows import NAME, invert_windows
from dynode.inversion.joint.window_settings import EMBEDDED, WindowSettings
from dynode.inversion.observer import Observer
from dynode.video_editing.footage import Footage
from dynode.video_editing.inverted_codes import KeptCodes, of_frames, selected
from dynode.video_editing.own_codes import without_codes
from dynode.video_editing.per_frame import PerFrame
from dynode.video_editing.registry import system
from dynode.video_editing.systems.fidelity import CHANGED, KEPT, Part

FIDELITY = (
    Part("window", "5 frames, one code and cumulative increments of one row that all rows share", KEPT),
    Part(
        "start",
        "the code zero, 5,000 steps for every window",
        KEPT,
        "embedded settings: from the encoder or the code of the frame before, 60 and 20 steps",
    ),
    Part("optimiser", "Adam at 0.01", KEPT),
    Part("resolution", "1024", KEPT, "256 in the embedded settings: hours for each frame on a CPU otherwise"),
    Part(
        "loss",
        "squared error, four maps of VGG16, flow-warped error, weights 1",
        KEPT,
        "means over frames and over pairs: the scale of the flow's sum is not stated",
    ),
    Part("VGG16", "of ImageNet", KEPT, "images normalised as ImageNet's: its normalisation is not stated"),
    Part(
        "optical flow",
        "FlowNet2, 8 fields for a window",
        CHANGED,
        "TV-L1: no registry carries FlowNet2's weights; embedded settings: on images of 128 pixels",
    ),
    Part(
        "last frames",
        "of a window the first frame is kept, so that the last four are lost",
        CHANGED,
        "a last window in reverse order gives them: every frame is wanted",
    ),
    Part("generator", "StyleGAN of FFHQ", CHANGED, "any of the package; of faces MobileStyleGAN"),
    Part("edit", "each code by itself", KEPT),
    Part("alignment and pasting", "none published", CHANGED, "those that all systems share"),
)


@system("igci")
@dataclass(frozen=True)
class IGCI(PerFrame):
    """Joint inversion of windows, N edits for N frames.  chosen: how windows are inverted."""

    chosen: WindowSettings = EMBEDDED
    name: str = NAME
    fidelity = FIDELITY

    @staticmethod
    def scaled(scale: str) -> WindowSettings:
        """The settings of a scale."""
        return WindowSettings() if scale == "published" else EMBEDDED

    @property
    def settings(self) -> dict:
        return {"name": self.name, **dataclasses.asdict(self.chosen)}

    @property
    def stand_ins(self) -> tuple[str, ...]:
        return (image_flow.STAND_IN,) if self.chosen.lambda_flow else ()

    def own_codes(
        self,
        footage: Footage,
        wanted: np.ndarray,
        folder: Path,
        generator: Generator,
        device: torch.device | str,
        observer: Observer,
    ) -> tuple[Clip, Path]:
        footage, track = without_codes(footage), selected(footage.track, wanted)
        kept = KeptCodes(folder, footage.metadata["source_sha256"], self.job(footage, generator), track)
        if kept.path.is_file() and (known := of_frames(Clip.load(kept.path), track)) is not None:
            observer.count("steps_before", known.optimiser_steps)
            return known, kept.path
        identity = {key: footage.metadata[key] for key in ("source_sha256", "face") if key in footage.metadata}
        named = {"name": footage.path.stem} | {k: footage.metadata[k] for k in ("source",) if k in footage.metadata}
        choices = {"metadata": named, "device": device, "observer": observer}
        source = from_track(track, footage.path)
        return invert_windows(source, kept.path, identity, self.chosen, footage.generator, **choices), kept.path

    def passes(self, inverted: int, frames: int) -> float:
        """Passes of the generator, forward and backward, for one shot: every step makes the images of a whole window."""
        s, windows = self.chosen, inverted - self.chosen.window + 1
        if windows <= 1:
            return inverted * s.first_steps * (1 + (windows == 1))
        return s.window * (2 * s.first_steps + (windows - 1) * s.steps)

    def job(self, footage: Footage, generator: Generator) -> dict:
        """What decides the codes besides the frames."""
        job = {"inversion": NAME, "generator_hash": generators.hash_of(footage.generator), **self.settings}
        job |= {"flow": image_flow.STAND_IN} if self.chosen.lambda_flow else {}
        job |= {"face": footage.metadata["face"]} if "face" in footage.metadata else {}
        if self.chosen.encoded and generator.name in encoders.shipped():
            job |= {"encoder_hash": encoders.hash_of(encoders.shipped_for(generator))}
        return job
