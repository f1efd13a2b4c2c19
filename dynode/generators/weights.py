"""Files of generators' weights: float16 safetensors that carry the shape and the model card."""

import json
from pathlib import Path

from torch import nn

from dynode.generators.dcgan import DCGAN, DCGANSettings
from dynode.generators.stylegan2 import StyleGAN2, StyleGAN2Settings
from dynode.io import assets
from dynode.io.tensor_files import half_precision, read_metadata, read_safetensors, undamaged, write_safetensors

KINDS = {"dynode-stylegan2-1": (StyleGAN2, StyleGAN2Settings), "dynode-dcgan-1": (DCGAN, DCGANSettings)}
WHAT = "a generator (as `dynode train-gan` writes it)"


def built(settings) -> nn.Module:
    """A new generator of the shape that the settings describe."""
    network = next(network for network, shape in KINDS.values() if isinstance(settings, shape))
    return network(settings)


def save(generator, path: Path, card: dict) -> None:
    """Weights as float16, with the shape and the card in the metadata; atomically."""
    kind = next(kind for kind, (network, _) in KINDS.items() if isinstance(generator, network))
    write_safetensors(path, half_precision(generator), kind, settings=generator.settings, card=card)


def load(path: Path, name: str):
    """A saved generator in float32, frozen; its hash is that of the file.  Raises UserError for another file."""
    tensors, metadata = read_safetensors(Path(path), tuple(KINDS), WHAT)
    network, shape = KINDS[metadata["format"]]
    with undamaged(path, WHAT):
        generator = network(shape(**json.loads(metadata["settings"])))
        generator.load_state_dict({key: value.float() for key, value in tensors.items()})
    generator.name, generator.hash = name, assets.sha256_of(Path(path))[:12]
    return generator.eval().requires_grad_(False)


def card(path: Path) -> dict:
    """The model card of a file of weights: world, settings, pictures seen, hours, quality, provenance."""
    return json.loads(read_metadata(Path(path), tuple(KINDS), WHAT)["card"])


def shape(path: Path) -> dict:
    """The settings that a file of weights was built with."""
    return json.loads(read_metadata(Path(path), tuple(KINDS), WHAT)["settings"])
