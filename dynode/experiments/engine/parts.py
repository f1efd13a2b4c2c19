"""Parts of an item: the same notebook with some elements of a list, whose figures, tables and record nobody keeps.

What a part leaves is its fits and its evaluations, which the run of the whole item finds.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynode.errors import UserError
from dynode.experiments import items, runner
from dynode.experiments.engine import targets
from dynode.reporting import paths


def run_part(name: str, profile: str, part: int) -> None:
    """Run a part of an item, from 1 on.

    Raises UserError for an item that has no such part under this profile, and whatever `runner.run` raises.
    """
    parts = targets.elements(items.item(name), profile)
    if not 1 <= part <= len(parts):
        has = f"has parts 1 to {len(parts)}" if parts else "has no parts"
        raise UserError(f"The item {name} {has} under the profile {profile}, got --part {part}.")
    with apart(name, profile, part):
        runner.run(name, profile, parts[part - 1])


@contextmanager
def apart(name: str, profile: str, part: int) -> Iterator[Path]:
    """A folder for the outputs of a part, in which its fits are the item's own; removed unless the part fails."""
    fits, folder = paths.fits(name, profile), paths.engine() / "parts" / f"{name}.{profile}.{part}.outputs"
    before, link = os.environ.get("DYNODE_OUTPUT"), folder / fits.relative_to(paths.root())
    fits.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(fits, target_is_directory=True)
    os.environ["DYNODE_OUTPUT"] = str(folder)
    try:
        yield folder
    finally:
        os.environ.pop("DYNODE_OUTPUT")
        os.environ.update({"DYNODE_OUTPUT": before} if before is not None else {})
    shutil.rmtree(folder, ignore_errors=True)
