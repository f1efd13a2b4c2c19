"""Paths of all outputs: figures/, reports/tables, reports/records, reports/executed, reports/engine."""

import os
from pathlib import Path

from dynode import runtime
from dynode.errors import UserError

# The variables that name files or folders.
VARIABLES = ("DYNODE_OUTPUT", "DYNODE_CACHE", "DYNODE_ASSETS", "DYNODE_I3D", "DYNODE_CLIP")


def absolute_variables() -> dict[str, str]:
    """The variables that name files or folders, as absolute paths: seen from the folder where the command was typed."""
    set_here = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    return {name: os.path.abspath(os.path.expanduser(text)) for name, text in set_here.items()}


def root() -> Path:
    """The folder of figures/ and reports/, absolute: `DYNODE_OUTPUT`, or this checkout."""
    return Path(absolute_variables().get("DYNODE_OUTPUT", runtime.ROOT))


def executed_copy(item: str, profile: str) -> Path:
    """The path of an item's executed notebook."""
    return root() / "reports" / "executed" / f"{item}.{profile}.ipynb"


def failed_copy(item: str, profile: str) -> Path:
    """The path of an item's notebook as far as it came, where it failed: the last good one stays."""
    return executed_copy(item, profile).with_suffix(".failed.ipynb")


def fits(item: str, profile: str) -> Path:
    """The folder of an item's fits, where a killed run goes on."""
    return root() / "reports" / "fits" / f"{item}.{profile}"


def engine() -> Path:
    """The folder of what the engine keeps: its lock, its logs, hashes of sources, marks of parts that are done."""
    return root() / "reports" / "engine"


def shipped_record(item: str, folder: Path) -> Path:
    """An item's record that comes with the project: of its long run, where it has one, else of the profile embedded."""
    long = folder / f"{item}.recorded.json.xz"
    return long if long.is_file() else folder / f"{item}.embedded.json.xz"


def last_record(item: str, profile: str) -> Path:
    """The record of an item's last run under a profile, else the one that comes with the project.

    Raises UserError where there is neither.
    """
    shipped = shipped_record(item, runtime.ROOT / "reports" / "recorded")
    for path in (root() / "reports" / "records" / f"{item}.{profile}.json", shipped):
        if path.is_file():
            return path
    raise UserError(f"There is no record of {item}: run `dynode run {item} --profile {profile}` first.")
