"""Finished stages of a system that tunes the generator, kept in files: a run that was stopped goes on behind the last one.

A stage is known by its name and by what decides its result: codes, frames and weights by their digests, settings by value.
"""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dynode.errors import UserError
from dynode.inversion.observer import Observer
from dynode.io.tensor_files import read_safetensors, write_checkpoint
from dynode.settings import to_json

FORMAT, WHAT = "dynode-system-stage-1", "a finished stage of an edit"


@dataclass(frozen=True)
class Stage:
    """What a stage left: tensors by name, and numbers, of which `steps` are the optimiser steps that it took."""

    tensors: dict[str, torch.Tensor]
    numbers: dict[str, Any]


@dataclass(frozen=True)
class KeptStages:
    """The stages of one shot in a folder; None keeps nothing."""

    folder: Path | None

    def path(self, name: str, decided_by: Mapping[str, Any]) -> Path | None:
        """The file of a stage, None where nothing is kept."""
        return self.folder / f"{name}.{digest_of(decided_by)}.safetensors" if self.folder else None

    def stage(
        self, name: str, decided_by: Mapping[str, Any], make: Callable[[], Stage], observer: Observer | None = None
    ) -> Stage:
        """A stage as it was kept, or made now and kept.

        observer: notified of the optimiser steps of one that was kept (tuning_steps_before).
        """
        path = self.path(name, decided_by)
        with contextlib.suppress(UserError):  # one that is missing or damaged is made anew
            if path is not None and path.is_file():
                stage = read(path)
                if observer is not None:
                    observer.count("tuning_steps_before", stage.numbers.get("steps", 0))
                return stage
        stage = make()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_checkpoint(path, stage.tensors, FORMAT, numbers=json.dumps(stage.numbers))
        return stage

    def forget(self, name: str, decided_by: Mapping[str, Any]) -> None:
        """Delete the file of a stage that another one has made superfluous."""
        path = self.path(name, decided_by)
        if path is not None:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def checkpoint(self, name: str, decided_by: Mapping[str, Any]) -> Iterator[Path]:
        """The file in which an unfinished stage keeps its state; it is deleted when the stage is done."""
        path = self.path(name, decided_by)
        if path is None:
            with tempfile.TemporaryDirectory() as folder:
                yield Path(folder) / "checkpoint"
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint = path.with_suffix(".checkpoint")
        yield checkpoint
        checkpoint.unlink(missing_ok=True)


def read(path: Path) -> Stage:
    """A stage from its file.  Raises UserError for a damaged one."""
    tensors, metadata = read_safetensors(path, FORMAT, WHAT)
    return Stage(tensors, json.loads(metadata["numbers"]))


def digest_of(decided_by: Mapping[str, Any]) -> str:
    """Twelve hex digits of what decides a stage: tensors, settings and plain values by name."""
    digest = hashlib.sha256()
    for name, value in sorted(decided_by.items()):
        digest.update(name.encode())
        digest.update(content_of(value))
    return digest.hexdigest()[:12]


def content_of(value: Any) -> bytes:
    """The bytes that identify a tensor, some tensors by name, settings, or a plain value."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().contiguous().numpy().tobytes()
    if isinstance(value, dict) and all(isinstance(each, torch.Tensor) for each in value.values()):
        return b"".join(name.encode() + content_of(each) for name, each in sorted(value.items()))
    return (to_json(value) if hasattr(value, "__dataclass_fields__") else json.dumps(value, sort_keys=True)).encode()
