"""RIGID (Xu et al. 2023), this package's re-implementation: a recurrent encoder, which reads how the frame before came out.

`dynode.inversion.joint.recurrent_encoder` has the network, `dynode train rigid` trains it; `FIDELITY` says what of the published
system is kept and what is not.  Base codes are those of the generator's encoder, without a step of optimisation.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dynode import generators
from dynode.clips import Clip
from dynode.editing import propagation
from dynode.evaluation.inversion_quality import METRICS
from dynode.generators.protocol import Generator
from dynode.inversion.invert_frames import CPU_SECONDS_PER_STEP, WORTH_SAYING, duration
from dynode.inversion.joint import face_masks, recurrent_files
from dynode.inversion.joint.face_masks import FaceMasks
from dynode.inversion.joint.recurrence import Recurrence, Step
from dynode.inversion.joint.recurrent_encoder import RecurrentEncoder, State, base_codes
from dynode.inversion.observer import Observer, observed_generator
from dynode.inversion.projection_settings import ProjectionSettings, from_encoder, settings_for
from dynode.io.inputs import require_file
from dynode.perception.face_api import Landmarks
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.footage import Footage
from dynode.video_editing.inverted_codes import inverted_clip
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.own_codes import ShotFrames, without_codes
from dynode.video_editing.per_frame import PerFrame
from dynode.video_editing.registry import system
from dynode.video_editing.systems.fidelity import CHANGED, KEPT, LEFT_OUT, Part

LABEL = "RIGID[re-implementation]"  # as outputs name it
PASSES = 3  # of the generator for a frame: its base code's image is judged, its own and the edited one are read
FORWARD = 0.3  # of an optimiser step's time: a pass without a gradient


@dataclass(frozen=True)
class RIGIDChoices:
    """weights: a file that `dynode train rigid` wrote; "": GENERATOR.rigid.safetensors in the current folder, else the shipped one.

    fine_of_first, remembers: as the training had them; false to see what they are worth.
    """

    weights: str = ""
    fine_of_first: bool = True  # fine rows of every frame are those of frame 0
    remembers: bool = True  # the ConvLSTM's state goes from frame to frame


USUAL = RIGIDChoices()

FIDELITY = (
    Part(
        "recurrent encoder",
        "12 channels at 256 pixels, strided convolutions to 512 of 4 x 4, a ConvLSTM of 512 with 3 x 3 kernels, linear to the offsets",
        KEPT,
        "the last layer zero at first; embedded settings: narrower, with a layer of 64 before the offsets",
    ),
    Part("blocks", "StyleGAN's", CHANGED, "residual blocks with group normalisation, as in the package's encoders"),
    Part(
        "offset rows", "0 to 9 of 14: of layers up to 64 pixels", KEPT, "13 of the face generator's 23: the same layers"
    ),
    Part("base codes", "e4e", CHANGED, "the package's encoder of the generator: no registry carries e4e"),
    Part("fine rows", "of frame 0 for every frame", KEPT),
    Part("before frame 0", "not stated", CHANGED, "frame 0 itself in all three inputs"),
    Part(
        "losses",
        "1 squared error, 0.8 LPIPS, 2 short-term, 5 in-between, windows of 5, Adam at 1e-4; flow at 640 pixels of the whole frame",
        CHANGED,
        "the same terms on the aligned square, of 256 pixels at most; embedded settings: windows of 3, Adam at 3e-4, flow at 128",
    ),
    Part("generator", "trained too", LEFT_OUT, "its codes and editors stay valid"),
    Part("spatial noise", "a map of it", LEFT_OUT, "constant noise; the released script has no map either"),
    Part(
        "flow and visibility",
        "FlowNet2, and a network",
        CHANGED,
        "TV-L1; visible where flow there and back agree: no registry carries their weights",
    ),
    Part(
        "pasting",
        "by BiSeNet's masks of source and edit together",
        CHANGED,
        "hulls of jaw and brows of both, of 68 landmarks; of other than faces the whole square",
    ),
)


@system("rigid")
@dataclass(frozen=True)
class RIGID(PerFrame):
    """A recurrent pass for every frame, N edits for N frames."""

    chosen: RIGIDChoices = USUAL
    name: str = "rigid"

    fidelity = FIDELITY

    @staticmethod
    def scaled(scale: str) -> RIGIDChoices:
        """The same at every scale: what is smaller than published is the network, which its file decides."""
        return USUAL

    @property
    def settings(self) -> dict:
        return {"name": self.name, "label": LABEL, **dataclasses.asdict(self.chosen)}

    @property
    def stand_ins(self) -> tuple[str, ...]:
        return (LABEL, face_masks.STAND_IN)

    def own_codes(
        self,
        footage: Footage,
        wanted: np.ndarray,
        folder: Path,
        generator: Generator,
        device: torch.device | str,
        observer: Observer,
    ) -> tuple[Clip, Path]:
        self.encoder(generator)  # where there is none it is better known before the work
        print_estimate(int(wanted.sum()), min(256, generator.resolution), torch.device(device))
        footage, settings = without_codes(footage), encoder_alone(generator.resolution)
        clip, kept = inverted_clip(footage, wanted, folder, self.stride, settings, generator, device, observer)
        meta = {
            key: value for key, value in clip.meta.items() if key not in METRICS
        }  # errors of codes that are not rendered
        return dataclasses.replace(clip, meta=meta), kept

    def encoder(self, generator: Generator) -> RecurrentEncoder:
        """The trained weights.  Raises UserError where there are none for the generator."""
        path = recurrent_files.located(self.chosen.weights, generator)
        return recurrent_files.load(require_file(path, "train one by `dynode train rigid`"), generator)

    def edit_frames(self, clip: Clip, shot: ShotFrames, edit: Edit, start: float, observer: Observer) -> EditedShot:
        encoder, generator, before = self.encoder(shot.generator), shot.generator, None
        recurrence = self.recurrence(encoder, generator, shot.device, observer)
        bases = base_codes(clip.ws.to(generator.w_avg), encoder.rows, self.chosen.fine_of_first)
        ws, edited, seconds = [], [], torch.from_numpy(shot.track.ts) - start
        for image, base, at in zip(shot.images(encoder.size), bases.split(1), seconds.split(1), strict=True):
            before = self.step(recurrence, image[None].to(base), base, edit.at(at), edit.rows, before)
            ws.append(before.ws.cpu())
            edited.append(before.edited.cpu())
        return EditedShot(torch.cat(ws), torch.cat(edited))

    @torch.no_grad()
    def step(self, recurrence: Recurrence, source, base, edits, rows: int, before: Step | None) -> Step:
        """One frame (1, 3, R, R) with its base code (1, L, D), and the edits at its time."""
        if before is not None and not self.chosen.remembers:
            before = dataclasses.replace(before, state=None)
        return recurrence.step(source, base, lambda ws: propagation.reedited(ws, edits, rows), before)

    def recurrence(
        self, encoder: RecurrentEncoder, generator: Generator, device: torch.device | str, observer: Observer
    ) -> Recurrence:
        """The recurrence, which notifies of every use of its parts."""
        of_faces = generators.category_of(generator.name) == "face"
        mask = FaceMasks(Landmarks().to(device), observer) if of_faces else face_masks.whole

        def encode(images: tuple[torch.Tensor, ...], state: State | None) -> tuple[torch.Tensor, State]:
            observer.count("encoder_passes")
            return encoder(images, state)

        return Recurrence(encoder, observed_generator(generator, observer), mask, encode)


def encoder_alone(resolution: int) -> ProjectionSettings:
    """Settings of a projection that keeps the encoder's codes as they are."""
    return dataclasses.replace(from_encoder(settings_for(resolution)), first_steps=0, conjugate_steps=0)


def print_estimate(frames: int, size: int, device: torch.device) -> None:
    """Print how long the passes for that many frames take about, where it is worth it; on a GPU how much there is to do."""
    if PASSES * frames <= WORTH_SAYING:
        return
    amount = f"{frames} frames, {PASSES * frames} passes of the generator"
    if device.type == "cpu":
        seconds = FORWARD * CPU_SECONDS_PER_STEP["float32"] * (size / 256) ** 2 * PASSES * frames
        amount += f": about {duration(seconds)} on a CPU, less on a GPU"
    print(f"{amount}.")
