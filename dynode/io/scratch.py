"""Temporary folders whose names carry the process that writes, so that those of killed processes can be removed."""

import contextlib
import glob
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def folder(parent: Path, name: str) -> Iterator[Path]:
    """Yield a new hidden folder in `parent` to write `name` in; afterwards it is removed, as are those of dead processes.

    Raises OSError where `parent` cannot be written.
    """
    sweep(parent, name)
    with tempfile.TemporaryDirectory(prefix=f"{prefix(name)}{os.getpid()}.", dir=parent) as scratch:
        yield Path(scratch)


def sweep(parent: Path, name: str) -> None:
    """Remove the folders for `name` in `parent` whose process, on this machine, is no more."""
    for left in Path(parent).glob(f"{glob.escape(prefix(name))}*.*"):
        pid = left.name.split(".")[-2]
        if pid.isdecimal() and not running(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def prefix(name: str) -> str:
    return f".{name}.{platform.node()}."


def running(pid: int) -> bool:
    """Whether a process of that number runs here; True where that cannot be determined."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True
