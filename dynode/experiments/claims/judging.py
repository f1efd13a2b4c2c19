"""`judge(rows, item)`: a verdict for each claim of an item, from rows alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from typing import Protocol

from dynode.evaluation.records import Row, averaged
from dynode.experiments.claims.declared import Claim, Selector
from dynode.experiments.claims.quantities import QUANTITIES, by, fits, matches


class Kind(StrEnum):
    """What a claim turned out to be, the worst first."""

    FAIL = "FAIL"
    STALE = "STALE"
    MISSING = "MISSING"
    TOO_EASY = "TOO EASY"
    NOT_JUDGED = "NOT JUDGED"
    PASS = "PASS"


ORDER = list(Kind)


class HasClaims(Protocol):
    """What is judged of an item."""

    @property
    def name(self) -> str: ...
    @property
    def claims(self) -> Sequence[Claim]: ...


@dataclass(frozen=True)
class Case:
    """One combination of a claim: where, its number, the control's, and what that makes it."""

    at: str
    value: float
    control: float | None
    kind: Kind


@dataclass(frozen=True)
class Verdict:
    """What became of a claim: the worst of its cases, or why it has none."""

    item: str
    claim: Claim
    kind: Kind
    cases: tuple[Case, ...] = ()
    note: str = ""

    @property
    def id(self) -> str:
        return f"{self.item}.{self.claim.id}"

    @property
    def worst(self) -> Case | None:
        """Of the cases that decided, the one nearest to failing, or furthest beyond."""
        deciding = [case for case in self.cases if case.kind is self.kind]
        extreme = min if self.claim.at_most is None else max
        return extreme(deciding, key=lambda case: case.value, default=None)

    @property
    def unexplained(self) -> str:
        """Why this is not what experiments.yaml expects, "" where it is: as pytest's strict xfail."""
        failing = {case.at for case in self.cases if case.kind is Kind.FAIL}
        known, judged = {*self.claim.known_at}, {case.at for case in self.cases}
        if failing and not self.claim.known:
            return "fails, and no reason is known"
        if not failing and self.claim.known and self.kind in (Kind.PASS, Kind.TOO_EASY):
            return "does not fail any more: take out its reason"
        if known and failing - known:
            return f"fails at {'; '.join(sorted(failing - known))} too, which its reason does not name"
        if known & judged - failing:
            return f"does not fail any more at {'; '.join(sorted(known & judged - failing))}: take that out of known_at"
        return ""


def judge(rows: Iterable[Row], item: HasClaims, profile: str = "embedded") -> list[Verdict]:
    """A verdict for each claim of an item: of the means over seeds of these rows.

    profile: rows of "smoke" are of a few frames, so nothing is judged by them.
    """
    known = indexed(rows)
    return [judged(known, item.name, claim, profile) for claim in item.claims]


INDEXED = ("metric", "method", "category")
Index = dict[tuple[str, str, str], list[Row]]


def indexed(rows: Iterable[Row]) -> Index:
    """Rows by the fields INDEXED, so that selectors find theirs quickly."""
    known: Index = {}
    for row in rows:
        known.setdefault((row.metric, row.method, row.category), []).append(row)
    return known


def judged(rows: Index, item: str, claim: Claim, profile: str) -> Verdict:
    """The verdict on one claim."""
    if not claim.row:
        return Verdict(item, claim, Kind.NOT_JUDGED, note=claim.unmeasured)
    if claim.record:
        return Verdict(
            item, claim, Kind.NOT_JUDGED, note=f"its rows are in the record {claim.record}, `dynode verify` reads it"
        )
    if profile == "smoke":
        return Verdict(item, claim, Kind.NOT_JUDGED, note="a smoke run is of a few frames")
    if few := too_few(rows, claim):
        return Verdict(item, claim, Kind.NOT_JUDGED, note=few)
    cases = tuple(cases_of(rows, claim))
    if not cases:
        kind = Kind.NOT_JUDGED if claim.unmeasured else Kind.MISSING
        return Verdict(item, claim, kind, note=claim.unmeasured or "the record has no such row")
    if absent := methods_absent(rows, claim):
        note = f"an order wants every method that it lists, the record has no row of {', '.join(absent)}"
        return Verdict(item, claim, Kind.NOT_JUDGED, note=note)
    return Verdict(item, claim, min((case.kind for case in cases), key=ORDER.index), cases, claim.easy)


def methods_absent(rows: Index, claim: Claim) -> list[str]:
    """The methods that a claim is judged against and a record lacks: the best of the others would be an easier one."""
    listed = claim.to.get("method")
    wanted = listed if isinstance(listed, list | tuple) else []
    there = {method for _, method, _ in rows}
    return [name for name in wanted if name not in there]


def too_few(rows: Index, claim: Claim) -> str:
    """Why a record has too few clips for a claim, "" where it has enough or none; of several categories the fewest count."""
    listed = claim.row.get("category")
    several = {name: {"category": name} for name in listed} if isinstance(listed, list | tuple) else {"": {}}
    counts = {name: clips_of(rows, claim, category) for name, category in several.items()}
    fewest = min(counts, key=counts.__getitem__)
    if not any(counts.values()) or counts[fewest] >= claim.clips:
        return ""
    of = f" of {fewest}" if fewest else ""
    return f"an order wants {claim.clips} clips, the record has {counts[fewest]}{of}"


def clips_of(rows: Index, claim: Claim, category: Selector) -> int:
    """How many clips of a category a record has of the claim's method, by any metric: its own rows may be of all clips together."""
    wanted = {"method": claim.row["method"], **category} if "method" in claim.row else {**claim.row, **category}
    return len({row.clip for row in chosen(rows, wanted)} - {"", "all"})


def cases_of(rows: Index, claim: Claim) -> Iterable[Case]:
    """Every combination of the fields in `over` that the rows have."""
    controls = dict(values_of(rows, claim, claim.control)) if claim.control else {}
    for at, number in values_of(rows, claim):
        control = controls.get(at)
        yield Case(at, number, control, kind_of(claim, number, control))


def kind_of(claim: Claim, number: float, control: float | None) -> Kind:
    if not claim.met(number):
        return Kind.FAIL
    return Kind.TOO_EASY if claim.easy or (control is not None and claim.met(control)) else Kind.PASS


def values_of(rows: Index, claim: Claim, change: Selector | None = None) -> Iterable[tuple[str, float]]:
    """(combination in words, quantity) of the claim's rows, or of the control's where `change` names what differs."""
    meant = {**claim.row, **(change or {})}
    kept = {key: each for key, each in (change or {}).items() if key not in claim.to}
    compared = {**claim.row, **kept, **claim.to} if claim.to else {}
    groups = grouped(rows, meant, claim.over)
    others = grouped(rows, compared, claim.over) if compared else {}
    for key, group in groups.items():
        number = QUANTITIES[claim.quantity](group, others.get(key, []), **claim.options)
        if number is not None:
            yield words(claim.over, key), number


def grouped(rows: Index, selector: Selector, over: Sequence[str]) -> dict[tuple, list[Row]]:
    """The rows that a selector means, means over seeds, by the fields in `over`."""
    return by(averaged(chosen(rows, selector)), *over)


def chosen(rows: Index, selector: Selector) -> Iterable[Row]:
    """The rows that a selector means."""
    others = {name: value for name, value in selector.items() if name not in INDEXED}
    wanted = [selector.get(name, "*") for name in INDEXED]
    known = chain.from_iterable(each for key, each in rows.items() if all(map(fits, key, wanted)))
    return (row for row in known if matches(row, others)) if others else known


def words(over: Sequence[str], key: tuple) -> str:
    """A combination in words, such as "scene.day, stride 4"."""
    return ", ".join(f"stride {each}" if name == "stride" else str(each) for name, each in zip(over, key, strict=True))


def stale(verdict: Verdict, reason: str) -> Verdict:
    """The same verdict of a record that is not of what is there now."""
    return replace(verdict, kind=Kind.STALE, note=reason)
