"""What an output may be, checked before the work that fills it: one border for the commands and for Python."""

import contextlib
import errno
import glob
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from dynode import runtime
from dynode.errors import UserError
from dynode.io import assets, scratch

CLIP, FIT, RECORD = (".safetensors",), (".fit", ".safetensors"), (".json", ".json.xz")
VIDEO, PICTURE, TABLE = (".mp4",), (".png",), (".csv",)
PAGE = (".html",)
FIGURE = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".eps", ".ps")
KINDS = {kind[0]: kind for kind in (CLIP, FIT, RECORD, VIDEO, FIGURE, TABLE, PAGE)}  # by the usual suffix
STREAMS = {"/dev", "/dev/fd", "/proc/self/fd"}  # folders whose files stand for devices and open streams
NUMBERED = re.compile(r"\d{6}\.png")  # frames in a folder
BLOCK = 4096  # bytes that are written as a trial: a full disk still takes empty files


def require_output(path: Path | str, *inputs: Path | str | None, suffixes: tuple[str, ...] = ()) -> Path:
    """The path of an output that can be written.  Nothing is made there yet, folders included.

    inputs: what it is made from, by path or by name.  suffixes: those of what is written, where that is one kind of file.
    Raises UserError for a folder, a device or another file that is none, a name that says another kind, an input itself
    under whatever name, and where it cannot be written.
    """
    path = Path(path)
    try:
        require_file(path)
        require_no_input(path, inputs)
        require_suffix(path, suffixes)
        require_room(path)
    except (OSError, ValueError) as error:  # a ValueError is a name that no file can have
        raise UserError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.") from None
    return path


def require_file(path: Path) -> None:
    """Raises UserError for what is there and cannot be replaced by a file, OSError for a path that leads nowhere."""
    if not os.path.lexists(path):
        return
    mode = existing_mode(path)
    if mode is not None and stat.S_ISDIR(mode):
        raise UserError(f"{path} cannot be written: it is a folder, name a file.")
    if os.path.dirname(os.path.abspath(path)) in STREAMS or not stat.S_ISREG(stat.S_IFREG if mode is None else mode):
        raise UserError(f"{path} cannot be written: it is a device, pipe or socket, name a file.")


def existing_mode(path: Path) -> int | None:
    """The mode of what a path leads to; None for a link to a file that is not there yet.  Raises OSError for a loop."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def require_suffix(path: Path | str, suffixes: tuple[str, ...]) -> None:
    """Raises UserError for a name that does not say what is written, by one of these suffixes."""
    name = Path(path).name
    if suffixes and not any(name.lower().endswith(suffix) and len(name) > len(suffix) for suffix in suffixes):
        wanted, other = " or ".join(suffixes), f"{Path(path).stem or 'out'}{suffixes[0]}"
        other = other if not Path(path).with_name(other).exists() else f"{name}{suffixes[0]}"
        raise UserError(f"{path} does not say what is written, {wanted}: name it {other}.")


def require_no_input(path: Path, inputs: Iterable[Path | str | None]) -> None:
    """Raises UserError where a path is one of the inputs, by another spelling, a link, or a name of ours, or a cached file."""
    for given in filter(None, inputs):
        if any(same(path, file) for file in (Path(given), *named_files(str(given)))):
            raise UserError(f"{path} is the input itself: name another output.")
    if any(same(path, file) for file in map(assets.cached_path, assets.registry()[1].values())):
        raise UserError(f"{path} is a fetched file of the cache: name another output.")


def require_side(path: Path, output: Path) -> None:
    """Raises UserError for a file that is written beside an output and would replace somebody's: one that is there without it."""
    require_output(path)
    if path.exists() and not output.exists():
        raise UserError(f"{path} is there and would be replaced: name another output than {output}, or move it away.")


def same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, or would be."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def named_files(name: str) -> list[Path]:
    """The files that an input stands for which is given by name: a shipped clip, generator or editor, or an asset."""
    stems = {name, *name.split("@")} - {""}  # a generator may be NAME@w, an editor NAME@FILE
    shipped = [path for stem in stems for path in runtime.PACKAGE.rglob(f"{glob.escape(Path(stem).name)}.safetensors")]
    asset = assets.registry()[1].get(name)
    seeded = assets.seeded_path(asset.name, asset.filename) if asset else None
    return [*shipped, *map(Path, name.split("@")[1:]), *([seeded] if seeded else [])]


def require_room(path: Path) -> None:
    """Raises OSError where a file of that name could not be made now: by a trial in the nearest folder that is there."""
    target = Path(os.path.realpath(path))
    if target.is_file():
        if not os.access(target, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        if not os.access(target.parent, os.W_OK):
            return  # the file itself will be written over
    folder, names = nearest_folder(target)
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(folder / name)  # refuses a name that is too long
    with scratch.folder(folder, target.name) as trial:
        (trial / "trial").write_bytes(bytes(BLOCK))


def nearest_folder(target: Path) -> tuple[Path, list[str]]:
    """The nearest folder above a file that is there, and the names of all below it, the file's own the last."""
    names, folder = [target.name], target.parent
    while not os.path.lexists(folder):
        names, folder = [folder.name, *names], folder.parent
    return folder, names


def require_pictures_folder(folder: Path) -> None:
    """Raises UserError for a folder that holds anything but numbered pictures, among which those to write would be lost."""
    if folder.is_dir():
        others = sorted(path.name for path in folder.iterdir() if not NUMBERED.fullmatch(path.name))
        if others:
            raise UserError(f"{folder} holds other files, such as {others[0]}: name a new folder for the frames.")


def later_pictures(folder: Path, count: int) -> int:
    """How many numbered pictures of a folder come after the first `count`: those of a longer run before."""
    return sum(int(path.stem) >= count for path in folder.iterdir() if NUMBERED.fullmatch(path.name))
