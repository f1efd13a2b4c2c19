"""Paths of all outputs: figures/, reports/tables, reports/records, reports/executed."""

import os
from pathlib import Path

from dynode import runtime
from dynode.errors import UserError


def root() -> Path:
    """The folder of figures/ and reports/: `DYNODE_OUTPUT`, or this checkout."""
    return Path(os.environ.get("DYNODE_OUTPUT") or runtime.ROOT)


def executed_copy(item: str, profile: str) -> Path:
    """The path of an item's executed notebook."""
    return root() / "reports" / "executed" / f"{item}.{profile}.ipynb"


def last_record(item: str, profile: str) -> Path:
    """The record of an item's last run under a profile, else the one that comes with the project.

    Raises UserError where there is neither.
    """
    shipped = runtime.ROOT / "reports" / "recorded" / f"{item}.embedded.json.gz"
    for path in (root() / "reports" / "records" / f"{item}.{profile}.json", shipped):
        if path.is_file():
            return path
    raise UserError(f"There is no record of {item}: run `dynode run {item} --profile {profile}` first.")
