"""Files of recurrent encoders: safetensors of 8 or 16 bits with the generator, the settings and a card; where they are."""

import json
from pathlib import Path

from dynode import runtime
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.inversion.joint.recurrent_encoder import RecurrentEncoder, RecurrentSettings
from dynode.io.tensor_files import (
    decoded,
    eight_bits,
    read_metadata,
    read_safetensors,
    undamaged,
    write_safetensors,
)
from dynode.settings import from_json

FORMAT, WHAT = "dynode-recurrent-encoder-1", "a recurrent encoder (as `dynode train rigid` writes it)"
FOLDER = "recurrent_encoders"  # of the shipped ones in `weights`


def file_name(generator_name: str) -> str:
    """What `dynode train rigid` writes, and an edit looks for in the current folder."""
    return f"{Path(generator_name).stem}.rigid.safetensors"


def save(encoder: RecurrentEncoder, path: Path, generator: Generator, card: dict) -> None:
    """Weights, 8 bits each where that is enough, with the generator they belong to; atomically."""
    owner = {"name": generator.name, "hash": generator.hash}
    tensors = eight_bits(encoder.state_dict())
    write_safetensors(path, tensors, FORMAT, settings=encoder.settings, generator=owner, card=card)


def load(path: Path | str, generator: Generator) -> RecurrentEncoder:
    """A saved encoder in float32, frozen, of a loaded generator.  Raises UserError for that of another one."""
    tensors, metadata = read_safetensors(Path(path), FORMAT, WHAT)
    owner = json.loads(metadata["generator"])
    if owner["hash"] != generator.hash:
        raise UserError(
            f"{path} is for weights {owner['hash']} of {owner['name']}, the ones loaded are {generator.hash}: train a recurrent "
            "encoder for them by `dynode train rigid`."
        )
    with undamaged(path, WHAT):
        encoder = RecurrentEncoder(from_json(RecurrentSettings, metadata["settings"]), generator)
        encoder.load_state_dict(decoded(tensors))
    return encoder.to(generator.w_avg.device).eval().requires_grad_(False)


def card(path: Path | str) -> dict:
    """Where a recurrent encoder comes from: clips, settings, frames shown, hours, losses, provenance."""
    return json.loads(read_metadata(Path(path), FORMAT, WHAT)["card"])


def located(named: str, generator: Generator) -> Path:
    """The file that is named; "" for the one in the current folder, else the shipped one, of a loaded generator.

    Raises UserError where there is none, which says how one is trained.
    """
    if named:
        return Path(named)
    own = Path(file_name(generator.name))
    shipped = runtime.shipped("weights", FOLDER)
    if own.is_file() or generator.name not in shipped:
        if own.is_file():
            return own
        raise UserError(
            f"The method rigid has no trained weights for {generator.name}: train them by `dynode train rigid CLIP`, here, or "
            "name their file by -p system.weights=FILE."
        )
    return shipped[generator.name]
