"""Run times, environment and stand-ins of a report, by the records."""

from collections.abc import Sequence
from typing import Any

from dynode import runtime
from dynode.experiments.report.notes import notes
from dynode.experiments.report.sources import MISSING, Source
from dynode.io.assets import sha256_of

SHOWN = ("commit", "date", "device", "python")


def runs_page(all_sources: Sequence[Source]) -> dict[str, Any]:
    """The values of the template `runs`, the slowest item first."""
    known = [source for source in all_sources if source.origin != MISSING]
    known.sort(key=lambda source: -float(source.judged.provenance.get("seconds", 0)))
    lock = runtime.ROOT / "lock" / "requirements.txt"
    return {
        "runs": [run_line(source) for source in known],
        "missing": [source.item.name for source in all_sources if source.origin == MISSING],
        "environment": {key: value for key, value in here().items() if key != "versions"},
        "versions": here().get("versions", {}),
        "lock": sha256_of(lock)[:12] if lock.is_file() else "none: installed as a package",
    }


def here() -> dict[str, Any]:
    """The environment that wrote the report."""
    import torch

    return runtime.provenance(torch.device("cpu"), command="dynode report")


def run_line(source: Source) -> dict[str, Any]:
    made = source.judged.provenance
    seconds = made.get("seconds")
    shown = {key: str(made.get(key, "?")) for key in SHOWN}
    return {
        "item": source.item.name,
        "minutes": "?" if seconds is None else f"{seconds / 60:.1f}",
        "origin": source.origin,
    } | shown


def stand_ins_page(all_sources: Sequence[Source]) -> dict[str, Any]:
    """The values of the template `stand_ins`: what stands for what, and which items show it by their records."""
    used: dict[str, list[str]] = {}
    for source in all_sources:
        for name in source.stand_ins:
            used.setdefault(name, []).append(source.item.name)
    return {"used": [stand_in(name) | {"items": names} for name, names in sorted(used.items())]}


def stand_in(name: str) -> dict[str, Any]:
    """A stand-in by its name, and what it is there instead of, "" where that is not noted."""
    known = notes()["stand_ins"]
    return {
        "name": name,
        "instead_of": next((each["instead_of"] for each in known if name.startswith(each["begins"])), ""),
    }
