"""One engine at a time works in a folder; the lock ends with its process, however that ends."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from dynode.errors import UserError
from dynode.io import locks


@contextlib.contextmanager
def alone(state: Path, folder: Path, command: str) -> Iterator[None]:
    """A context in which no other engine works in a folder.  state: where the lock is.  Raises UserError with who does."""
    state.mkdir(parents=True, exist_ok=True)
    owner = state / "owner.json"
    try:
        lock = locks.take(state / "lock")
    except locks.Taken:
        raise UserError(
            f"Another `dynode {command}` works in {folder} ({described(owner)}): wait for it, or name another folder."
        ) from None
    try:
        owner.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}), encoding="utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        locks.release(lock)


def described(owner: Path) -> str:
    """Which process holds the lock."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(owner.read_text(encoding="utf-8"))
        return f"process {known['pid']} on {known['host']}"
    return "it has just begun"


def left_locked(folder: Path) -> bool:
    """Whether a Snakemake that was killed has left its own lock in a folder."""
    return any((folder / ".snakemake" / "locks").glob("*"))
