"""`experiments.yaml`: which notebook regenerates which paper item, under which parameters, and its expected numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import yaml

from dynode.errors import UserError
from dynode.runtime import ROOT
from dynode.settings import choose

PROFILES = {
    "smoke": "under a minute: the machinery on a few frames, for the tests",
    "embedded": "the default: real results on 2 CPU cores, nothing to supply",
    "paper": "the paper's own scale, on a GPU",
}
TOLERANCE = 5e-4  # relative, of an expectation that names no other


@dataclass(frozen=True)
class Item:
    """One entry of experiments.yaml.

    parameters: profile -> parameters of the notebook.  minutes: profile -> hardware -> measured minutes.
    paper: the paper's own numbers.  claims: bounds that are never edited to fit.  expected: profile -> check -> value.
    needs: profile -> assets that the user may have to supply; `dynode run --all` skips an item without them.
    after: items whose records this one reads.
    """

    name: str
    title: str
    regenerates: str
    notebook: str
    parameters: dict[str, dict]
    minutes: dict[str, dict]
    paper: dict = field(default_factory=dict)
    claims: dict[str, dict[str, float]] = field(default_factory=dict)
    expected: dict[str, dict] = field(default_factory=dict)
    needs: dict[str, list[str]] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)


@cache
def items() -> dict[str, Item]:
    """All items, in the order in which they are to be run.  Raises UserError outside of a checkout."""
    path = ROOT / "experiments.yaml"
    if not path.is_file():
        raise UserError(f"There is no {path}: items and notebooks lie in the repository, run this from a checkout.")
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["items"]
    return {name: Item(name, **entry) for name, entry in entries.items()}


def item(name: str) -> Item:
    """The item of that name, or a UserError naming the nearest."""
    return items()[choose("item", name, list(items()))]


def minutes_of(item: Item, profile: str) -> float:
    """The measured minutes of an item, on the slowest hardware listed; 0 where it was not measured."""
    return max(item.minutes.get(profile, {}).values(), default=0.0)


@dataclass(frozen=True)
class Checks:
    """`check(name, value)` against the expectations of an item and profile, `claim(name, value)` against its bounds."""

    item: Item
    profile: str

    def check(self, name: str, value: float) -> None:
        """Compare with the committed expectation, print it and "ok"; raise AssertionError where it differs.

        A name without an expectation under this profile is printed as measured.
        """
        entry = (self.item.expected.get(self.profile) or {}).get(name)
        if entry is None:
            print(f"{name}: {value:.3g} (no expectation under {self.profile})")
            return
        expected, tolerance = entry["value"], entry.get("tolerance", TOLERANCE)
        if not abs(value - expected) <= tolerance * abs(expected):
            raise AssertionError(f"{name}: got {value:.6g}, expected {expected:.6g} within {tolerance:g} of it")
        print(f"{name}: {expected:.3g} ok")

    def claim(self, name: str, value: float) -> bool:
        """Print PASS or FAIL for a claim and return whether it passed; smoke runs print "not judged".

        Raises UserError for a claim that the item does not declare.
        """
        bound = self.item.claims[choose("claim", name, list(self.item.claims))]
        passed, relation = compared(value, bound)
        verdict = "not judged" if self.profile == "smoke" else "PASS" if passed else "FAIL"
        print(f"{verdict}  {name}: {value:.3g}  (wanted {relation})")
        return passed


def compared(value: float, bound: Mapping[str, float]) -> tuple[bool, str]:
    """Whether a value keeps to a bound {"at_most": x} or {"at_least": x}, and the relation in symbols."""
    if "at_most" in bound:
        return value <= bound["at_most"], f"<= {bound['at_most']}"
    return value >= bound["at_least"], f">= {bound['at_least']}"


def checks(item_name: str, profile: str) -> Checks:
    """The checks of an item under a profile.  Raises UserError for other names."""
    return Checks(item(item_name), choose("profile", profile, list(PROFILES)))
