"""Editors of one code by name, METHOD:ATTRIBUTE, such as "flow:fog" or "ganspace:1".

A method is a function (attribute, generator) -> editor that its own module registers by `@editing_method(name)`.  An
attribute that ends in .safetensors is a file of the user's.
"""

import re
from collections.abc import Callable
from typing import Protocol

import torch

from dynode.border import described, public
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.lazy import Registry
from dynode.settings import choose

TEACHER = re.compile(r"captions\[[^]]+\]")  # in the name of an editor: what taught it in place of CLIP
Strength = float | torch.Tensor  # a number, or one for each code (B,)


class Editor(Protocol):
    """Edits codes (B, L, D) of a generator; the unit of strength is the editor's own, 0 leaves codes as they are.

    name: as it stands in records.  space: of the codes it takes, "w+".
    """

    @property
    def name(self) -> str: ...

    @property
    def space(self) -> str: ...

    def edit(self, ws: torch.Tensor, strength: Strength, rows: int = 0) -> torch.Tensor:
        """Codes edited in their first `rows` style rows only (0: in all)."""
        ...


Method = Callable[[str, Generator], Editor]
METHODS: Registry[Method] = Registry("dynode.editing", "dynode.editors")


def editing_method(name: str) -> Callable[[Method], Method]:
    """Register a function (attribute, generator) -> editor as the editing method of that name."""
    return lambda method: METHODS.add(name, method)


def stand_ins_of(editor: Editor) -> list[str]:
    """What of an editor is not the published one: what taught it, and its own `stand_in` where it has one."""
    return [*TEACHER.findall(editor.name), *filter(None, [getattr(editor, "stand_in", "")])]


@public
def load(name: str, generator: Generator) -> Editor:
    """The editor of that name for a loaded generator.  Raises UserError for an unknown method or attribute."""
    if not callable(getattr(generator, "synthesis", None)):
        raise UserError(
            f"An editor wants a loaded generator, as dynode.load_generator gives it, got {described(generator)}."
        )
    method, colon, attribute = name.partition(":")
    if not colon:
        raise UserError(f"An editor is named METHOD:ATTRIBUTE, such as flow:fog or ganspace:1, got {name!r}.")
    return choose("method of editing", method, METHODS)(attribute, generator)


def per_code(strength: Strength, ws: torch.Tensor) -> torch.Tensor:
    """Strengths that multiply offsets of codes (B, L, D): (1, 1, 1) or (B, 1, 1)."""
    return torch.as_tensor(strength, dtype=ws.dtype, device=ws.device).reshape(-1, 1, 1)


def first_rows(edited: torch.Tensor, ws: torch.Tensor, rows: int) -> torch.Tensor:
    """The first `rows` style rows of edited codes (B, L, D), the others of the codes before; 0: all rows edited."""
    return edited if not rows else torch.cat([edited[:, :rows], ws[:, rows:]], 1)
