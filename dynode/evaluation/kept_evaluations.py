"""Evaluations that are kept in the user's cache: metrics per frame, and pictures that a figure showed.

The name of a file is a hash of all that its numbers depend on: codes, times, method, reference images, the generator's weights,
the code that computes, versions and device.  What has changed has another name; the oldest files go where there are too many.
"""

import contextlib
import hashlib
import inspect
import math
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from dynode import runtime
from dynode.errors import UserError
from dynode.io import assets, files, source_code
from dynode.metrics import Metric

VARIABLE = "DYNODE_EVALUATIONS"  # 0 keeps none
LIMIT = 2_000_000_000  # bytes
ROOM = 0.9  # of the limit is left when the oldest files go, so that other processes may add theirs
STEP = 0.01  # of the limit may be written before the folder is looked at anew
PICTURES = ".pictures"  # behind the name of a file of pictures


def digest_of(*parts: str | bytes | torch.Tensor) -> str:
    """A hash of texts and tensors with their shapes, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else None
        if isinstance(part, torch.Tensor):
            tensor = part.detach().cpu().contiguous()
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
            content = tensor.flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        content = str(part).encode() if content is None else content
        digest.update(f"{len(content)} ".encode() + content)
    return digest.hexdigest()


def hash_of_network(network: nn.Module) -> str:
    """A hash of all numbers of a network, of those too that have changed since it was loaded."""
    parts: list[str | torch.Tensor] = [type(network).__qualname__]
    for name, tensor in network.state_dict().items():
        parts += [name, tensor]
    return digest_of(*parts)


def hash_of_code() -> str:
    """A hash of the code of this package that evaluations depend on, of its assets and of the libraries' versions."""
    code = source_code.hash_of("dynode.evaluation.evaluator", "dynode.evaluation.kept_evaluations")
    table = assets.sha256_of(Path(assets.__file__).with_name("assets.toml"))
    return digest_of(code, table, *(runtime.installed(name) for name in runtime.RECORDED_VERSIONS))


def foreign_code(modules: Iterable[str]) -> str | None:
    """A hash of modules that lie outside this package, "" for none; None where one has no file that could be hashed."""
    foreign = sorted({name for name in modules if name.partition(".")[0] != source_code.NAME})
    paths = [getattr(sys.modules.get(name), "__file__", None) for name in foreign]
    if not all(path and Path(path).is_file() for path in paths):
        return None
    return digest_of(*(Path(path).read_bytes() for path in paths if path)) if foreign else ""


def code_of(metric: Metric) -> str | None:
    """The hash of a metric's own code where it lies outside this package, as `foreign_code`."""
    parts = [inspect.unwrap(part) for part in (metric.compute, metric.features) if part is not None]
    networks = [metric.network.partition(":")[0]] if metric.network else []
    return foreign_code([*(getattr(part, "__module__", "") for part in parts), *networks])


def switched_on() -> bool:
    """Whether evaluations are kept.  Raises UserError for another value of DYNODE_EVALUATIONS than 0 and 1."""
    chosen = os.environ.get(VARIABLE, "1") or "1"
    if chosen not in ("0", "1"):
        raise UserError(f"{VARIABLE} can be 0, which keeps no evaluations, or 1, got {chosen!r}.")
    return chosen == "1"


@dataclass
class KeptEvaluations:
    """Files of tensors by key in a folder, together at most `limit` bytes.

    Any number of processes may read and write at once: files are moved into their folder whole, and what another process has
    just removed is computed anew.
    """

    folder: Path = field(default_factory=lambda: assets.own_dir() / "evaluations")
    limit: int = LIMIT
    unseen: float = math.inf  # bytes written since the folder was looked at

    def path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def read(self, key: str) -> dict[str, torch.Tensor]:
        """The tensors of a key; none where there is no file, or one that is damaged."""
        path = self.path(key)
        try:
            tensors = load_file(path)
            os.utime(path)  # the oldest files are those that were not used for longest
        except (OSError, SafetensorError):
            return {}
        return tensors

    def add(self, key: str, tensors: dict[str, torch.Tensor], **described: str) -> None:
        """Keep tensors under a key, beside those that are there; where that cannot be, they are not kept.

        described: what they are, for whoever looks into the file.
        """
        merged = self.read(key) | {name: tensor.contiguous() for name, tensor in tensors.items()}
        size = sum(tensor.nbytes for tensor in merged.values())
        self.make_room(size)
        if size <= ROOM * self.limit:
            with contextlib.suppress(files.Unwritten), files.written_whole(self.path(key), keep=False) as part:
                save_file(merged, part, described)

    def make_room(self, size: int) -> None:
        """Remove the files that were not used for longest, where together with `size` more bytes they would be too many."""
        self.unseen += size
        if self.unseen < STEP * self.limit:
            return
        known = sorted(files_in(self.folder))
        total, self.unseen = size + sum(each for _, each, _ in known), size
        for _, each, path in known if total > ROOM * self.limit else ():
            if total <= ROOM * self.limit:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
            total -= each


def files_in(folder: Path) -> list[tuple[float, int, str]]:
    """(time of its last use, bytes, path) of every file of a folder that is there."""
    known = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # another process may have removed it
                if entry.name.endswith(".safetensors"):
                    status = entry.stat()
                    known.append((status.st_mtime, status.st_size, entry.path))
    return known


@dataclass
class KeptValues:
    """The values per frame of one evaluation by name, read when first needed; new ones are written by `write`.

    store: None keeps nothing.  key: of all that the values depend on.
    """

    store: KeptEvaluations | None = None
    key: str = ""
    described: dict[str, str] = field(default_factory=dict)
    known: dict[str, torch.Tensor] | None = None
    new: dict[str, torch.Tensor] = field(default_factory=dict)

    def get(self, name: str) -> torch.Tensor | None:
        """The values of that name (T,), None where they are not kept."""
        if self.store is None:
            return None
        if self.known is None:
            self.known = self.store.read(self.key)
        return self.known.get(name)

    def put(self, name: str, values: torch.Tensor) -> None:
        """Have values kept with the next `write`."""
        if self.store is not None:
            self.new[name] = values

    def write(self) -> None:
        """Write what is new."""
        if self.store is not None and self.new:
            self.store.add(self.key, self.new, **self.described)
            self.known, self.new = (self.known or {}) | self.new, {}
