"""Editors that ship for a generator, with the unit of their strength and its recommended and valid values."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dynode import generators
from dynode.editing import editors
from dynode.editing.editor_files import FORMATS, EditorFormat
from dynode.editing.strength_ranges import MEASURED_ON, SHIPPED, UNITS, UNNAMED, StrengthRange, range_of
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.generators.registry import code_shape_of
from dynode.settings import nearest

OF_EVERY_CATEGORY = "boundaries"  # the folder of files that hold all attributes of one generator


@dataclass(frozen=True)
class ListedEditor:
    """An editor: its method and attribute, as `dynode edit` takes them, and the unit of its strength."""

    method: str
    attribute: str
    unit: str
    strengths: StrengthRange | None

    @property
    def cells(self) -> list[str]:
        """As a line of a table: editor, attribute, recommended and valid strength, unit."""
        valid = self.strengths
        known = ["", ""] if valid is None else [f"{valid.default:g}", f"{valid.low:g} to {valid.high:g}"]
        return [self.method, self.attribute, *known, self.unit]


def listed_editors(generator_name: str) -> list[ListedEditor]:
    """Every editor that ships for a generator, by method and attribute.  Raises UserError for an unknown generator."""
    category = generators.category_of(generator_name)
    return [
        ListedEditor(method, attribute, UNITS.get(method, ""), range_of(f"{method}:{attribute}", category))
        for method in editors.METHODS
        for attribute in attributes_of(method, generator_name, category)
    ]


def editors_by_generator(generator_name: str = "") -> dict[str, list[ListedEditor]]:
    """The editors of one generator, or of all that have codes of W+.  Raises UserError for an unknown generator."""
    shipped = [name for name in sorted(generators.shipped()) if code_shape_of(name)[0] > 1]
    names = [generator_name] if generator_name else [*generators.SOURCES, *shipped]
    return {name: listed_editors(name) for name in names}


def attributes_of(method: str, generator_name: str, category: str) -> Iterator[str]:
    """The attributes of a method's shipped files, or of its ranges where it has none."""
    if method in FORMATS and FORMATS[method].folder == OF_EVERY_CATEGORY:
        path = FORMATS[method].shipped().get(generator_name.partition("@")[0])
        yield from FORMATS[method].card(path)["names"] if path else []
    elif method in FORMATS:
        shipped = FORMATS[method].shipped_for(generators.hash_of(generator_name))
        yield from (name.partition(".")[2] for name in shipped)
    elif method == UNNAMED and generator_name.partition("@")[0] in MEASURED_ON:
        yield from (name.partition(":")[2] for name in SHIPPED.get(category, {}) if name.startswith(f"{method}:"))


def attribute_file(files: EditorFormat, attribute: str, generator: Generator) -> Path:
    """The shipped file of an attribute, such as "fog" of a generator of scenes; a user's file as it is.

    Raises UserError for an unknown attribute, with the editors that have it, or the attributes that these files have.
    """
    if Path(attribute).suffix == ".safetensors":
        return Path(attribute)
    category, shipped = generators.category_of(generator.name), files.shipped()
    if f"{category}.{attribute}" in shipped:
        return shipped[f"{category}.{attribute}"]
    others = [each.method for each in listed_editors(generator.name) if each.attribute == attribute]
    legal = [name.partition(".")[2] for name in shipped if name.partition(".")[0] == category]
    raise UserError(f"There is no {files.name} {attribute!r}{remedy(attribute, category, others, legal)}.")


def remedy(attribute: str, category: str, others: list[str], legal: list[str]) -> str:
    """What to give instead of an attribute that an editor has not, as the end of a sentence."""
    if others:
        return f": `--editor {others[0]}` has it, and `dynode editors` lists all"
    if not legal:
        return f", and none ships for {category}: `dynode editors` lists what does"
    known = ", ".join(sorted(legal))
    return f"{nearest(attribute, legal)}; legal are {known}, and `dynode editors` lists those of all methods"
