"""Methods of dynamics: the list of them, and the settings of one."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from dynode.dynamics import METHODS
from dynode_pages.answers import answers, page_of, table

NONE = "It has no settings."
PAGES = Path(__file__).parents[1] / "methods"


@answers
def methods() -> str:
    """Every method by name, with the first sentence of its page."""
    rows = [
        [f"[`{name}`](methods/{page_of(name)}.md)", lead(PAGES / f"{page_of(name)}.md"), kind(each.settings)]
        for name, each in METHODS.items()
        if (PAGES / f"{page_of(name)}.md").is_file()  # a plugin's method has none
    ]
    return "{.methods}\n" + table(["method", "what it is", "what is fitted"], rows)


def lead(page: Path) -> str:
    """The first sentence under the title of a page."""
    paragraph = page.read_text(encoding="utf-8").split("\n\n")[1]
    return re.split(r"(?<=[^l][.:])\s(?=[A-Z`])", " ".join(paragraph.split()))[0]


def kind(settings: Any) -> str:
    """What a method's settings make of it."""
    kinds = {
        "DynamicsSettings": "a neural ODE",
        "SequenceSettings": "a sequence model",
        "NoneType": "nothing, or a kernel",
    }
    kinds |= {
        "PriorSettings": "a kernel",
        "AutoSettings": "a choice among methods",
        "AmortisedSettings": "a neural ODE",
    }
    return kinds[type(settings).__name__]


@answers
def settings(*name: str) -> str:
    """All settings of a method."""
    held = METHODS[" ".join(name)].settings
    return NONE if held is None else table(["setting", "value"], [[f"`{k}`", f"`{v}`"] for k, v in flat(held).items()])


@answers
def settings_beside(other: str, *name: str) -> str:
    """The settings of a method that differ from those of another."""
    own, theirs = flat(METHODS[" ".join(name)].settings), flat(METHODS[other].settings)
    rows = [
        [f"`{key}`", f"`{own[key]}`", f"`{theirs[key]}`"] for key in own if own[key] != theirs[key] and key != "preset"
    ]
    return table(["setting", f"`{' '.join(name)}`", f"`{other}`"], rows)


def flat(held: Any, prefix: str = "") -> dict[str, Any]:
    """The settings by their dotted names, as `-p` takes them."""
    flattened: dict[str, Any] = {}
    for each in dataclasses.fields(held):
        value = getattr(held, each.name)
        name = f"{prefix}{each.name}"
        flattened |= flat(value, f"{name}.") if dataclasses.is_dataclass(value) else {name: value}
    return flattened
