"""Finished stages of a system that tunes the generator, kept in files: a run that was stopped goes on behind the last one.

A stage is known by its name and by what decides its result: codes, frames and weights by their digests, settings by value.
"""

import contextlib
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from dynode.errors import UserError
from dynode.inversion.observer import Observer
from dynode.io.tensor_files import read_safetensors, write_checkpoint
from dynode.settings import to_json

FORMAT, WHAT = "dynode-system-stage-2", "a finished stage of an edit"
BEFORE = "_before"  # ends the name of what counts the uses of a part by stages that are kept


@dataclass(frozen=True)
class Stage:
    """What a stage left: tensors by name, and numbers, of which `steps` are the optimiser steps that it took.

    uses: of parts, by the names of their counters, while it was made.
    """

    tensors: dict[str, torch.Tensor]
    numbers: dict[str, Any]
    uses: dict[str, int] = field(default_factory=dict)

    @property
    def all_uses(self) -> dict[str, int]:
        """`uses` with its optimiser steps, which are known where nobody counted, too."""
        return self.uses | {"tuning_steps": self.numbers.get("steps", 0)}


@dataclass(frozen=True)
class KeptStages:
    """The stages of one shot in a folder; None keeps nothing."""

    folder: Path | None

    def path(self, name: str, decided_by: Mapping[str, Any]) -> Path | None:
        """The file of a stage, None where nothing is kept."""
        return self.folder / f"{name}.{digest_of(decided_by)}.safetensors" if self.folder else None

    def stage(self, name: str, decided_by: Mapping[str, Any], make: Callable[[], Stage], observer: Observer) -> Stage:
        """A stage as it was kept, or made now and kept.

        observer: counts the uses of parts while it is made; of one that was kept it is notified of those, see `tell`.
        """
        path = self.path(name, decided_by)
        with contextlib.suppress(UserError):  # one that is missing or damaged is made anew
            if path is not None and path.is_file():
                stage = read(path)
                tell(observer, stage.all_uses)
                return stage
        before = observer.counts()
        stage = make()
        stage = replace(stage, uses=uses_since(observer, before))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            texts = {"numbers": json.dumps(stage.numbers), "uses": json.dumps(stage.uses)}
            write_checkpoint(path, stage.tensors, FORMAT, **texts)
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
    return Stage(tensors, json.loads(metadata["numbers"]), json.loads(metadata["uses"]))


def uses_since(observer: Observer, before: Mapping[str, int]) -> dict[str, int]:
    """How often parts were used since an observer had counted `before`, by stages that were kept, too."""
    uses: Counter[str] = Counter()
    for name, count in observer.counts().items():
        uses[name.removesuffix(BEFORE)] += count - before.get(name, 0)
    return {name: count for name, count in uses.items() if count}


def tell(observer: Observer, uses: Mapping[str, int]) -> None:
    """Notify an observer of uses by what was done before: of those of a part under its name and "_before", where it counts them."""
    known = observer.counts()
    for name, count in uses.items():
        if name + BEFORE in known:
            observer.count(name + BEFORE, count)


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
