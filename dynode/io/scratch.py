"""Temporary folders that are locked by the process that writes in them, so that those of dead processes can be removed.

The lock ends with its process, in whatever container that ran.  Where a file system has no locks, a folder in which nothing
has changed for a day is taken for abandoned.  Locks of a network's file system may hold for one machine alone, as it is
mounted: there the folder of another machine must also have been quiet for an hour.
"""

import contextlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dynode.io import locks, names

SUFFIX = ".dynode-part"
LOCK, MACHINE = ".lock", ".machine"
ABANDONED, QUIET = 24 * 3600, 3600  # seconds without a change
NETWORKS = tuple(
    ["nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "gluster", "afs", "9p", "fuse.", "pvfs", "orangefs"]
)


@contextlib.contextmanager
def folder(parent: Path, name: str) -> Iterator[Path]:
    """Yield a new hidden folder in `parent` to write `name` in; afterwards it is removed, as are those of dead processes.

    Raises OSError where `parent` cannot be written.
    """
    sweep_once(Path(parent).absolute())
    prefix = f".{names.short(name)}."
    with tempfile.TemporaryDirectory(SUFFIX, prefix, parent, ignore_cleanup_errors=True) as scratch:
        lock = locks.take(Path(scratch) / f"{LOCK}-new")
        try:
            with contextlib.suppress(OSError):  # only a lock that is held gets the name that `abandoned` tries
                (Path(scratch) / MACHINE).write_text(platform.node(), encoding="utf-8")
                os.rename(Path(scratch) / f"{LOCK}-new", Path(scratch) / LOCK)
            yield Path(scratch)
        finally:
            locks.release(lock)


@cache
def sweep_once(parent: Path) -> None:
    """`sweep`, once in a process for each folder: one with many files takes long to list."""
    sweep(parent)


def sweep(parent: Path) -> None:
    """Remove the temporary folders in `parent` whose process is no more, on this machine or another."""
    for left in Path(parent).glob(f".*{SUFFIX}"):
        if abandoned(left):
            shutil.rmtree(left, ignore_errors=True)


def abandoned(left: Path) -> bool:
    """Whether no process holds a temporary folder any more; False where that cannot be determined."""
    try:
        lock = locks.take(left / LOCK) if (left / LOCK).exists() else None
    except (locks.Taken, OSError):
        return False
    quiet = time.time() - last_change(left)
    if lock is None:
        return quiet > ABANDONED
    locks.release(lock)
    return quiet > QUIET or is_here(left) or not is_on_a_network(left)


def is_here(left: Path) -> bool:
    """Whether a temporary folder was made on this machine."""
    try:
        return (left / MACHINE).read_text(encoding="utf-8") == platform.node()
    except (OSError, UnicodeDecodeError):
        return False


def is_on_a_network(folder: Path) -> bool:
    """Whether a folder lies on a file system that several machines share; False where that cannot be determined."""
    try:
        device = os.stat(folder).st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = [line.rpartition(" - ")[2] for line in mounts if line.split()[2] == number]
    return any(kind.startswith(NETWORKS) for kind in kinds)


def last_change(folder: Path) -> float:
    """When anything in a folder last changed, in seconds since the epoch; now for one that cannot be looked into."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:
        return time.time()
