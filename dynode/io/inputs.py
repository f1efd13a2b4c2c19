"""What comes in: a file that can be read, or a sentence with what is there instead.  Standard library only."""

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from dynode.errors import UserError
from dynode.settings import closest

FILMS = (".mp4", ".mov", ".webm", ".mkv", ".avi")
READ = (".safetensors", ".fit", *FILMS)
ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(?=\S)")  # a path has lost one of its slashes


def require_file(path: Path | str, remedy: str, suffixes: Sequence[str] = READ) -> Path:
    """The path of a regular file.  remedy: what to give, as the end of the sentence.  suffixes: of what is read, likely ones first.

    Raises UserError for a folder, a device, a web address, and for what is not there, with the nearest name that is.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{instead_of_file(path, suffixes)}: {remedy}.")
    return path


def instead_of_file(path: Path, suffixes: Sequence[str] = READ) -> str:
    """What a path is that names no regular file.  suffixes: see `require_file`."""
    if ADDRESS.match(str(path)):
        address = ADDRESS.sub(r"\1://", str(path), count=1)
        return f"{address} is an address, download that file first"
    if path.is_dir():
        return f"{path} is a folder"
    if path.exists():
        return f"{path} is a device, pipe or socket"
    if path.is_symlink():
        return f"{path} is a link to nothing"
    if re.search(r"[*?]", path.name):
        return f"There is no file {path}, no name fits that pattern"
    if str(path).startswith("~"):
        return f"There is no file {path}, within quotes shells leave ~ as it is"
    near = neighbour(path, suffixes)
    return f"There is no file {path}, did you mean {near}" if near else f"There is no file {path}"


def neighbour(path: Path, suffixes: Sequence[str] = READ) -> str:
    """The file of the same folder whose name differs in case, a suffix or a letter, "" where none does."""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(path.parent))
    same = [name for name in names if name.strip().lower() == path.name.strip().lower()]
    same += [path.name + suffix for suffix in suffixes if path.name + suffix in names]
    near = next(iter(same), "") or closest(path.name, names, cutoff=0.85)
    return repr(str(path.with_name(near))) if near and path.with_name(near).is_file() else ""
