"""Checkpoints: the state of an interrupted fit in a file, from which `dynode.dynamics.fitting.trainer` resumes.

The environment variable DYNODE_CHECKPOINT_SECONDS sets the least time between two checkpoints (10 seconds); 0 writes one
after every iteration.
"""

import json
import os
import time
from pathlib import Path

from safetensors.torch import save_file

from dynode.dynamics.fitting.trainer import Trainer
from dynode.errors import UserError
from dynode.io import files, scratch, training_state
from dynode.io.tensor_files import read_safetensors
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
        metadata = {"format": CHECKPOINT_FORMAT, "job": self.job, "numbers": json.dumps(numbers)}
        with files.written_whole(self.path) as target:
            save_file(tensors, target, metadata)
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


def forget(checkpoint: Path, shots: int) -> None:
    """Remove the checkpoints of a fit that is saved, with the temporary files of killed runs."""
    for path in shot_checkpoints(checkpoint, shots):
        path.unlink(missing_ok=True)
        scratch.sweep(path.parent, path.name)
