"""Locks on files that end with the process that holds them, on this machine or another one that shares the folder."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dynode.errors import UserError
from dynode.io import names

if TYPE_CHECKING:
    from filelock import BaseFileLock


class Taken(Exception):
    """A lock that somebody else holds."""


def take(path: Path) -> "BaseFileLock | None":
    """Hold the lock of a file, which is made; None where the file system has no locks.

    It ends with `release`, or with this process.  Raises Taken where another holds it, OSError where the file cannot be made.
    """
    import filelock

    lock = filelock.FileLock(path, blocking=False, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise Taken(path) from None
    except NotImplementedError:
        return None
    except OSError as error:
        if isinstance(error, PermissionError | FileNotFoundError) or not path.is_file():
            raise
        return None  # the file was made, but the file system refuses the lock
    return lock


def release(lock: "BaseFileLock | None") -> None:
    """Give a lock back."""
    if lock is not None:
        lock.release()


@contextlib.contextmanager
def claimed(output: Path | None) -> Iterator[None]:
    """A context in which no other process works at the same output: both would write its checkpoint or partial result.

    A hidden file beside the output holds the claim.  Raises UserError where another process has it.  Without locks, without
    an output, or in a folder that cannot be written, nothing is claimed.
    """
    if output is None:
        yield
        return
    path = output.parent / f".{names.short(output.name)}.lock"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        lock = take(path)
    except Taken:
        raise UserError(f"Another process writes {output} now: wait for it, or name another output.") from None
    except OSError:
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            with contextlib.suppress(OSError):
                os.unlink(path)  # while it is held: whoever waits for this file notices that it is gone
            release(lock)
