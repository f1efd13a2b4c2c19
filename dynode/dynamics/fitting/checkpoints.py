"""A fit that was interrupted goes on from a file: the checkpoints of `dynode.dynamics.fitting.trainer`.

The environment variable DYNODE_CHECKPOINT_SECONDS changes how much time lies, at least, between two checkpoints
(10 seconds); 0 writes one at every look.
"""

import json
import os
import time
from pathlib import Path

from safetensors.torch import save_file

from dynode.errors import UserError
from dynode.io import files, scratch, training_state
from dynode.io.tensor_files import read_safetensors
from dynode.io.training_state import part

CHECKPOINT_FORMAT = "dynode-checkpoint-1"


def checkpoint_seconds() -> float:
    """Seconds, at least, between two checkpoints.  Raises UserError where the environment holds something else."""
    text = os.environ.get("DYNODE_CHECKPOINT_SECONDS", "10")
    try:
        return float(text)
    except ValueError:
        raise UserError(f"DYNODE_CHECKPOINT_SECONDS wants a number of seconds such as 10, got {text!r}.") from None


CHECKPOINT_SECONDS = checkpoint_seconds()


class Checkpoint:
    """The state of a `dynode.dynamics.fitting.trainer.Trainer` in one file, rewritten now and then; the same fit resumes from it exactly."""

    def __init__(self, path: Path, job: str):
        self.path, self.job, self.written = Path(path), job, time.time()

    def save(self, training) -> None:
        """Write where the last time is long enough ago."""
        if time.time() - self.written < CHECKPOINT_SECONDS:
            return
        tensors = {f"adam.{key}": value for key, value in training_state.of_optimiser(training.optimiser).items()}
        tensors |= {f"field.{k}": v for k, v in training.field.state_dict().items()}
        tensors |= {f"best.{k}": v.clone() for k, v in (training.best_state or {}).items()}
        tensors["draws"] = training.rng.get_state()
        numbers = {k: getattr(training, k) for k in ("best", "iteration", "nfe", "seconds", "looks")}
        metadata = {"format": CHECKPOINT_FORMAT, "job": self.job, "numbers": json.dumps(numbers)}
        with files.written_whole(self.path) as target:
            save_file(tensors, target, metadata)
        self.written = time.time()

    def resume(self, training) -> None:
        """Put a training back to where the file was written; nothing happens where there is none."""
        if not self.path.is_file():
            return
        tensors, metadata = read_safetensors(self.path, CHECKPOINT_FORMAT, "a checkpoint of a fit")
        if metadata["job"] != self.job:
            raise UserError(
                f"{self.path} is the checkpoint of another fit (other clip, settings or seed): delete it, or choose "
                "another output."
            )
        training.field.load_state_dict(part(tensors, "field."))
        training.best_state = part(tensors, "best.") or None
        training_state.restore(training.optimiser, part(tensors, "adam."))
        training.rng.set_state(tensors["draws"])
        for key, value in json.loads(metadata["numbers"]).items():
            setattr(training, key, value)


def shot_checkpoints(checkpoint: Path, shots: int) -> list[Path]:
    """Where each shot of a clip keeps its checkpoint."""
    return [checkpoint.with_suffix(f".{k}{checkpoint.suffix}") for k in range(shots)]


def forget(checkpoint: Path, shots: int) -> None:
    """Remove the checkpoints of a fit that is saved, with what killed runs left of them."""
    for path in shot_checkpoints(checkpoint, shots):
        path.unlink(missing_ok=True)
        scratch.sweep(path.parent, path.name)
