"""`dynode validate`: executed notebooks are executed again, and the outputs compared that they mark for it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat

from dynode.errors import UserError
from dynode.evaluation import kept_evaluations
from dynode.experiments import children, items, kernels
from dynode.reporting import paths

COMPARED = "nbval-check-output"  # the tag of a cell whose output is compared
PATIENCE = 7 * 24 * 3600  # seconds that a cell may take: of the profile `paper` hours
OPTIONS = ("-q", "--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={PATIENCE}", "-p", "no:cacheprovider")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Outcome:
    """Of a notebook that was executed again: its cells of code, how many outputs were compared, a text on each that differs."""

    cells: int
    compared: int
    faults: tuple[str, ...]


def executed(names: Iterable[str], profile: str) -> dict[str, Path]:
    """The executed notebooks of items, by default of all that have one.

    Raises UserError for an item that is not there or has none, and where no item has one.
    """
    there = {name: paths.executed_copy(name, profile) for name in items.items()}
    there = {name: path for name, path in there.items() if path.is_file()}
    for name in names:
        if items.item(name).name not in there:
            raise UserError(
                f"There is no executed notebook of {name} under the profile {profile}: "
                f"`dynode run {name} --profile {profile}` makes it."
            )
    if not there:
        raise UserError(
            f"There is no executed notebook of the profile {profile} in {paths.executed_copy('', '').parent}: "
            f"`dynode reproduce --profile {profile}` makes them."
        )
    return {name: path for name, path in there.items() if name in (list(names) or there)}


def again(path: Path) -> Outcome:
    """Execute an executed notebook as it is, parameters included, and compare what its marked cells print with what they printed.

    Its outputs go to a folder of their own, into which the records that it may read are copied; nothing measured before is taken.
    """
    notebook = nbformat.read(path, as_version=4)
    compared = [COMPARED in cell.metadata.get("tags", []) for cell in notebook.cells]
    with tempfile.TemporaryDirectory(prefix="dynode-validate-") as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # settings of no other folder are read
        shutil.copyfile(path, folder / path.name)
        if (records := paths.root() / "reports" / "records").is_dir():
            shutil.copytree(records, folder / "out" / "reports" / "records")
        results = run(folder, path.name)
    faults = [COLOURS.sub("", each.text or "").strip() for case in results for each in case if each.tag != "skipped"]
    return Outcome(len(results), sum(compared), tuple(faults))


def run(folder: Path, notebook: str) -> list[ElementTree.Element]:
    """What nbval says of each cell of code.  Raises UserError where it says nothing."""
    report, own = folder / "cells.xml", {"DYNODE_OUTPUT": str(folder / "out"), kept_evaluations.VARIABLE: "0"}
    command = children.python(f"from {__name__} import main; main()")
    child = subprocess.Popen(
        [*command, *OPTIONS, f"--junitxml={report}", notebook],
        cwd=folder,
        env=kernels.environment(folder) | own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        printed = child.communicate()[0]
    finally:
        children.kill_session(child)
        child.wait()
    if not report.is_file():
        said = (printed.strip().splitlines() or ["it printed nothing"])[-1]
        raise UserError(f"nbval ended without a result on {notebook} ({said.rstrip('.')}): run the same command again.")
    return list(ElementTree.parse(report).iter("testcase"))


def main() -> None:
    """pytest, which ends with the process that started it; so does the notebook's kernel."""
    children.end_with_parent()
    os.environ[children.PARENT] = str(os.getpid())
    import pytest

    sys.exit(pytest.main(sys.argv[1:]))
