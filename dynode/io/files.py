"""Files are written whole or not at all, to where the user meant, and what is finished is never lost.

Imports nothing heavy.  What an output may be is checked by `dynode.io.outputs`, before the work that fills it.
"""

import contextlib
import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from safetensors import SafetensorError

from dynode.errors import UserError
from dynode.io import assets, scratch

FAILURES = (OSError, SafetensorError)  # safetensors has an error of its own for a full disk
UNSYNCED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # of file systems that do not know fsync


def write(path: Path | str, writer: Callable[[Path], object]) -> Path:
    """Write a file by `writer(scratch path)`, whole or not at all; what its folder cannot take is kept in another one.

    Raises UserError when it could not be written, with where it is kept.
    """
    path, failures = Path(path), []
    for _ in range(2):  # a folder that vanished during the work is made again
        try:
            with written_whole(path) as part:
                writer(part)
            return path
        except Unwritten as error:
            failures.append(error.reason)
    raise keeping(path, failures[-1], writer)


def write_checkpoint(path: Path, writer: Callable[[Path], object]) -> None:
    """Write what an interrupted work resumes from; where that cannot be, the work goes on with a warning."""
    try:
        with written_whole(path, keep=False) as part:
            writer(part)
    except Unwritten as error:
        warn(f"{error} The work goes on, but could not be resumed from here.")


@cache
def warn(text: str) -> None:
    """Print a warning, once in a process."""
    print(f"\n{text}", file=sys.stderr)


class Unwritten(UserError):
    """A file that could not be written."""

    def __init__(self, path: Path, reason: object):
        super().__init__(f"{path} could not be written: {reason}.")
        self.reason = reason


def reason_of(error: Exception) -> object:
    """What the operating system says, also of an error that safetensors wraps."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return os.strerror(int(number[1])) if number else getattr(error, "strerror", None) or error


@contextlib.contextmanager
def written_whole(path: Path | str, suffix: str = "", keep: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write; on success that file replaces `path`, on failure nothing is left.

    It lies in a folder of its own, because libraries write temporary files beside their output.  A link stays, and what it
    leads to is replaced.  suffix: of the temporary path, by default that of `path`.
    keep: it is a result, on the disk before it has its name, and kept in another folder where it cannot be moved to `path`;
    not a checkpoint or a file of a cache.
    Raises UserError when the file cannot be written.
    """
    path, target = Path(path), Path(os.path.realpath(path))
    with contextlib.ExitStack() as stack:
        try:
            require_regular(target)
            folder = working_folder(stack, target, keep)
            part, mode = folder / f"part{suffix or target.suffix}", mode_of(target, folder)
        except OSError as error:
            raise Unwritten(path, reason_of(error)) from None
        try:
            yield part
        except FAILURES as error:
            if elsewhere(error, folder):
                raise
            raise Unwritten(path, reason_of(error)) from None
        try:
            if keep:
                flush(part)
            move(part, target, mode)
        except OSError as error:
            if not keep:
                raise Unwritten(path, reason_of(error)) from None
            raise keeping(path, reason_of(error), lambda spare: shutil.move(part, spare)) from None


def elsewhere(error: Exception, folder: Path) -> bool:
    """Whether an error is about a named file that does not lie in the folder: one that was read."""
    name = getattr(error, "filename", None)
    return isinstance(name, str | Path) and not Path(name).is_relative_to(folder)


def require_regular(target: Path) -> None:
    """Raises OSError for what is there and no regular file: it would be renamed over."""
    if os.path.lexists(target) and not stat.S_ISREG(os.stat(target).st_mode):
        raise OSError(errno.EINVAL, "it is a folder, device, pipe or socket")


def working_folder(stack: contextlib.ExitStack, target: Path, keep: bool) -> Path:
    """A temporary folder beside a file, or elsewhere where that folder cannot take one and the content is to be kept."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return stack.enter_context(scratch.folder(target.parent, target.name))
    except OSError:
        if not keep:
            raise
        return Path(stack.enter_context(tempfile.TemporaryDirectory()))


def mode_of(target: Path, folder: Path) -> int:
    """The permissions that a file has once it is replaced: its own, or those that a new file in `folder` is given."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_IMODE(target.stat().st_mode)
    with open(folder / ".mode", "wb") as new:
        return stat.S_IMODE(os.fstat(new.fileno()).st_mode)


def move(part: Path, target: Path, mode: int) -> None:
    """Put a finished file at its path: by renaming, or by copying where a file system refuses that.  Raises OSError."""
    with contextlib.suppress(OSError):
        os.chmod(part, mode)
    target.parent.mkdir(parents=True, exist_ok=True)
    require_regular(target)
    try:
        os.replace(part, target)
    except OSError:
        copy(part, target)


def flush(part: Path) -> None:
    """Have a file on the disk before its name is.  Raises OSError where the disk turns out to be full."""
    with open(part, "rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in UNSYNCED:
                raise


def copy(part: Path, target: Path) -> None:
    """Copy a file over its target; a new one is there whole or not at all.  Raises OSError."""
    size, before = part.stat().st_size, target.stat().st_size if target.exists() else None
    if size > shutil.disk_usage(target.parent).free + (before or 0):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        shutil.copyfile(part, target)
        flush(target)
    except OSError:
        if before is None:
            target.unlink(missing_ok=True)
        raise


def keeping(path: Path, reason: object, put: Callable[[Path], object]) -> UserError:
    """The error of a file that could not be written; `put` has its content put elsewhere, and the error says where."""
    for folder in spare_folders():
        try:
            spare = spare_file(folder, path.name)
        except OSError:
            continue
        try:
            put(spare)
        except FAILURES:
            shutil.rmtree(spare.parent, ignore_errors=True)
            continue
        return UserError(
            f"{path} could not be written ({reason}): the finished file is kept as {spare}, move it from there."
        )
    return Unwritten(path, reason)


def spare_folders() -> Iterator[Path]:
    """Where a finished file is kept when its own folder cannot take it."""
    yield assets.cache_dir() / "kept"
    with contextlib.suppress(OSError):  # there may be none
        yield Path(tempfile.gettempdir())


def spare_file(folder: Path, name: str) -> Path:
    """The path of a new file of that name in a new folder that nobody else can read.  Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="dynode-kept-", dir=folder)) / name
