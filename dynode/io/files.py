"""Atomic writing: a file is replaced whole or not at all.  Imports nothing heavy."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from dynode.errors import UserError
from dynode.io import scratch


def require_writable(path: Path) -> None:
    """Raises UserError for an output that cannot be written, before the work that would fill it."""
    if Path(path).is_dir():
        raise UserError(f"{path} cannot be written: it is a folder, name a file.")
    folder = Path(path).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from None


@contextlib.contextmanager
def written_whole(path: Path, suffix: str = "") -> Iterator[Path]:
    """Yield a temporary path to write; on success that file replaces `path`, on failure nothing is left.

    It lies in a folder of its own, because libraries write temporary files beside their output.
    suffix: of the temporary path, where the writer depends on it.  Raises UserError when the file cannot be written.
    """
    path = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(scratch.folder(path.parent, path.name))
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}.") from None
        part = folder / (path.stem + suffix if suffix else path.name)
        try:
            yield part
            os.chmod(part, 0o644)
            os.replace(part, path)
        except (OSError, SafetensorError) as error:  # safetensors has an error of its own for a full disk
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"{path} could not be written: {reason}.") from None
