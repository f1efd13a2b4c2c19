"""Systems at a share of their published iterations: what an equal number of the generator's passes makes of each.

A share shortens every loop of a system alike: all of its counts of passes, epochs and steps, none to less than one.
"""

from dataclasses import dataclass
from typing import Any

from dynode.settings import changed
from dynode.video_editing.registry import System, load_system, scaled, system_class, taken_by

COUNTS = {
    "igci": ("first_steps", "steps"),
    "stit": ("tuning.passes", "stitching.steps"),
    "tcsve": ("tuning.passes", "phases.code_epochs", "phases.weight_epochs", "stitching.steps"),
}
COUNTS["dynode+tcsve"] = COUNTS["tcsve"]
HALVINGS = 40  # of the interval in which the share of a budget is looked for


@dataclass(frozen=True)
class Share:
    """A system whose loops have `share` of their published length; passes: of the generator, at most; published: all."""

    system: System
    share: float
    passes: float
    published: float


def counted(chosen: Any, name: str, published: Any, share: float) -> Any:
    """The settings of a system with that share of the published counts."""
    return changed(chosen, {each: max(1, round(share * value_of(published, each))) for each in COUNTS[name]})


def value_of(settings: Any, name: str) -> int:
    """A setting by its dotted name."""
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def at_share(name: str, share: float, frames: tuple[int, int], changes: dict | None = None, **settings) -> Share:
    """The system of that name at a share of its published counts, its other settings the embedded ones, changed.

    frames: how many are inverted, and how many there are.  settings: of the system, those that it takes.
    """
    make = system_class(name)
    published, embedded = (scaled(make, scale) for scale in ("published", "embedded"))
    chosen = changed(counted(embedded, name, published, share), changes or {})
    taken = taken_by(make, settings)
    system = load_system(name, chosen=chosen, **taken)
    whole = load_system(name, chosen=published, **taken)
    return Share(system, share, system.passes(*frames), whole.passes(*frames))  # pyright: ignore[reportAttributeAccessIssue]


def within(name: str, budget: float, frames: tuple[int, int], changes: dict | None = None, **settings) -> Share:
    """The system at the largest share of its published counts, at most 1, that takes no more than that many passes.

    Where even one of each count takes more, that is what comes back.
    """
    low, high = 0.0, 1.0
    if (whole := at_share(name, high, frames, changes, **settings)).passes <= budget:
        return whole
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if at_share(name, middle, frames, changes, **settings).passes <= budget:
            low = middle
        else:
            high = middle
    return at_share(name, low, frames, changes, **settings)
