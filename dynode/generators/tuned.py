"""Tuned generators: files of differences to the weights of a base, on which codes, editors, encoders and fits of it stay valid.

A difference is a tensor of a weight's own shape, or the product of two factors (Hu et al. 2021, "LoRA"), stored in 8 or 16 bits.
The mapping is never changed, so neither are the codes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dynode.errors import UserError
from dynode.generators.latent_spaces import OneRow
from dynode.generators.protocol import Generator
from dynode.io import assets
from dynode.io.tensor_files import (
    decoded,
    eight_bits,
    read_metadata,
    read_safetensors,
    undamaged,
    write_safetensors,
)

FORMAT, WHAT = "dynode-tuning-1", "a tuning (as `dynode tune` writes it)"
SUFFIX = ".safetensors"
LEFT, RIGHT = "@left", "@right"  # behind a weight's name: the factors of its difference, a weight (O, ...) as (O, N)
NONE = "none"  # instead of a file: the base itself


@dataclass(frozen=True)
class Tuning:
    """A tuning without its weights: its file, base and card.

    base: the name of the generator that it changes.  base_hash: identifies the weights of that.  hash: identifies the tuning.
    card: the clip, settings, loss curve and seconds.
    """

    path: Path
    base: str
    base_hash: str
    card: dict[str, Any]

    @property
    def hash(self) -> str:
        return assets.sha256_of(self.path)[:12]

    @property
    def mark(self) -> dict[str, str]:
        """What a clip's metadata keep of its tuning."""
        return {"file": str(self.path), "hash": self.hash}


def is_tuning(name: str) -> bool:
    """Whether the name of a generator is the file of a tuning."""
    if not (name.endswith(SUFFIX) and Path(name).is_file()):
        return False
    try:
        read_metadata(Path(name), FORMAT, WHAT)
    except UserError:
        return False
    return True


def read(path: Path | str) -> Tuning:
    """What a tuning's file says of it.  Raises UserError for another file."""
    metadata = read_metadata(Path(path), FORMAT, WHAT)
    with undamaged(path, WHAT):
        owner = json.loads(metadata["generator"])
        return Tuning(Path(path), owner["name"], owner["hash"], json.loads(metadata["card"]))


def write(path: Path, differences: Mapping[str, torch.Tensor], base: str, base_hash: str, card: dict) -> None:
    """Write differences by the names of weights, or of their factors, in 8 bits a number where that is enough; atomically."""
    stored = {name: value.cpu() for name, value in eight_bits(differences).items()}
    write_safetensors(path, stored, FORMAT, generator={"name": base, "hash": base_hash}, card=card)


def whole(generator: Generator) -> nn.Module:
    """The network whose weights a tuning changes: that behind a view with codes of one row."""
    network: Any = generator.generator if isinstance(generator, OneRow) else generator
    return network


def weights_of(generator: Generator) -> dict[str, torch.Tensor]:
    """The weights that a tuning may change, by name: all but the mapping's, in the order of the network."""
    named = whole(generator).named_parameters()
    return {name: value for name, value in named if not name.startswith("mapping")}


def product(left: torch.Tensor, right: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The difference in a weight's shape of its factors (O, R) and (R, N)."""
    return (left @ right).view(weight.shape)


@torch.no_grad()
def applied(generator: Generator, tuning: Tuning) -> Generator:
    """The generator itself, its weights changed by a tuning, which it has as `tuning` (its hash); the name stays its base's.

    Raises UserError for a damaged file.
    """
    tensors, _ = read_safetensors(tuning.path, FORMAT, WHAT)
    weights = weights_of(generator)
    with undamaged(tuning.path, WHAT):
        tensors = decoded(tensors)
        for name, value in tensors.items():
            key = name.removesuffix(LEFT)
            if name.endswith(RIGHT):
                continue
            weight = weights[key]
            right = tensors[key + RIGHT].to(weight) if key != name else None
            value = value.to(weight)
            weight += value.view(weight.shape) if right is None else product(value, right, weight)
    vars(generator)["tuning"] = tuning.hash
    return generator


def hash_of(generator: Generator) -> str:
    """The hash of the tuning that a loaded generator has, "" without one."""
    return getattr(generator, "tuning", "")


def marked(tuning: Tuning | None) -> dict[str, dict[str, str]]:
    """What a record's provenance keeps of a tuning; nothing without one."""
    return {"tuning": tuning.mark} if tuning else {}


def title_of(generator: Generator) -> str:
    """What the metadata of a video say of a tuned generator; "" for one that is not tuned."""
    tuning = hash_of(generator)
    return f"by {generator.name} {generator.hash}, tuned {tuning}" if tuning else ""


def of_clip(meta: Mapping[str, Any], what: str, choice: str | Path = "") -> Tuning | None:
    """The tuning that a clip is rendered with: the file that is named, else that of its metadata; None for its base itself.

    choice: a file, "" for what the metadata say, "none" for none.  The file of the metadata is looked for where it was, and by
    its name in the current folder.  Raises UserError where it is not there or is another one by now, and for a tuning of
    other weights than the clip's.
    """
    mark = meta.get("tuning") or {}
    if str(choice) == NONE or not (choice or mark):
        return None
    tuning = read(choice) if choice else recorded(mark, what)
    if tuning.base_hash != meta.get("generator_hash"):
        raise UserError(
            f"{tuning.path} tunes weights {tuning.base_hash} of {tuning.base}, {what[0].lower()}{what[1:]} has codes of "
            f"weights {meta.get('generator_hash') or 'unknown'} of {meta.get('generator') or 'an unknown generator'}: tune "
            "that generator by `dynode tune`."
        )
    return tuning


def recorded(mark: Mapping[str, str], what: str) -> Tuning:
    """The tuning that a clip's metadata name."""
    for path in (Path(mark["file"]), Path(Path(mark["file"]).name)):
        if path.is_file() and assets.sha256_of(path)[:12] == mark["hash"]:
            return read(path)
    raise UserError(
        f"{what} was tuned by {mark['file']}, which is not there or is another file by now: name it with --tuning, or take "
        "the generator as it was with --tuning none."
    )
