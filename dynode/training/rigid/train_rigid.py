"""`dynode train rigid CLIP`: RIGID's recurrent encoder for the footage of clips; this package's re-implementation.

Every batch is a window of neighbouring frames and one random edit.  `dynode.inversion.joint.recurrent_encoder` says what is
kept of the publication, `rigid_losses` has the terms.
"""

import contextlib
import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from dynode import generators, runtime
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.inversion import encoder_files as encoders
from dynode.inversion.joint import face_masks, image_flow, recurrent_files
from dynode.inversion.joint.face_masks import FaceMasks
from dynode.inversion.joint.recurrence import CodeEdit, Recurrence, Step
from dynode.inversion.joint.recurrent_encoder import RecurrentEncoder, base_codes
from dynode.inversion.observer import observed_generator
from dynode.io import names
from dynode.io.code_files import digest
from dynode.perception.face_api import Landmarks
from dynode.perception.lpips import LPIPS
from dynode.settings import to_json
from dynode.training.loops import Trainer, minimise, require_minutes
from dynode.training.rigid.footage_windows import Shot, random_edits, random_window, shots_of
from dynode.training.rigid.rigid_losses import TERMS, WindowLosses
from dynode.training.rigid.rigid_settings import RIGIDTrainingSettings

POINTS = 40  # of the curve of losses
COUNTED = ("optimiser_steps", "generator_forward", "generator_backward", "segmentations")


class Uses:
    """Counts uses into a tensor (4,), by COUNTED, which a checkpoint keeps.  An observer."""

    def __init__(self):
        self.numbers = torch.zeros(len(COUNTED), dtype=torch.float64)

    def count(self, name: str, times: int = 1) -> None:
        self.numbers[COUNTED.index(name)] += times

    def stage(self, name: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def counts(self) -> dict[str, int]:
        return {name: int(n) for name, n in zip(COUNTED, self.numbers.tolist(), strict=True)}


class RIGIDTrainer(Trainer):
    """The training of a recurrent encoder on the shots of some clips of one generator.

    known: what identifies them, for a checkpoint.  curve (POINTS, 5): sums of the loss and its terms over stretches of the
    training, and of windows.
    """

    subject, checkpoint_format = "the recurrent encoder", "dynode-recurrent-encoder-checkpoint-1"

    def __init__(
        self,
        settings: RIGIDTrainingSettings,
        generator: Generator,
        shots: Sequence[Shot],
        known: Sequence[dict] = (),
        device: torch.device | str = "cpu",
    ):
        runtime.seed_everything(settings.seed)
        super().__init__(settings.seed, device)
        self.settings, self.generator, self.shots, self.known = settings, generator, shots, list(known)
        self.batch, self.total = settings.window, settings.windows * settings.window
        self.mixed = settings.precision == "bfloat16" and runtime.fast_bfloat16(self.device)
        self.encoder, self.uses = RecurrentEncoder(settings.encoder, generator).to(self.device), Uses()
        of_faces = generators.category_of(generator.name) == "face"
        mask = FaceMasks(Landmarks().to(self.device), self.uses) if of_faces else face_masks.whole
        self.recurrence = Recurrence(self.encoder, observed_generator(generator, self.uses), mask)
        self.edits = random_edits(settings.editor, generator, settings.reach)
        self.losses_of = WindowLosses(settings, LPIPS("alex", checked=False).to(self.device))
        self.optimiser = torch.optim.Adam(self.encoder.parameters(), lr=settings.lr)
        self.curve = torch.zeros(POINTS, len(TERMS) + 2, dtype=torch.float64)

    def train_batch(self) -> torch.Tensor:
        window, (editor, strength) = random_window(self.shots, self.batch, self.rng), self.edits.draw(self.rng)
        with self.precision():
            steps = self.rolled(
                window, lambda ws: editor.edit(ws, strength, min(self.settings.edited_rows, ws.shape[1]))
            )
        made, edited = torch.cat([s.reconstruction for s in steps]), torch.cat([s.edited_image for s in steps])
        terms = self.losses_of(window.frames, made, edited, window.flows)
        loss = torch.stack(list(terms.values())).sum()
        minimise(self.optimiser, loss)
        self.uses.count("optimiser_steps")
        self.note(loss, terms)
        return loss.detach()

    def rolled(self, window: Shot, edit: CodeEdit) -> list[Step]:
        """All frames of a window, one after the other."""
        s, steps = self.settings, []
        bases, before = base_codes(window.encoded, self.encoder.rows, s.fine_of_first), None
        for source, base in zip(window.frames.split(1), bases.split(1), strict=True):
            steps.append(self.recurrence.step(source, base, edit, before))
            before = steps[-1] if s.remembers else dataclasses.replace(steps[-1], state=None)
        return steps

    def note(self, loss: torch.Tensor, terms: dict[str, torch.Tensor]) -> None:
        """Add a window to its stretch of the curve."""
        values = [loss.item(), *(terms[name].item() for name in TERMS), 1.0]
        self.curve[min(int(POINTS * self.shown / self.total), POINTS - 1)] += torch.tensor(values, dtype=torch.float64)

    def curve_rows(self) -> list[dict[str, float]]:
        """Means of every stretch that has windows, with the windows trained on by its end."""
        rows = []
        for row in self.curve.tolist():
            if count := row[-1]:
                means = {
                    name: float(f"{value / count:.5g}") for name, value in zip(("loss", *TERMS), row, strict=False)
                }
                rows.append({"windows": int(count + (rows[-1]["windows"] if rows else 0)), **means})
        return rows

    def job(self) -> str:
        return json.dumps([to_json(self.settings), self.generator.hash, self.known], sort_keys=True)

    def networks(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"adam": self.optimiser}

    def buffers(self) -> dict[str, torch.Tensor]:
        return {"curve": self.curve, "uses": self.uses.numbers}


def generator_of(clips: Sequence[Clip]) -> str:
    """The generator of all of these clips.  Raises UserError where they are of several, or of none."""
    named = sorted({clip.meta.get("generator", "") for clip in clips})
    if len(named) != 1 or not named[0]:
        raise UserError(
            f"A recurrent encoder is trained on clips of one generator, got {' and '.join(named) or 'none'}."
        )
    return named[0]


def training_shots(
    clips: Sequence[Clip], generator: Generator, settings: RIGIDTrainingSettings, footage: str = ""
) -> list[Shot]:
    """The shots of all clips.  Raises UserError where none is as long as a window, and for a generator without an encoder."""
    encoder = encoders.load(encoders.shipped_for(generator), generator)
    size = min(256, generator.resolution)
    parts = [shots_of(clip, encoder, size, settings.flow_resolution, settings.window, footage) for clip in clips]
    shots = [shot for part in parts for shot in part]
    if not shots:
        raise UserError(f"None of the clips has {settings.window} neighbouring frames with the face: choose others.")
    return shots


def prepared(shots: Sequence[Shot]) -> dict[str, int]:
    """What is computed of the shots before the training."""
    frames = [len(shot.frames) for shot in shots]
    return {"encoder_passes": sum(frames), "flow_calls": sum(2 * (count - 1) for count in frames)}


def identity_of(clip: Clip) -> dict:
    """What identifies a clip's frames."""
    known = {key: clip.meta[key] for key in ("source_sha256", "episode") if key in clip.meta}
    return {"name": clip.name, **known, "frames": len(clip), "codes": digest(clip.ws)}


def save_recurrent_encoder(trainer: RIGIDTrainer, path: Path) -> dict:
    """Write the weights with their card; returns it."""
    card = {
        "method": "RIGID, this package's re-implementation",
        "generator": {"name": trainer.generator.name, "hash": trainer.generator.hash},
        "clips": trainer.known,
        "settings": to_json(trainer.settings),
        "windows_shown": trainer.shown // trainer.batch,
        "of": trainer.settings.windows,
        "hours": round(trainer.seconds / 3600, 3),
        "counts": trainer.uses.counts() | prepared(trainer.shots),
        "curve": trainer.curve_rows(),
        "stand_ins": [image_flow.STAND_IN, face_masks.STAND_IN],
        "provenance": runtime.provenance(trainer.device),
    }
    recurrent_files.save(trainer.encoder, path, trainer.generator, card)
    return card


def train_rigid(
    clips: Sequence[Clip],
    output: Path,
    settings: RIGIDTrainingSettings,
    *,
    footage: str = "",
    minutes: float = math.inf,
    device: torch.device | str = "cpu",
    progress: bool = False,
    say: Callable[[str], object] = lambda text: None,
) -> dict:
    """Train a recurrent encoder on the frames of clips and write it to `output`; returns its card.

    footage: the video of the clips, "" to look for it.  minutes: stop after this time; the same call resumes.  say: gets a
    sentence about the amount of work before it starts.  Raises UserError for a checkpoint of another training, and for clips
    that cannot be trained on.
    """
    require_minutes(minutes)
    generator = generators.load(generator_of(clips), device)
    for clip in clips:
        generators.require_same(generator.name, clip.meta.get("generator_hash", ""), f"The clip {clip.name}")
    shots = training_shots(clips, generator, settings, footage)
    trainer = RIGIDTrainer(settings, generator, shots, [identity_of(clip) for clip in clips], device)
    checkpoint = names.beside(output, ".checkpoint")
    trainer.resume(checkpoint)
    say(estimate(trainer))
    trainer.loop(checkpoint, until=time.time() + 60 * minutes, progress=progress)
    card = save_recurrent_encoder(trainer, output)
    if trainer.shown >= trainer.total:
        checkpoint.unlink(missing_ok=True)
    return card


def estimate(trainer: RIGIDTrainer) -> str:
    """How much there is to train, and on a CPU about how long that takes."""
    from dynode.inversion.invert_frames import CPU_SECONDS_PER_STEP, computed_in, duration

    windows = (trainer.total - trainer.shown) // trainer.batch
    passes, frames = 2 * trainer.batch * windows, sum(len(shot.frames) for shot in trainer.shots)
    amount = f"{windows} windows of {trainer.batch} frames, of {frames}: {passes} passes of the generator"
    if trainer.device.type == "cpu":
        seconds = CPU_SECONDS_PER_STEP[computed_in(trainer.settings.precision, trainer.device)]
        amount += f", about {duration(passes * seconds * (trainer.encoder.size / 256) ** 2)} on a CPU, less on a GPU"
    return f"{amount}. It can be stopped and resumed."
