"""What a report is made from: for each item the record of its last run, else the one that ships; its notebook and figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dynode.evaluation import records
from dynode.evaluation.records import Row
from dynode.experiments import items
from dynode.experiments.claims.recorded import SHIPPED, Judged, judge_record, path_of
from dynode.experiments.items import Item
from dynode.reporting import paths
from dynode.runtime import ROOT

OWN, SHIPS, MISSING = "this run", "ships with the project", "missing"


@dataclass(frozen=True)
class Source:
    """One item under a profile."""

    item: Item
    profile: str

    @property
    def own_record(self) -> bool:
        return path_of(self.item.name, self.profile).is_file()

    @cached_property
    def judged(self) -> Judged:
        """Its claims by its own record, else by the one that ships."""
        return judge_record(self.item, self.profile, None if self.own_record else SHIPPED)

    @property
    def origin(self) -> str:
        """Whose record it is: OWN, SHIPS or MISSING."""
        return MISSING if not self.judged.provenance else OWN if self.own_record else SHIPS

    @property
    def rows(self) -> list[Row]:
        """The rows of that record; none where there is no record."""
        return records.read(self.judged.path)[0] if self.judged.provenance else []

    @property
    def notebook(self) -> Path | None:
        """The executed notebook: of the last run, also of one that failed; else the smoke execution that ships; else None."""
        own, failed = (make(self.item.name, self.profile) for make in (paths.executed_copy, paths.failed_copy))
        shipped = ROOT / "tests" / "reference" / f"{self.item.name}.smoke.ipynb"
        later = failed.is_file() and (not own.is_file() or failed.stat().st_mtime > own.stat().st_mtime)
        return next((path for path in ([failed] if later else []) + [own, shipped] if path.is_file()), None)

    @property
    def notebook_origin(self) -> str:
        """What that execution is, in words."""
        path = self.notebook
        if path is None:
            return f"no execution yet: dynode run {self.item.name}"
        if path.parent != paths.executed_copy("", "").parent:
            return "a smoke execution that ships: a few frames, no figures"
        return "this run, which failed" if path.name.endswith(".failed.ipynb") else "this run"

    @property
    def stand_ins(self) -> list[str]:
        return list(self.judged.provenance.get("stand_ins", []))


def sources(profile: str) -> list[Source]:
    """All items, in the order of experiments.yaml."""
    return [Source(item, profile) for item in items.items().values()]


def shipped_figures() -> Iterator[Path]:
    """The figures that come with the project."""
    yield from sorted(path for path in SHIPPED.glob("*") if path.suffix in (".png", ".webp"))
