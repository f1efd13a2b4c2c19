"""Fidelity tables: what of a published system is kept, what is changed here, and why."""

from collections.abc import Iterable
from dataclasses import dataclass

KEPT, CHANGED, LEFT_OUT = "kept", "changed", "left out"


@dataclass(frozen=True)
class Part:
    """One part of a published system.

    published: what the authors' paper or released code does.  state: "kept", "changed" or "left out".  here: what it is here,
    and why; "" where it is kept as it is.
    """

    name: str
    published: str
    state: str
    here: str = ""


def table(parts: Iterable[Part]) -> str:
    """A fidelity table in Markdown."""
    rows = [f"| {part.name} | {part.published} | {part.state} | {part.here} |" for part in parts]
    return "\n".join(["| part | published | state | here, and why |", "| --- | --- | --- | --- |", *rows])
