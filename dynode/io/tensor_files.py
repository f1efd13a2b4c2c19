"""Our own files of tensors: safetensors with a format and metadata, written whole or not at all, refused where damaged."""

import contextlib
import json
from dataclasses import asdict, is_dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dynode.errors import UserError
from dynode.io import files


def write_safetensors(path: Path | str, tensors: dict[str, torch.Tensor], format: str, **metadata) -> None:
    """Write one of our own files, atomically.  metadata: strings, dataclasses of settings, or what JSON can hold."""
    told = {"format": format} | {key: text_of(value) for key, value in metadata.items()}
    with files.written_whole(Path(path)) as scratch:
        save_file({key: value.detach().contiguous() for key, value in tensors.items()}, scratch, told)


def text_of(value) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(asdict(value) if is_dataclass(value) else value)


def half_precision(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What a network has learned, in half precision."""
    return {key: value.half() for key, value in network.state_dict().items()}


def read_safetensors(path: Path, wanted: str | tuple, what: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of one of our own files, of one or several formats.

    Raises UserError when it is missing, broken or something else.
    """
    metadata = read_metadata(path, wanted, what)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118 (not a dict)


@contextlib.contextmanager
def undamaged(path: Path | str, what: str):
    """What is made of a file of ours goes well, or UserError says that the file's numbers do not fit what it says of them."""
    try:
        yield
    except (LookupError, TypeError, ValueError, RuntimeError):
        raise UserError(f"{path} is damaged, or of another version: {what} was wanted.") from None


def read_metadata(path: Path, wanted: str | tuple, what: str) -> dict[str, str]:
    """The metadata alone; raises the same."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: {what} was wanted.")
    if not path.is_file():
        raise UserError(f"There is no file {path}: {what} was wanted.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError):
        raise UserError(f"{path} is no safetensors file, or is cut off: {what} was wanted.") from None
    if metadata.get("format") not in ((wanted,) if isinstance(wanted, str) else wanted):
        raise UserError(f"{path} has format {metadata.get('format', 'unknown')!r}: {what} was wanted.")
    return metadata
