"""Claims and statements as experiments.yaml declares them, checked when they are read."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynode.errors import UserError
from dynode.evaluation.records import Row
from dynode.experiments.claims.quantities import QUANTITIES, options_of
from dynode.settings import choose

SOURCES = ("ours", "paper")
ROW_FIELDS = [f.name for f in dataclasses.fields(Row) if f.name not in ("value", "std", "n", "paper", "seed", "frames")]
Selector = Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A bound on numbers of an item's record.

    id: unique within its item.  statement: one plain sentence.  source: "ours", or "paper" and where in it.
    row: which rows are meant, by their fields: a value, a list of values, "start*" or "not start*"; empty where nothing
    measures it.  unmeasured: why no record has such rows; once one has, they are judged.  over: fields of which each combination is judged by itself, the worst counts.
    quantity: what is made of the rows of a combination, a name of `QUANTITIES` and its options.  to: what differs in the rows
    that they are compared with.  at_most, at_least: the bound.  control: what differs in the rows of a method whose meeting the
    bound makes it too easy.  easy: why the bound holds by construction.  known: why it fails today; known_at: at which
    combinations, by default any.  record: of which the rows are, one of `dynode bench` that ships, instead of the item's own.
    clips: how many a record must have for the claim to be judged.  since: a date before which records name something else, and why.  added: the date, of
    one that was added after results had been seen.
    """

    id: str
    statement: str
    source: str
    row: Selector = field(default_factory=dict)
    over: tuple[str, ...] = ()
    quantity: str = "value"
    options: Mapping[str, Any] = field(default_factory=dict)
    to: Selector = field(default_factory=dict)
    at_most: float | None = None
    at_least: float | None = None
    control: Selector = field(default_factory=dict)
    easy: str = ""
    known: str = ""
    known_at: tuple[str, ...] = ()
    unmeasured: str = ""
    record: str = ""
    clips: int = 0
    since: Mapping[str, str] = field(default_factory=dict)
    added: str = ""

    @property
    def bound(self) -> float:
        """The number that `at_most` or `at_least` gives."""
        return float(self.at_least if self.at_most is None else self.at_most)  # pyright: ignore[reportArgumentType]

    @property
    def relation(self) -> str:
        """The bound in words."""
        return f"at {'least' if self.at_most is None else 'most'} {self.bound:.4g}"

    def met(self, value: float) -> bool:
        """Whether a number keeps to the bound."""
        return value >= self.bound if self.at_most is None else value <= self.bound


@dataclass(frozen=True)
class Statement:
    """A sentence of the paper, word for word, where it stands, and the claims that test it, as ITEM.ID or ITEM.START*."""

    id: str
    quote: str
    section: str
    claims: tuple[str, ...] = ()


LEGAL = {f.name for f in dataclasses.fields(Claim)} - {"options"}


def claims_of(item: str, entries: Iterable[Mapping[str, Any]]) -> list[Claim]:
    """The claims of an item.  Raises UserError for one that is none, naming what is legal."""
    claims = [claim_of(item, entry) for entry in entries]
    for claim in claims:
        if sum(other.id == claim.id for other in claims) > 1:
            raise UserError(f"The item {item} has two claims {claim.id!r}: give each an id of its own.")
    return claims


def claim_of(item: str, entry: Mapping[str, Any]) -> Claim:
    """One claim, checked."""
    name = f"the claim {entry.get('id', '?')} of {item}"
    for key in entry:
        choose(f"field of {name},", key, LEGAL)
    if missing := {"id", "statement", "source"} - entry.keys():
        raise UserError(f"{name.capitalize()} has no {sorted(missing)[0]!r}: give it one.")
    quantity, options = named_quantity(entry.get("quantity", "value"), name)
    own = {"quantity": quantity, "options": options, "added": str(entry.get("added", ""))}
    claim = Claim(**{**entry, **own, **as_tuples(entry)})
    require_whole(claim, name)
    return claim


def as_tuples(entry: Mapping[str, Any]) -> dict[str, tuple]:
    return {key: tuple(entry.get(key) or ()) for key in ("over", "known_at")}


def named_quantity(value: str | Mapping[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    """The quantity's name, and its options.  Raises UserError for others than it has."""
    options = {"name": value} if isinstance(value, str) else dict(value)
    quantity = options.pop("name", "value")
    choose(f"quantity of {name},", quantity, QUANTITIES)
    for key in options:
        choose(f"option of {quantity} in {name},", key, options_of(quantity))
    return quantity, options


def require_whole(claim: Claim, name: str) -> None:
    """Raises UserError for a claim without a bound, a source or rows, and for a field that rows do not have."""
    if claim.source.partition(",")[0] not in SOURCES:
        raise UserError(f"The source of {name} is {claim.source!r}: it is 'ours' or 'paper, Table 1'.")
    for key in (*claim.row, *claim.to, *claim.control, *claim.over):
        choose(f"field of rows in {name},", key, ROW_FIELDS)
    if not claim.row and not claim.unmeasured:
        raise UserError(f"{name.capitalize()} has neither rows nor 'unmeasured', which explains why none has it.")
    if claim.row and (claim.at_most is None) == (claim.at_least is None):
        raise UserError(f"{name.capitalize()} needs one bound: at_most or at_least.")
    for bound in (claim.at_most, claim.at_least):
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float)):
            raise UserError(f"The bound of {name} is {bound!r}: it is a number, without quotes.")


def statements_of(entries: Iterable[Mapping[str, Any]]) -> list[Statement]:
    """The statements of the paper.  Raises UserError for a field that they do not have."""
    legal = [f.name for f in dataclasses.fields(Statement)]
    for entry in entries:
        for key in entry:
            choose(f"field of the statement {entry.get('id', '?')},", key, legal)
    return [Statement(**{**entry, "claims": tuple(entry.get("claims", ()))}) for entry in entries]
