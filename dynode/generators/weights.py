"""Files of generators' weights: float16 safetensors that carry the architecture, its settings and the model card."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dynode.io import assets
from dynode.io.tensor_files import (
    decoded,
    eight_bits,
    half_precision,
    read_metadata,
    read_safetensors,
    undamaged,
    write_safetensors,
)
from dynode.lazy import Registry

WHAT = "a generator (as `dynode train gan` writes it)"


class WeightsGenerator(nn.Module):
    """Base class of generators with files of weights: the `Generator` protocol, training, and measured statistics.

    settings: the dataclass that it was built from; `weights.load` builds it again from there.
    """

    name: str
    hash: str
    settings: Any
    z_dim: int
    w_dim: int
    num_ws: int
    resolution: int
    img_channels: int
    w_avg: torch.Tensor
    w_std: torch.Tensor

    def mapping(self, z: torch.Tensor, truncation_psi: float = 1.0) -> torch.Tensor:
        """Latents z (B, Z) -> codes ws (B, num_ws, w_dim)."""
        raise NotImplementedError

    def synthesis(self, ws: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Codes ws (B, num_ws, w_dim) -> images (B, 3, R, R) in about [-1, 1], differentiable."""
        raise NotImplementedError

    def forward(self, z: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Images of latents, as training wants them."""
        return self.synthesis(self.mapping(z), resolution)

    def measure(self) -> None:
        """Set w_avg and w_std after training; nothing to do where codes are the latents themselves."""


@dataclass(frozen=True)
class Architecture:
    """A network whose weights are kept in files.

    format: the mark of its files.  network: settings -> an untrained generator.  settings: a dataclass, as recommended
    for worlds, with the fields `resolution`, `z_dim`, the property `resolutions` and the method `channels(resolution)`,
    by which its discriminator is built.  coarse: `forward(z, resolution)` makes smaller images at less cost.
    """

    format: str
    network: Callable[[Any], WeightsGenerator]
    settings: Any
    coarse: bool = False


ARCHITECTURES: Registry[Architecture] = Registry("dynode.generators", "dynode.generators")


def architecture_of(settings: Any) -> Architecture:
    """The architecture that these settings are of."""
    return next(each for each in ARCHITECTURES.values() if type(settings) is type(each.settings))


def formats() -> dict[str, Architecture]:
    """Architectures by the mark of their files."""
    return {each.format: each for each in ARCHITECTURES.values()}


def build(settings: Any) -> WeightsGenerator:
    """A new generator of the shape that the settings describe."""
    return architecture_of(settings).network(settings)


def save(generator: WeightsGenerator, path: Path, card: dict, small: bool = False) -> None:
    """Weights as float16, with the shape and the card in the metadata; atomically.

    small: 8 bits each where that is enough, for a generator that is not trained on.
    """
    mark = architecture_of(generator.settings).format
    tensors = eight_bits(generator.state_dict()) if small else half_precision(generator)
    write_safetensors(path, tensors, mark, settings=generator.settings, card=card)


def load(path: Path, name: str) -> WeightsGenerator:
    """A saved generator in float32, frozen; its hash is that of the file.  Raises UserError for another file."""
    tensors, metadata = read_safetensors(Path(path), tuple(formats()), WHAT)
    architecture = formats()[metadata["format"]]
    with undamaged(path, WHAT):
        settings = type(architecture.settings)(**json.loads(metadata["settings"]))
        generator = architecture.network(settings)
        generator.load_state_dict(decoded(tensors))
    generator.name, generator.hash = name, assets.sha256_of(Path(path))[:12]
    return generator.eval().requires_grad_(False)


def card(path: Path) -> dict:
    """The model card of a file of weights: world, settings, pictures shown, hours, quality, provenance."""
    return json.loads(read_metadata(Path(path), tuple(formats()), WHAT)["card"])


def shape(path: Path) -> dict:
    """The settings that a file of weights was built with."""
    return json.loads(read_metadata(Path(path), tuple(formats()), WHAT)["settings"])


def category(path: Path) -> str:
    """The world that the generator in a file was trained on."""
    return card(path)["world"]


def resolution(path: Path) -> int:
    """Pixels a side of a generator's images, without reading its weights."""
    return shape(path)["resolution"]


def code_shape(path: Path) -> tuple[int, int]:
    """(num_ws, w_dim) of the codes of a generator in a file of weights, without reading the weights."""
    metadata = read_metadata(Path(path), tuple(formats()), WHAT)
    architecture = formats()[metadata["format"]]
    with undamaged(path, WHAT), torch.device("meta"):
        network = architecture.network(type(architecture.settings)(**json.loads(metadata["settings"])))
    return network.num_ws, network.w_dim
