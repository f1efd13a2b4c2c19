"""Editors by name: METHOD:ATTRIBUTE, such as "flow:fog" or "ganspace:1".

A method is a function (attribute, generator) -> editor; an attribute that ends in .safetensors is a file of the user's.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from dynode import generators
from dynode.editing import ganspace, interfacegan, latent_flow, latent_transformer, styleclip, styleclip_direction
from dynode.errors import UserError
from dynode.perception import image_text
from dynode.settings import choose

METHODS: dict[str, Callable] = {
    "interfacegan": interfacegan.load,
    "flow": lambda attribute, generator: latent_flow.load(of_category(attribute, generator), generator),
    "ganspace": lambda attribute, generator: ganspace.component(generator, number_of(attribute, generator)),
    "latent-transformer": lambda name, generator: latent_transformer.load(of_category(name, generator), generator),
    "styleclip": lambda attribute, generator: styleclip.load(of_category(attribute, generator), generator),
    "styleclip-direction": lambda attribute, generator: of_texts(attribute, generator),
}


class Editor(Protocol):
    """Moves codes (B, L, D); strength is a number, or one for each code (B,), in the editor's own unit."""

    name: str
    space: str

    def edit(self, ws: torch.Tensor, strength, rows: int = 0) -> torch.Tensor:
        """Codes edited in their first `rows` style rows only (0: in all)."""
        ...


def of_category(attribute: str, generator) -> str:
    """The shipped file's name, "scene.fog" of the attribute "fog" of a generator of scenes; a user's file as it is."""
    is_file = Path(attribute).suffix == ".safetensors"
    return attribute if is_file else f"{generators.category_of(generator.name)}.{attribute}"


def number_of(attribute: str, generator) -> int:
    """The number of a principal component.  Raises UserError for what is none."""
    if not attribute.isdecimal() or not 1 <= int(attribute) <= generator.w_dim:
        raise UserError(f"W of {generator.name} has components 1 to {generator.w_dim}, got {attribute!r}.")
    return int(attribute)


def of_texts(attribute: str, generator) -> Editor:
    """The global direction of "TARGET/NEUTRAL", such as "red lips/pale lips", found anew in a minute.

    It is the nearest step in W+ to one in the style space, and its name says so.  Raises UserError for one text alone.
    """
    target, slash, neutral = attribute.partition("/")
    if not (target and neutral):
        raise UserError(f"A direction is named TARGET/NEUTRAL, such as mountain/low hill, got {attribute!r}.")
    teacher = image_text.load(generators.category_of(generator.name), device=generator.w_avg.device)
    return styleclip_direction.direction(generator, teacher, target, neutral, styleclip_direction.QUICK)


def load(name: str, generator) -> Editor:
    """The editor of that name for a loaded generator.  Raises UserError for an unknown method or attribute."""
    method, colon, attribute = name.partition(":")
    if not colon:
        raise UserError(f"An editor is named METHOD:ATTRIBUTE, such as flow:fog or ganspace:1, got {name!r}.")
    return choose("method of editing", method, METHODS)(attribute, generator)
