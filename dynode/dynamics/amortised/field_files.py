"""Files of what clips of a category share: the networks in 8 bits, their axes, the generator whose codes they take, a card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dynode import runtime
from dynode.clips import Clip
from dynode.dynamics.amortised.axes import VisibleAxes
from dynode.dynamics.amortised.network import AmortisedField, AmortisedNetworkSettings, ContextEncoder
from dynode.dynamics.amortised.sequence_network import MODELS, SharedSequence
from dynode.errors import UserError
from dynode.io import assets
from dynode.io.tensor_files import decoded, eight_bits, read_metadata, read_safetensors, undamaged, write_safetensors
from dynode.io.training_state import part
from dynode.settings import from_json, to_json

FORMAT = "dynode-amortised-1"
ROW = 32  # numbers of the axes that share a scale
WHAT = "an amortised field (as `dynode train dynamics` writes it)"


@dataclass(frozen=True)
class SharedField:
    """The encoder and the field of a category, and the axes of their states.  generator: name and hash of whose codes they take."""

    settings: AmortisedNetworkSettings
    encoder: ContextEncoder
    field: AmortisedField
    axes: VisibleAxes
    generator: dict[str, str]

    def networks(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder, "field": self.field}


@dataclass(frozen=True)
class SharedModel:
    """A sequence model of a category in place of both networks, as a control."""

    settings: AmortisedNetworkSettings
    model: SharedSequence
    axes: VisibleAxes
    generator: dict[str, str]

    def networks(self) -> dict[str, nn.Module]:
        return {"model": self.model}


Shared = SharedField | SharedModel


def untrained(settings: AmortisedNetworkSettings, axes: VisibleAxes, generator: dict[str, str]) -> Shared:
    """What clips are to share, by the settings' model, with random weights."""
    if settings.model in MODELS:
        return SharedModel(settings, MODELS[settings.model](settings), axes, generator)
    return SharedField(settings, ContextEncoder(settings), AmortisedField(settings), axes, generator)


def save(shared: Shared, path: Path, card: dict[str, Any]) -> None:
    """Write a file, atomically."""
    tensors = {
        f"{name}.{key}": value for name, net in shared.networks().items() for key, value in net.state_dict().items()
    }
    tensors |= {f"axes.{key}": value for key, value in by_rows(shared.axes).items()}
    owner = {"generator": shared.generator, "settings": to_json(shared.settings), "card": card}
    write_safetensors(path, eight_bits(tensors), FORMAT, **owner)


def by_rows(axes: VisibleAxes) -> dict[str, torch.Tensor]:
    """The tensors of axes in short rows where that is possible: each has a scale of its own, with which 8 bits are enough."""
    tensors, width = axes.tensors(), axes.mean.shape[1]
    row = ROW if width % ROW == 0 else width
    return tensors | {name: tensors[name].reshape(-1, row) for name in ("basis", "dual")}


def load(path: Path | str) -> Shared:
    """A stored field, or model, in float32, frozen.  Raises UserError for another file."""
    tensors, metadata = read_safetensors(Path(path), FORMAT, WHAT)
    with undamaged(path, WHAT):
        settings = from_json(AmortisedNetworkSettings, metadata["settings"])
        values = decoded(tensors)
        each = part(values, "axes.")
        axes = VisibleAxes(each["mean"], *(each[name].view(settings.coordinates, -1) for name in ("basis", "dual")))
        shared = untrained(settings, axes, json.loads(metadata["generator"]))
        for name, network in shared.networks().items():
            network.load_state_dict(part(values, f"{name}."))
            network.eval().requires_grad_(False)
        return shared


def card(path: Path | str) -> dict[str, Any]:
    """Where a field comes from: settings, episodes shown, hours, quality, provenance."""
    return json.loads(read_metadata(Path(path), FORMAT, WHAT)["card"])


def hash_of(path: Path | str) -> str:
    """Twelve hex digits that identify a file.  Raises UserError for a file that is none."""
    read_metadata(Path(path), FORMAT, WHAT)
    return assets.sha256_of(Path(path))[:12]


def shipped() -> dict[str, Path]:
    """Fields that come with the package, by the generator's name."""
    return runtime.shipped("weights", "dynamics")


def path_for(clip: Clip, path: str = "") -> Path:
    """The file of the field for a clip's generator: the one named, or the shipped one.

    Raises UserError where there is none, or it is that of another generator.
    """
    name, wanted = clip.meta.get("generator", ""), clip.meta.get("generator_hash", "")
    if not path and name not in shipped():
        raise UserError(
            f"No field learned across clips comes with the package for codes of {name or 'no generator'}, only for "
            f"{', '.join(shipped()) or 'none'}: fit dynode, or train one by `dynode train dynamics`."
        )
    chosen = Path(path) if path else shipped()[name]
    owner = json.loads(read_metadata(chosen, FORMAT, WHAT)["generator"])
    if owner["hash"] != wanted:
        raise UserError(
            f"{chosen} is of codes of {owner['name']} {owner['hash']}, {clip.name} has those of {name} {wanted}: "
            "fit dynode, or train a field for them by `dynode train dynamics`."
        )
    return chosen
