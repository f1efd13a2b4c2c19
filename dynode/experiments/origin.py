"""What a record was made of: its notebook and its parameters, and whether they are still those of its item."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynode.experiments.engine import sources
from dynode.experiments.parameters import declarations, usual
from dynode.runtime import ROOT

if TYPE_CHECKING:
    from dynode.experiments.items import Item

HARMLESS = {
    "device",
    "joined",
}  # with others the numbers are the same; `staleness` tells of joined records that other code made


def stamp(notebook: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a record keeps of its origin: hashes of its notebook's code, of the code that its imports reach and of the
    shipped codes that it names, and the parameters of the run."""
    parameters = counting(values)
    return {"notebook": code_hash(notebook), "parameters": parameters} | depended(notebook, parameters)


def depended(notebook: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of what a run depends on beside its parameters: modules, and codes of clips."""
    return {"source": sources.code_of(notebook), "codes_of_clips": sources.codes_of(parameters)}


def counting(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of a run's parameters those that change its numbers, as a record holds them."""
    left_out = HARMLESS | {"item", "profile"}
    return json.loads(json.dumps({name: value for name, value in values.items() if name not in left_out}))


def code_hash(notebook: str) -> str:
    """A hash of a notebook's code cells."""
    cells = json.loads((ROOT / notebook).read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256("\n\n".join(code).encode()).hexdigest()[:12]


def staleness(item: "Item", profile: str, provenance: Mapping[str, Any]) -> str:
    """Why a record is not of what its item is now, "" where nothing says so; old records do not hold their parameters."""
    kept = provenance.get("parameters")
    if kept is not None:
        now = counting(usual(item, profile, declarations(item.notebook)))
        if other := sorted(name for name in kept.keys() | now.keys() if kept.get(name) != now.get(name)):
            return f"it was run with another value of {', '.join(other)}"
    elif " -p " in str(provenance.get("command", "")):
        return f"it was made by `{provenance['command']}`"
    if provenance.get("notebook", code := code_hash(item.notebook)) != code:
        return "its notebook has changed since"
    if "source" in provenance and provenance["source"] != sources.code_of(item.notebook):
        return "code that its notebook reaches has changed since"
    if any(one["source"] != provenance.get("source") for one in provenance.get("joined", [])):
        return "it joins records that other code made"
    if kept is not None and "codes_of_clips" in provenance and provenance["codes_of_clips"] != sources.codes_of(kept):
        return "the codes of its clips have changed since"
    return ""
