"""Checkpoints: the state of an interrupted fit in a file, from which `dynode.dynamics.fitting.trainer` resumes.

The environment variable DYNODE_CHECKPOINT_SECONDS sets the least time between two checkpoints (10 seconds); 0 writes one
after every iteration.
"""

import contextlib
import glob
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from dynode.dynamics.fitting.trainer import Trainer
from dynode.errors import UserError
from dynode.io import scratch, training_state
from dynode.io.tensor_files import read_safetensors, write_checkpoint
from dynode.io.training_state import part

CHECKPOINT_FORMAT = "dynode-checkpoint-1"
# key in the file -> attribute of the trainer
NUMBERS = {"best": "best", "iteration": "iteration", "nfe": "nfe", "seconds": "seconds", "looks": "fit_errors"}


def checkpoint_seconds() -> float:
    """The least time between two checkpoints, in seconds.  Raises UserError for a variable that is no number."""
    text = os.environ.get("DYNODE_CHECKPOINT_SECONDS", "10")
    try:
        return float(text)
    except ValueError:
        raise UserError(f"DYNODE_CHECKPOINT_SECONDS wants a number of seconds such as 10, got {text!r}.") from None


CHECKPOINT_SECONDS = checkpoint_seconds()


class Checkpoint:
    """The state of a trainer in one file; the same fit, named by `job`, resumes from it exactly."""

    def __init__(self, path: Path, job: str):
        self.path, self.job, self.written = Path(path), job, time.time()

    def save(self, trainer: Trainer) -> None:
        """Write the file, atomically, unless the last one is less than CHECKPOINT_SECONDS old."""
        if time.time() - self.written < CHECKPOINT_SECONDS:
            return
        tensors = {f"adam.{key}": value for key, value in training_state.of_optimiser(trainer.optimiser).items()}
        tensors |= {f"field.{k}": v for k, v in trainer.field.state_dict().items()}
        tensors |= {f"best.{k}": v.clone() for k, v in (trainer.best_state or {}).items()}
        tensors["draws"] = trainer.rng.get_state()
        numbers = {key: getattr(trainer, name) for key, name in NUMBERS.items()}
        write_checkpoint(self.path, tensors, CHECKPOINT_FORMAT, job=self.job, numbers=json.dumps(numbers))
        self.written = time.time()

    def resume(self, trainer: Trainer) -> None:
        """Restore the state of the file; without a file nothing happens.  Raises UserError for the file of another fit."""
        if not self.path.is_file():
            return
        tensors, metadata = read_safetensors(self.path, CHECKPOINT_FORMAT, "a checkpoint of a fit")
        if metadata["job"] != self.job:
            raise UserError(
                f"{self.path} is the checkpoint of another fit (other clip, settings or seed): delete it, or choose "
                "another output."
            )
        trainer.field.load_state_dict(part(tensors, "field."))
        trainer.best_state = part(tensors, "best.") or None
        training_state.restore(trainer.optimiser, part(tensors, "adam."))
        trainer.rng.set_state(tensors["draws"])
        for key, value in json.loads(metadata["numbers"]).items():
            setattr(trainer, NUMBERS[key], value)


def shot_checkpoints(checkpoint: Path, shots: int) -> list[Path]:
    """The checkpoint files of the shots of a clip."""
    return [checkpoint.with_suffix(f".{k}{checkpoint.suffix}") for k in range(shots)]


@contextlib.contextmanager
def noting_what_is_kept(checkpoint: Path) -> Iterator[None]:
    """Notes on an interruption the checkpoints that there are, for the command line to print."""
    try:
        yield
    except KeyboardInterrupt as stop:
        kept = sorted(checkpoint.parent.glob(f"{glob.escape(checkpoint.stem)}.*{checkpoint.suffix}"))
        stop.add_note(
            f"the fit so far is kept in {' and '.join(map(str, kept))}, and the same command goes on from there."
            if kept
            else "nothing of the fit is kept yet: the same command begins anew."
        )
        raise


def forget(checkpoint: Path, shots: int) -> None:
    """Remove the checkpoints of a fit that is saved, with the temporary files of killed runs."""
    for path in shot_checkpoints(checkpoint, shots):
        path.unlink(missing_ok=True)
    scratch.sweep(checkpoint.parent)
