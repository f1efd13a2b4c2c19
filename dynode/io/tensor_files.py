"""The project's files of tensors: safetensors with a format and metadata, written atomically, refused where damaged."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dynode.errors import UserError
from dynode.io import files


def write_safetensors(path: Path | str, tensors: dict[str, torch.Tensor], format: str, **metadata: Any) -> None:
    """Write a file, atomically.  metadata: strings, dataclasses of settings, or JSON values."""
    texts = {"format": format} | {key: text_of(value) for key, value in metadata.items()}
    with files.written_whole(Path(path)) as scratch:
        save_file({key: value.detach().contiguous() for key, value in tensors.items()}, scratch, texts)


def text_of(value: Any) -> str:
    """A string as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value)


def half_precision(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights and buffers of a network in half precision."""
    return {key: value.half() for key, value in network.state_dict().items()}


def read_safetensors(
    path: Path, wanted: str | tuple[str, ...], what: str
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a file, of one or several formats.  what: as the message calls it.

    Raises UserError when it is missing, damaged or of another format.
    """
    metadata = read_metadata(path, wanted, what)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118 (not a dict)


@contextlib.contextmanager
def undamaged(path: Path | str, what: str) -> Iterator[None]:
    """A context in which objects are built from a file; errors in it become a UserError that the file is damaged."""
    try:
        yield
    except (LookupError, TypeError, ValueError, RuntimeError):
        raise UserError(f"{path} is damaged, or of another version: {what} was wanted.") from None


def read_metadata(path: Path, wanted: str | tuple[str, ...], what: str) -> dict[str, str]:
    """The metadata alone, see `read_safetensors`."""
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
