"""Pages from templates: jinja2, every text escaped, styles and scripts of the package beside or inside."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dynode.reporting.tables.cells import is_number, significant

FOLDER = Path(__file__).with_name("page_templates")


def prose(text: str) -> Markup:
    """A text, escaped, what stands between backquotes as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def capital(text: str) -> str:
    """A text that begins with a capital."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """A text that begins with a capital and ends with one full stop."""
    return capital(text).rstrip(".") + "."


def whole(text: str) -> str:
    """A list whose parts break at its commas alone: a count stays beside what it counts."""
    return ", ".join(part.replace(" ", "\u00a0") for part in text.split(", "))


def text_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[bool]:
    """Which columns of a table are of words; those of numbers are aligned by their last digit."""
    columns = [[line[c].partition(" ")[0] for line in rows if c < len(line)] for c in range(len(header))]
    return [not all(map(is_number, column)) for column in columns]


@cache
def environment() -> Environment:
    """Templates of the package; a variable that is not given is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"significant": significant, "prose": prose, "sentence": sentence, "capital": capital}
    made.filters |= {"texts": text_columns, "whole": whole}
    return made


def rendered(template: str, **values: Any) -> str:
    """The page of a template of the package."""
    return environment().get_template(template).render(**values)


def asset_text(name: str) -> str:
    """A style or a script of the package, to be written inside a page or beside it."""
    return (FOLDER / name).read_text(encoding="utf-8")
