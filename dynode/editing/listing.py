"""Editors that ship for a generator, with the unit of their strength and its recommended and valid values."""

from collections.abc import Iterator
from dataclasses import dataclass

from dynode import generators
from dynode.editing import editors
from dynode.editing.editor_files import FORMATS
from dynode.editing.strength_ranges import SHIPPED, UNITS, UNNAMED, StrengthRange, range_of

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


def attributes_of(method: str, generator_name: str, category: str) -> Iterator[str]:
    """The attributes of a method's shipped files, or of its ranges where it has none."""
    if method in FORMATS and FORMATS[method].folder == OF_EVERY_CATEGORY:
        path = FORMATS[method].shipped().get(generator_name.partition("@")[0])
        yield from FORMATS[method].card(path)["names"] if path else []
    elif method in FORMATS:
        shipped = (name.partition(".") for name in FORMATS[method].shipped())
        yield from (attribute for owner, _, attribute in shipped if owner == category)
    elif method == UNNAMED:
        yield from (name.partition(":")[2] for name in SHIPPED.get(category, {}) if name.startswith(f"{method}:"))
