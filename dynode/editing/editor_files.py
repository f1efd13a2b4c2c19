"""Files of editors: their tensors, the generator they belong to, and where they come from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dynode import runtime
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.io.tensor_files import read_metadata, read_safetensors, write_safetensors
from dynode.lazy import Registry
from dynode.settings import nearest


@dataclass(frozen=True)
class EditorFormat:
    """The files of one editing method.

    name: of one editor, in the singular.  format: the mark in every file.  folder: of the shipped files in `weights`.
    command: the subcommand of `dynode` that writes one.
    """

    name: str
    format: str
    folder: str
    command: str

    @property
    def what(self) -> str:
        return f"a {self.name} (as `dynode {self.command}` writes it)"

    def save(
        self, tensors: dict[str, torch.Tensor], path: Path, generator: Generator, card: dict, settings: Any = None
    ) -> None:
        """Write an editor of a generator, atomically; settings: a dataclass, where it is not in the card."""
        metadata = {"generator": {"name": generator.name, "hash": generator.hash}, "card": card}
        write_safetensors(path, tensors, self.format, **metadata | ({} if settings is None else {"settings": settings}))

    def shipped(self) -> dict[str, Path]:
        """The files that come with the package, by name, such as "scene.fog"."""
        return runtime.shipped("weights", self.folder)

    def shipped_for(self, generator_hash: str) -> dict[str, Path]:
        """Those of them that are made for codes of these weights."""
        return {name: path for name, path in self.shipped().items() if self.owner(path)["hash"] == generator_hash}

    def owner(self, path: Path | str) -> dict[str, str]:
        """The generator that an editor is made for: its name and hash."""
        return json.loads(read_metadata(Path(path), self.format, self.what)["generator"])

    def locate(self, name_or_path: Path | str) -> Path:
        """The file of an editor, given by path or by the name of a shipped one, CATEGORY.ATTRIBUTE.

        Raises UserError for an unknown name, with those of its category.
        """
        path, name, shipped = Path(name_or_path), str(name_or_path), self.shipped()
        if path.suffix == ".safetensors" or name in shipped:
            return shipped.get(name, path)
        category = name.partition(".")[0]
        legal = [each for each in shipped if each.partition(".")[0] == category]
        if not legal:
            raise UserError(
                f"There is no {self.name} {name!r}, and none ships for {category}: `dynode editors` lists what does."
            )
        raise UserError(
            f"There is no {self.name} {name!r}{nearest(name, legal)}; legal are {', '.join(sorted(legal))}, and `dynode "
            "editors` lists those of all methods."
        )

    def read(self, path: Path, generator: Generator) -> tuple[dict[str, torch.Tensor], dict, dict]:
        """Tensors in float32, settings and card.  Raises UserError for the file of another generator, or of no editor."""
        tensors, metadata = read_safetensors(Path(path), self.format, self.what)
        owner = json.loads(metadata["generator"])
        if owner["hash"] != generator.hash:
            raise UserError(
                f"{path} is made for codes of {owner['name']} ({owner['hash']}), the weights loaded are "
                f"{generator.hash}: train it anew by `dynode {self.command}`, or edit with ganspace, which needs no training."
            )
        numbers = {key: value.float() for key, value in tensors.items()}
        return numbers, json.loads(metadata.get("settings", "{}")), json.loads(metadata["card"])

    def card(self, path: Path | str) -> dict:
        """Where an editor comes from: settings, quality, provenance."""
        return json.loads(read_metadata(Path(path), self.format, self.what)["card"])


FORMATS: Registry[EditorFormat] = Registry("dynode.editing", "dynode.editors")  # by the name of the method
