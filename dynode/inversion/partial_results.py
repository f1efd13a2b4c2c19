"""Finished codes on disk beside the output, so that a killed inversion goes on where it stopped."""

import json
import shutil
from pathlib import Path

import torch

from dynode.errors import UserError
from dynode.inversion.projection import Projection
from dynode.io import names
from dynode.io.tensor_files import read_safetensors, write_checkpoint

FORMAT = "dynode-partial-inversion-3"


class Partial:
    """A folder `<output>.partial` with one small file for each batch of frames, and the job they belong to.

    A batch that could not be written is a gap: the files behind it are not resumed from.
    done: the finished frames, in order.  steps: the optimiser steps that they took.
    """

    def __init__(self, output: Path, job: dict):
        self.folder = names.beside(output, ".partial")
        self.job = json.dumps(job, sort_keys=True)
        self.done: list[Projection] = []
        self.steps = 0
        while (path := self.next_file()).is_file():
            self.resume(path)

    def next_file(self) -> Path:
        """The file of the next batch: its name is the number of frames before it."""
        return self.folder / f"{len(self.done):06d}.safetensors"

    def resume(self, path: Path) -> None:
        tensors, metadata = read_safetensors(path, FORMAT, "a partial inversion")
        if metadata["job"] != self.job:
            raise UserError(
                f"{self.folder} belongs to another inversion (other video, settings or weights): "
                "delete it, or choose another output."
            )
        encoded = tensors.get("encoded", [None] * len(tensors["ws"]))
        rows = zip(tensors["ws"], tensors["quality"].tolist(), encoded, strict=True)
        self.done += [Projection(ws, *row, encoded=code) for ws, row, code in rows]
        self.steps += int(metadata["steps"])

    def append(self, projections: list[Projection], steps: int = 0) -> None:
        """Write one more batch and the optimiser steps it took; it counts once it is whole."""
        quality = [[p.mse, p.lpips, p.identity] for p in projections]
        tensors = {
            "ws": torch.stack([p.ws for p in projections]),
            "quality": torch.tensor(quality, dtype=torch.float64),
        }
        encoded = [p.encoded for p in projections if p.encoded is not None]
        tensors |= {"encoded": torch.stack(encoded)} if len(encoded) == len(projections) else {}
        write_checkpoint(self.next_file(), tensors, FORMAT, job=self.job, steps=str(steps))
        self.done += projections
        self.steps += steps

    def remove(self) -> None:
        """Delete the partial results once the clip is written, the last first: a kill then leaves a resumable beginning."""
        for path in sorted(self.folder.glob("[0-9]*.safetensors"), reverse=True):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
