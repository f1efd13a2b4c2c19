"""Files of editors: their numbers, the generator they belong to, and where they come from."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from dynode import runtime
from dynode.errors import UserError
from dynode.io.tensor_files import read_metadata, read_safetensors, write_safetensors
from dynode.settings import choose


@dataclass(frozen=True)
class Kind:
    """One kind of editor's file.

    name: of one, in the singular.  format: the mark in every file.  folder: of those that ship.  command: what makes one.
    """

    name: str
    format: str
    folder: str
    command: str

    @property
    def what(self) -> str:
        return f"a {self.name} (as `dynode {self.command}` writes it)"

    def save(self, tensors: dict[str, torch.Tensor], path: Path, generator, card: dict, settings=None) -> None:
        """Write an editor of a generator, atomically; settings: a dataclass, where it is not in the card."""
        told = {"generator": {"name": generator.name, "hash": generator.hash}, "card": card}
        write_safetensors(path, tensors, self.format, **told | ({} if settings is None else {"settings": settings}))

    def shipped(self) -> dict[str, Path]:
        """The files that come with the package, by name, such as "scene.fog"."""
        return runtime.shipped("weights", self.folder)

    def found(self, name_or_path: Path | str) -> Path:
        """The file of an editor, given by path or by the name of a shipped one.  Raises UserError for an unknown name."""
        is_file = Path(name_or_path).suffix == ".safetensors"
        return Path(name_or_path) if is_file else choose(self.name, str(name_or_path), self.shipped())

    def read(self, path: Path, generator) -> tuple[dict[str, torch.Tensor], dict, dict]:
        """Tensors in float32, settings and card.  Raises UserError for the file of another generator, or of no editor."""
        tensors, metadata = read_safetensors(Path(path), self.format, self.what)
        belongs = json.loads(metadata["generator"])
        if belongs["hash"] != generator.hash:
            raise UserError(
                f"{path} is made for codes of {belongs['name']} ({belongs['hash']}), the weights loaded are "
                f"{generator.hash}: train it anew by `dynode {self.command}`."
            )
        numbers = {key: value.float() for key, value in tensors.items()}
        return numbers, json.loads(metadata.get("settings", "{}")), json.loads(metadata["card"])

    def card(self, path: Path | str) -> dict:
        """Where an editor comes from: settings, quality, provenance."""
        return json.loads(read_metadata(Path(path), self.format, self.what)["card"])
