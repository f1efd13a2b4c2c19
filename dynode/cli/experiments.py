"""Commands for the items of experiments.yaml, and for the assets that they need."""

from typing import Any, Literal

from tyro.conf import Positional

from dynode.cli.options import require_different
from dynode.cli.parameters import Parameters, assignments
from dynode.errors import UserError
from dynode.settings import choose


def fetch(
    names: Positional[tuple[str, ...]] = (),
    *,
    list: bool = False,
    profile: Literal["", "smoke", "embedded", "paper"] = "",
) -> None:
    """Fetch third-party weights and videos into the user's cache, hash checked.

    Args:
        names: Assets to fetch.
        list: Show every asset with its size, licence and purpose instead.
        profile: Fetch all that a profile needs.
    """
    from dynode.io import assets

    known = assets.registry()[1]
    if list or not (names or profile):
        for asset in known.values():
            print(f"{asset.name:32} {asset.size / 1e6:7.1f} MB  {asset.purpose}  [{asset.licence}]")
        return
    for name in names:
        choose("asset", name, known)
    wanted = {*names, *(asset.name for asset in known.values() if profile in asset.profiles)}
    for name in sorted(wanted):
        print(f"{name}: {assets.fetch(name)}", flush=True)


def list_items() -> None:
    """Show the items of experiments.yaml: what can be regenerated, and what it costs."""
    from dynode.experiments import items as experiments

    for item in experiments.items().values():
        minutes = item.minutes.get("embedded", {})
        cost = ", ".join(f"{value} min on {hardware}" for hardware, value in minutes.items())
        print(f"{item.name:16} {item.title}  [{item.regenerates}; {cost}]")


def run(
    items: Positional[tuple[str, ...]] = (),
    *,
    profile: str = "embedded",
    p: Parameters = (),
    all: bool = False,
    jobs: int = 0,
) -> None:
    """Regenerate items of experiments.yaml: runs their notebooks and writes figures, tables and records.

    Args:
        items: One item or several, see `dynode list`.
        profile: smoke, embedded (default) or paper.
        p: Change a parameter of a single item's notebook, such as seeds=0,1,2.
        all: Run every item.
        jobs: How many of several items run at a time; 0: one on a GPU, else one per CPU core, at most four.
    """
    from dynode.experiments import items as experiments
    from dynode.experiments import runner, several

    if all == bool(items):
        raise UserError("Name items, or give --all for every one: `dynode list` shows them.")
    if p and (all or len(items) > 1):
        raise UserError("-p changes one item's notebook: name that item alone.")
    require_different("item", items)
    if jobs < 0:
        raise UserError(f"--jobs must be 0 or more, got {jobs}.")
    if len(items) == 1:
        executed = [runner.run(items[0], profile, notebook_parameters(items[0], p))]
    else:
        executed = several.run_several([*items] or [*experiments.items()], profile, jobs or several.at_a_time())
    for path in executed:
        print(f"executed notebook: {path}")


def notebook_parameters(name: str, p: tuple[str, ...]) -> dict[str, Any]:
    """What -p says, where an item's notebook declares a list as a list.  Raises UserError for an unknown item."""
    from dynode.experiments import items
    from dynode.experiments.parameters import declarations

    declared = declarations(items.item(name).notebook) if p else {}
    return assignments(p, lambda each: each in declared and declared[each].kind is list)
