"""Commands for what a profile needs, and for the items of experiments.yaml."""

from typing import Literal

from tyro.conf import Positional

from dynode.cli.parameters import Parameters, assignments
from dynode.errors import UserError


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
    from dynode import assets

    known = assets.registry()[1]
    if list or not (names or profile):
        for asset in known.values():
            print(f"{asset.name:32} {asset.size / 1e6:7.1f} MB  {asset.purpose}  [{asset.licence}]")
        return
    wanted = {*names, *(asset.name for asset in known.values() if profile in asset.profiles)}
    for name in sorted(wanted):
        print(f"{name}: {assets.fetch(name)}", flush=True)


def list_items() -> None:
    """Show the items of experiments.yaml: what can be regenerated, and what it costs."""
    from dynode import experiments

    for item in experiments.items().values():
        cost = item.minutes.get("embedded", {})
        told = ", ".join(f"{minutes} min on {where}" for where, minutes in cost.items())
        print(f"{item.name:16} {item.title}  [{item.regenerates}; {told}]")


def run(
    item: Positional[str] = "",
    *,
    profile: str = "embedded",
    p: Parameters = (),
    all: bool = False,
) -> None:
    """Regenerate an item of experiments.yaml: runs its notebook and writes figures, tables and a record.

    Args:
        item: The item, see `dynode list`.
        profile: smoke, embedded (default) or paper.
        p: Change a notebook parameter, such as seeds=[0,1,2].
        all: Run every item.
    """
    from dynode import batch

    if all == bool(item):
        raise UserError("Name one item, or give --all for every one: `dynode list` shows them.")
    if all and p:
        raise UserError("-p changes one item's notebook: name the item instead of --all.")
    executed = batch.run_all(profile) if all else [batch.run(item, profile, assignments(p))]
    for path in executed:
        print(f"executed notebook: {path}")
