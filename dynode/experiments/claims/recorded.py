"""Records on the disk, and the verdicts on the claims of their items: `dynode verify` without its printing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dynode import runtime
from dynode.evaluation import records
from dynode.experiments import origin
from dynode.experiments.claims.declared import Statement
from dynode.experiments.claims.judging import ORDER, Kind, Verdict, indexed, judge, judged, stale
from dynode.experiments.items import Item
from dynode.reporting import paths

SHIPPED = runtime.ROOT / "reports" / "recorded"


@dataclass(frozen=True)
class Judged:
    """An item's verdicts, and where its record comes from: `origin` is a sentence, `stale` why it is not of what is there now.

    instead: why it is the record that ships where one of a run here was asked for.
    """

    item: Item
    verdicts: list[Verdict]
    path: Path
    provenance: dict[str, Any] = field(default_factory=dict)
    stale: str = ""
    instead: str = ""

    @property
    def origin(self) -> str:
        """Commit, date and device of the record, and why it is stale."""
        if not self.provenance:
            return "no record"
        made = ", ".join(str(self.provenance.get(key, "?")) for key in ("commit", "date", "device"))
        own = f"record of {made}" + (f"; stale: {self.stale}" if self.stale else "")
        return f"{own}; {self.instead}" if self.instead else own


def path_of(item: str, profile: str, shipped: Path | None = None) -> Path:
    """Where an item's record lies: in reports/records after `dynode run`, or in the folder of those that ship."""
    if shipped:
        return paths.shipped_record(item, shipped)
    return paths.root() / "reports" / "records" / f"{item}.{profile}.json"


def judge_record(item: Item, profile: str = "embedded", shipped: Path | None = None) -> Judged:
    """Judge an item by its record.  shipped: the folder of the records that ship, None: those of the last run.

    An item that `make reproduce` leaves out, since it reads files that the user has to supply, is judged by the record that
    ships until it is run here.
    """
    path = path_of(item.name, profile, shipped)
    if not path.is_file():
        if not shipped and profile == "embedded" and (supplied := item.needs.get(profile)):
            why = f"it ships, since a run here needs {' and '.join(supplied)}"
            return replace(judge_record(item, profile, SHIPPED), instead=why)
        command = f"dynode run {item.name}" + (f" --profile {profile}" if profile != "embedded" else "")
        verdicts = [by_bench(missing(verdict, command)) for verdict in judge([], item, profile)]
        return Judged(item, verdicts, path)
    rows, provenance = records.read(path)
    profile = "recorded" if path.name.endswith(".recorded.json.xz") else profile
    reason = origin.staleness(item, profile, provenance)
    own = [dated(verdict, provenance, reason and not shipped) for verdict in judge(rows, item, profile)]
    verdicts = [by_bench(verdict) for verdict in own]
    return Judged(item, verdicts, path, provenance, reason)


def by_bench(verdict: Verdict) -> Verdict:
    """The verdict of a claim on a record of `dynode bench` that ships, by that record; of any other as it is."""
    if not verdict.claim.record:
        return verdict
    rows, _ = records.read(SHIPPED / f"{verdict.claim.record}.json.xz")
    return judged(indexed(rows), verdict.item, replace(verdict.claim, record=""), "embedded")


def missing(verdict: Verdict, command: str) -> Verdict:
    """The verdict of a claim whose record is not there."""
    if verdict.kind is not Kind.MISSING:
        return verdict
    return Verdict(verdict.item, verdict.claim, Kind.MISSING, note=f"there is no record, `{command}` makes it")


def dated(verdict: Verdict, provenance: dict[str, Any], reason: str | bool) -> Verdict:
    """The verdict, STALE where the record is older than what its claim means by its names, or for that reason."""
    since, made = verdict.claim.since, str(provenance.get("date", ""))
    if verdict.cases and since and made < since["date"]:
        return stale(verdict, f"the record is of {made}, before {since['date']}: {since['because']}")
    if verdict.kind is Kind.MISSING:
        note = f"the record of {made} has no such row, `dynode run {verdict.item}` makes it"
        return Verdict(verdict.item, verdict.claim, Kind.MISSING, note=note)
    return stale(verdict, str(reason)) if verdict.cases and reason else verdict


def of_statement(statement: Statement, judged: Sequence[Judged]) -> list[Verdict]:
    """The verdicts on the claims that test a statement of the paper."""
    verdicts = [verdict for one in judged for verdict in one.verdicts]
    return [
        each
        for pattern in statement.claims
        for each in verdicts
        if (each.id.startswith(pattern[:-1]) if pattern.endswith("*") else each.id == pattern)
    ]


def counted(verdicts: Sequence[Verdict]) -> str:
    """How many verdicts of each kind there are, the worst first: "1 FAIL, 3 PASS"; "NOT JUDGED" where there is none."""
    counts = {kind: sum(each.kind is kind for each in verdicts) for kind in ORDER}
    return ", ".join(f"{n} {kind}" for kind, n in counts.items() if n) or str(Kind.NOT_JUDGED)
