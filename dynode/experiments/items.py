"""`experiments.yaml`: which notebook regenerates which paper item, under which parameters, and its expected numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from dynode.errors import UserError
from dynode.evaluation.records import Row
from dynode.experiments.claims.declared import Claim, Statement, claims_of, statements_of
from dynode.experiments.claims.judging import Verdict, judge
from dynode.experiments.claims.sentences import line
from dynode.runtime import ROOT
from dynode.settings import choose

PROFILES = {
    "smoke": "under a minute: the machinery on a few frames, for the tests",
    "embedded": "the default: real results on 2 CPU cores, nothing to supply",
    "paper": "the paper's own scale, on a GPU",
    "recorded": "hours on 2 CPU cores, of the few items that have it: the records of these runs ship",
}
TOLERANCE = 5e-4  # relative, of an expectation that names no other


@dataclass(frozen=True)
class Item:
    """One entry of experiments.yaml.

    parameters: profile -> parameters of the notebook.  minutes: profile -> hardware -> measured minutes.
    paper: the paper's own numbers.  claims: bounds that are never edited to fit, judged from the record's rows.
    expected: profile -> check -> value.
    needs: profile -> assets that the user may have to supply; `dynode run --all` skips an item without them.
    after: items whose records this one reads.
    paper_items: names of figures and tables of the paper, by which `dynode run fig2` finds it.
    writes: profile -> "figures", "tables", "videos" -> names of what a run leaves, where {a,b} stands for both.
    resources: profile -> "memory_gb" and "gpu" that a cluster is asked for.
    parts: profile -> "over" which list parameters a run may be split, and "groups" of their elements.
    first: whether it runs early, being small and worth seeing.
    """

    name: str
    title: str
    regenerates: str
    notebook: str
    parameters: dict[str, dict]
    minutes: dict[str, dict]
    paper: dict = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    expected: dict[str, dict] = field(default_factory=dict)
    needs: dict[str, list[str]] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)
    paper_items: list[str] = field(default_factory=list)
    writes: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    resources: dict[str, dict[str, float]] = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    first: bool = False


@cache
def items() -> dict[str, Item]:
    """All items, in the order in which they are to be run.  Raises UserError outside of a checkout."""
    entries = {name: {"claims": []} | entry for name, entry in experiments()["items"].items()}
    return {name: Item(name, **entry | {"claims": claims_of(name, entry["claims"])}) for name, entry in entries.items()}


@cache
def statements() -> list[Statement]:
    """What the paper says, word for word, and the claims that test it."""
    return statements_of(experiments()["statements"])


@cache
def experiments() -> dict[str, Any]:
    """experiments.yaml as it is.  Raises UserError outside of a checkout."""
    path = ROOT / "experiments.yaml"
    if not path.is_file():
        raise UserError(f"There is no {path}: items and notebooks lie in the repository, run this from a checkout.")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML's fast one, where libyaml is there
    return yaml.load(path.read_text(encoding="utf-8"), loader)


def item(name: str) -> Item:
    """The item of that name, or a UserError naming the nearest."""
    return items()[choose("item", name, list(items()))]


def named(name: str) -> list[str]:
    """The items that a name means: of one item, or of what the paper shows, such as fig2 or table1.face.

    Raises UserError with the nearest name for any other.
    """
    if name in items():
        return [name]
    shown = {paper: each.name for each in items().values() for paper in each.paper_items}
    if regenerated := [item for paper, item in shown.items() if paper == name or paper.startswith(f"{name}.")]:
        return list(dict.fromkeys(regenerated))
    return [item(name).name]


def require_profile(item: Item, profile: str) -> None:
    """Raises UserError for an unknown profile, and for `recorded` where an item has no such run."""
    choose("profile", profile, list(PROFILES))
    if profile == "recorded" and profile not in item.parameters:
        have = [each.name for each in items().values() if profile in each.parameters]
        raise UserError(f"{item.name} has no profile recorded, only {', '.join(have)}: leave --profile out.")


def minutes_of(item: Item, profile: str) -> float:
    """The measured minutes of an item, on the slowest hardware listed; 0 where it was not measured."""
    return max(item.minutes.get(profile, {}).values(), default=0.0)


@dataclass(frozen=True)
class Checks:
    """`check(name, value)` against the expectations of an item and profile, `judge(rows)` of its claims.

    changed: the run has other parameters than the item, so its expectations and claims do not hold.
    """

    item: Item
    profile: str
    changed: bool = False

    def check(self, name: str, value: float) -> None:
        """Compare with the committed expectation, print it and "ok"; raise AssertionError where it differs.

        A name without an expectation under this profile is printed as measured.
        """
        expected = {} if self.changed else self.item.expected.get(self.profile) or {}
        entry = expected.get(name)
        if entry is None:
            print(f"{name}: {value:.3g} (no expectation under {self.profile})")
            return
        expected, tolerance = entry["value"], entry.get("tolerance", TOLERANCE)
        if not abs(value - expected) <= tolerance * abs(expected):
            raise AssertionError(f"{name}: got {value:.6g}, expected {expected:.6g} within {tolerance:g} of it")
        print(f"{name}: {expected:.3g} ok")

    def judge(self, rows: Iterable[Row]) -> list[Verdict]:
        """Print a line for each claim of the item: the verdict that `dynode verify` has of a record of these rows."""
        if self.changed:
            print("NOT JUDGED  claims are of the item's own parameters.")
            return []
        verdicts = judge(rows, self.item, self.profile)
        print("\n".join(map(line, verdicts)) or "no claims")
        return verdicts


def checks(item_name: str, profile: str) -> Checks:
    """The checks of an item under a profile.  Raises UserError for other names."""
    return Checks(item(item_name), choose("profile", profile, list(PROFILES)))
