"""The project's files of tensors: safetensors with a format and metadata, written atomically, refused where damaged."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dynode.errors import UserError
from dynode.io import files
from dynode.io.inputs import require_file

SCALE = ".scale"  # the end of the name of the scales of weights in 8 bits
SHORTEST = 5  # numbers of a row that its scale is worth
LOST = 0.01  # of the norm of such weights: the error they may have


def write_safetensors(path: Path | str, tensors: dict[str, torch.Tensor], format: str, **metadata: Any) -> None:
    """Write a file, atomically.  metadata: strings, dataclasses of settings, or JSON values.

    Raises UserError when it could not be written; where there is room elsewhere it is kept there.
    """
    files.write(path, writer_of(tensors, format, metadata))


def write_checkpoint(path: Path, tensors: dict[str, torch.Tensor], format: str, **metadata: Any) -> None:
    """Write what an interrupted work resumes from; where that cannot be, the work goes on with a warning."""
    files.write_checkpoint(path, writer_of(tensors, format, metadata))


def writer_of(tensors: dict[str, torch.Tensor], format: str, metadata: dict[str, Any]) -> Callable[[Path], None]:
    """A function that writes the tensors to a path."""
    texts = {"format": format} | {key: text_of(value) for key, value in metadata.items()}
    whole = {key: value.detach().contiguous() for key, value in tensors.items()}
    return lambda path: save_file(whole, path, texts)


def text_of(value: Any) -> str:
    """A string as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value)


def half_precision(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights and buffers of a network in half precision."""
    return {key: value.half() for key, value in network.state_dict().items()}


def eight_bits(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Half precision; matrices and kernels in 8 bits with a scale for each row, where that changes a row little enough."""
    stored = {key: halved(value) for key, value in tensors.items()}
    for key, value in tensors.items():
        if key + SCALE in tensors:
            raise ValueError(
                f"{key} and {key + SCALE} cannot be in one file: the second is the name of the first one's scales."
            )
        if value.dim() > 1 and value.numel() >= SHORTEST * max(1, len(value)):
            rows = value.float().flatten(1)
            scale = (rows.abs().amax(1, keepdim=True) / 127).clamp(min=1e-8)
            levels = (rows / scale).round()
            if (levels * scale - rows).norm() < LOST * rows.norm():
                stored |= {key: levels.to(torch.int8).view_as(value), key + SCALE: scale}
    return stored


def halved(tensor: torch.Tensor) -> torch.Tensor:
    """In half precision, where no number is beyond its range."""
    half = tensor.half()
    return half if torch.equal(half.isfinite(), tensor.isfinite()) else tensor.float()


def decoded(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What `half_precision` or `eight_bits` has stored, in float32."""
    values = {key: value.float() for key, value in tensors.items()}
    for key in [key for key, value in tensors.items() if value.dtype == torch.int8]:
        values[key] = (values[key].flatten(1) * values.pop(key + SCALE)).view_as(values[key])
    return values


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
    require_file(path, f"{what} was wanted")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        if "UTF-8" in str(error):
            raise UserError(f"{path} has a name that is not UTF-8, as safetensors wants it: rename the file.") from None
        raise UserError(f"{path} is no safetensors file, or is cut off: {what} was wanted.") from None
    if metadata.get("format") not in ((wanted,) if isinstance(wanted, str) else wanted):
        raise UserError(f"{path} has format {metadata.get('format', 'unknown')!r}: {what} was wanted.")
    return metadata
