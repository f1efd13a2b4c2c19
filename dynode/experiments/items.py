"""`experiments.yaml`: which paper item comes from which notebook, with which parameters, and what it must show."""

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


@dataclass(frozen=True)
class Item:
    """One entry of experiments.yaml.

    parameters: profile -> notebook parameters.  minutes: profile -> {"cpu", "gpu"}, as measured.
    paper: the paper's own numbers.  claims: bounds that are never edited to fit.  expected: profile -> check -> value.
    needs: profile -> assets the user may have to supply; `dynode run --all` passes over an item without them.
    after: items whose records this one reads.
    """

    name: str
    title: str
    regenerates: str
    notebook: str
    parameters: dict[str, dict]
    minutes: dict[str, dict]
    paper: dict = field(default_factory=dict)
    claims: dict = field(default_factory=dict)
    expected: dict[str, dict] = field(default_factory=dict)
    needs: dict[str, list[str]] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)


@cache
def items() -> dict[str, Item]:
    """All items, in the order they are to be run."""
    path = ROOT / "experiments.yaml"
    if not path.is_file():
        raise UserError(f"There is no {path}: items and notebooks lie in the repository, run this from a checkout.")
    entries = yaml.safe_load(path.read_text())["items"]
    return {name: Item(name, **entry) for name, entry in entries.items()}


def item(name: str) -> Item:
    """The item of that name, or a UserError naming the nearest."""
    return choose("item", name, items())


def minutes_of(item: Item, profile: str) -> float:
    """What an item was measured to take, on the slowest hardware named; 0 where it was not."""
    return max(item.minutes.get(profile, {}).values(), default=0.0)


@dataclass(frozen=True)
class Checks:
    """`check(name, value)` for one item under one profile, and `claim(name, value)` against its fixed bounds."""

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
        wanted, tolerance = entry["value"], entry.get("tolerance", 5e-4)
        if not abs(value - wanted) <= tolerance * abs(wanted):
            raise AssertionError(f"{name}: got {value:.6g}, expected {wanted:.6g} within {tolerance:g} of it")
        print(f"{name}: {wanted:.3g} ok")

    def claim(self, name: str, value: float) -> bool:
        """Print PASS or FAIL of a bound ({"at_most": x} or {"at_least": x}) and return it; smoke runs do not judge."""
        bound = choose("claim", name, self.item.claims)
        passed = value <= bound["at_most"] if "at_most" in bound else value >= bound["at_least"]
        relation = f"<= {bound['at_most']}" if "at_most" in bound else f">= {bound['at_least']}"
        word = "not judged" if self.profile == "smoke" else "PASS" if passed else "FAIL"
        print(f"{word}  {name}: {value:.3g}  (wanted {relation})")
        return passed


def checks(item_name: str, profile: str) -> Checks:
    return Checks(item(item_name), choose("profile", profile, list(PROFILES)))
