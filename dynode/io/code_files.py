"""Codes in files of other programs: .npy, .npz, .pt, .pth and .safetensors; nothing that a file holds is executed."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from dynode.border import numbers, ordinary_modes
from dynode.errors import UserError
from dynode.io import assets
from dynode.io.inputs import instead_of_file
from dynode.settings import listed, nearest

VIDEOS = (".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".3gp", ".gif")  # suffixes
FILES = (".safetensors", ".fit", ".pt", ".pth", ".npy", ".npz")  # suffixes of what else codes are expected in

# The names under which projectors keep codes, the most specific first.
NAMES = ("ws", "w_plus", "wp", "w_opt", "projected_w", "latent_code", "latent_codes", "latent", "latents", "codes", "w")


def from_array_file(path: Path) -> Any:
    """The array of an .npy, or the arrays by name of an .npz."""
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        return {name: loaded[name] for name in loaded.files}


def from_torch_file(path: Path) -> Any:
    """What `torch.save` wrote, of tensors, lists and dictionaries alone."""
    return torch.load(path, map_location="cpu", weights_only=True)


READERS: dict[str, Callable[[Path], Any]] = {
    ".npy": from_array_file,
    ".npz": from_array_file,
    ".pt": from_torch_file,
    ".pth": from_torch_file,
    ".safetensors": load_file,
}
FOREIGN = tuple(suffix for suffix in READERS if suffix != ".safetensors")  # which no file of ours has


def refuse_foreign(path: Path) -> None:
    """Raises UserError for a file of codes that are no clip yet, with the command that makes one of them."""
    is_foreign = path.suffix.lower() in FOREIGN
    if path.is_file() and path.suffix.lower() == ".safetensors":
        with contextlib.suppress(SafetensorError), safe_open(path, framework="pt") as file:
            is_foreign = "format" not in (file.metadata() or {})
    if path.is_file() and is_foreign:
        raise UserError(
            f"{path} holds tensors of another program and no times: `dynode clip {path} --fps 25 --generator NAME -o "
            f"{path.stem}.clip.safetensors` makes a clip of codes, at their frame rate or --times."
        )


@ordinary_modes
def read_codes(path: Path | str) -> torch.Tensor:
    """The codes of a file as it holds them, of any shape; of a dictionary those under one of NAMES, or the only tensor.

    Raises UserError for a file that is missing, damaged, of another kind, or that a program would have to be run to read.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} is a folder: name its files." if path.is_dir() else f"There is no file {path}.")
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise UserError(
            f"{path} is no file of codes, which end in {', '.join(READERS)}: save the codes as one of these."
        )
    try:
        held = READERS[suffix](path)
    except Exception as error:  # readers of others raise a dozen kinds
        raise refusal(path, error) from None
    return codes_among(held, path)


def refusal(path: Path, error: Exception) -> UserError:
    """What is wrong with a file that a reader refused."""
    if path.open("rb").read(1) == b"\x80" or any(
        word in str(error) for word in ("Object arrays", "Unsupported global", "Unsupported class")
    ):
        return UserError(
            f"{path} holds a pickle, which is a program and is not run: where you trust it, load it in Python and save the "
            "codes alone, by np.save(name, codes) or torch.save(codes, name)."
        )
    return UserError(f"{path} is no {path.suffix} file that can be read, or is cut off: write it again.")


def codes_among(held: Any, path: Path) -> torch.Tensor:
    """The codes among what a file holds.  Raises UserError where none, or several without a name of NAMES, are there."""
    if isinstance(held, Mapping):
        return of_mapping(held, path)
    if isinstance(held, Sequence) and len(held) and all(isinstance(each, Mapping) for each in held):
        return torch.stack([codes_among(each, path) for each in held])
    return numbers(held, f"The codes in {path}")


def of_mapping(held: Mapping, path: Path) -> torch.Tensor:
    """The codes of a dictionary: one code for each image, or codes by a name."""
    known = [name for name in NAMES if name in held]
    if known:
        return codes_among(held[known[0]], path)
    inner = {str(name): value for name, value in held.items() if isinstance(value, Mapping)}
    if inner:  # of each image a dictionary, as rosinality's projector writes it
        return torch.stack([codes_among(inner[name], path) for name in sorted(inner, key=natural)])
    tensors = {str(name): each for name, each in held.items() if isinstance(each, torch.Tensor | np.ndarray)}
    if len(tensors) == 1:
        return codes_among(next(iter(tensors.values())), path)
    if tensors and len({each.shape for each in tensors.values()}) == 1:  # of each image a code
        return torch.stack([codes_among(tensors[name], path) for name in sorted(tensors, key=natural)])
    raise UserError(
        f"{path} holds {', '.join(map(str, list(held)[:8])) or 'nothing'}, and none is known as codes: save them alone, or "
        f"as one of {', '.join(NAMES)}."
    )


def natural(name: Path | str) -> list[tuple[int, str]]:
    """A key that sorts names by the numbers in them: frame2 before frame10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", str(name))]


def read_times(text: str) -> torch.Tensor:
    """Times (T,) in seconds: a file with numbers, an .npy, or the numbers themselves, such as "0,0.04,0.08".

    Raises UserError for what holds anything else.
    """
    path = Path(text)
    if path.suffix.lower() in FOREIGN:
        return read_codes(path).double().flatten()
    try:
        words = re.split(r"[\s,;]+", (path.read_text(encoding="utf-8-sig") if path.is_file() else text).strip(" \n,;"))
        return torch.tensor([float(word) for word in words], dtype=torch.float64)
    except (OSError, ValueError):
        raise UserError(
            f"{text} holds no times: a file with the second of every frame, one a line, was wanted."
        ) from None


def digest(codes: torch.Tensor) -> str:
    """Twelve hex digits that identify codes (n, L, D)."""
    return hashlib.sha256(codes.contiguous().numpy().tobytes()).hexdigest()[:12]


def no_clip(name: str, legal: Sequence[str]) -> str:
    """What is wrong with a name that is no clip's: a file that is not there, a video, or a name like a legal one."""
    asset = assets.registry()[1].get(name)
    if Path(asset.filename if asset else name).suffix.lower() in VIDEOS and (asset or Path(name).exists()):
        return (
            f"{name} is a video: turn it into codes first by `dynode invert {name}`, and give the clip that it writes."
        )
    if Path(name).suffix.lower() in {*VIDEOS, *FILES} or Path(name).name != name:
        return (
            f"{instead_of_file(Path(name))}: give a clip, as `dynode invert` writes it, or the name of a shipped one."
        )
    return (
        f"There is no clip {name!r}{nearest(name, legal)}: give a clip file or one of "
        f"{listed(legal) or 'no shipped clips'}."
    )
