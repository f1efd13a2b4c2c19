"""Files of encoders: safetensors of 8 or 16 bits with the generator that they encode for, their settings and a card."""

import json
from pathlib import Path

from dynode import runtime
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.inversion.encoder import Encoder, EncoderSettings
from dynode.inversion.face_encoder import FaceEncoder, FaceEncoderSettings
from dynode.io import assets
from dynode.io.tensor_files import (
    decoded,
    eight_bits,
    read_metadata,
    read_safetensors,
    undamaged,
    write_safetensors,
)

NETWORKS = {  # by the mark of their files
    "dynode-encoder-1": (EncoderSettings, Encoder),
    "dynode-face-encoder-1": (FaceEncoderSettings, FaceEncoder),
}
WHAT = "an encoder (as `dynode train encoder` writes it)"
AnyEncoder = Encoder | FaceEncoder


def save(encoder: AnyEncoder, path: Path, generator_name: str, card: dict) -> None:
    """Weights, 8 bits each where that is enough, with the generator they belong to; atomically."""
    mark = next(mark for mark, (_, network) in NETWORKS.items() if type(encoder) is network)
    owner = {"name": generator_name, "hash": encoder.generator[0].hash}
    write_safetensors(
        path, eight_bits(encoder.state_dict()), mark, settings=encoder.settings, generator=owner, card=card
    )


def load(path: Path | str, generator: Generator) -> AnyEncoder:
    """A saved encoder in float32, frozen, of a loaded generator.  Raises UserError for the encoder of another one."""
    tensors, metadata = read_safetensors(Path(path), tuple(NETWORKS), WHAT)
    owner = json.loads(metadata["generator"])
    if owner["hash"] != generator.hash:
        raise UserError(
            f"{path} encodes for weights {owner['hash']} of {owner['name']}, the ones loaded are {generator.hash}: "
            "train an encoder for them by `dynode train encoder`."
        )
    settings, network = NETWORKS[metadata["format"]]
    with undamaged(path, WHAT):
        given = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in json.loads(metadata["settings"]).items()
        }
        encoder = network(settings(**given), generator)
        encoder.load_state_dict(decoded(tensors))
    return encoder.to(generator.w_avg.device).eval().requires_grad_(False)


def card(path: Path | str) -> dict:
    """Where an encoder comes from: settings, images shown, hours, quality, provenance."""
    return json.loads(read_metadata(Path(path), tuple(NETWORKS), WHAT)["card"])


def shipped() -> dict[str, Path]:
    """Encoders that come with the package, by the generator's name."""
    return runtime.shipped("weights", "encoders")


def shipped_for(generator: Generator) -> Path:
    """The shipped encoder of a loaded generator.  Raises UserError where there is none."""
    if generator.name not in shipped():
        raise UserError(
            f"No encoder comes with the package for {generator.name}, only for {', '.join(shipped()) or 'none'}: "
            "train one by `dynode train encoder`, and name its file."
        )
    return shipped()[generator.name]


def hash_of(path: Path | str) -> str:
    """Twelve hex digits that identify an encoder's file.  Raises UserError for a file that is none."""
    read_metadata(Path(path), tuple(NETWORKS), WHAT)
    return assets.sha256_of(Path(path))[:12]
