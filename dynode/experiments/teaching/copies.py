"""Copies of the course's notebooks for a class: unfilled, or with their solutions."""

from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from dynode.errors import UserError
from dynode.io.files import write
from dynode.runtime import ROOT

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
UNFILLED = "..."


def notebooks() -> list[Path]:
    """The notebooks of the course, as they are stored: filled.  Raises UserError outside of a checkout."""
    paths = sorted((ROOT / "notebooks" / "teach").glob("T*.ipynb"))
    if not paths:
        raise UserError(f"There is no {ROOT / 'notebooks' / 'teach'}: run this from a checkout of the repository.")
    return paths


def unfilled_source(source: str) -> str:
    """A cell without its solutions.  Raises ValueError for markers that do not pair."""
    kept: list[str] = []
    within = False
    for line in source.splitlines():
        if line.strip() in (BEGIN, END):
            if within == (line.strip() == BEGIN):
                raise ValueError(f"{line.strip()} without its counterpart")
            within = not within
            kept += [line.replace(BEGIN, UNFILLED)] if within else []
        elif not within:
            kept.append(line)
    if within:
        raise ValueError(f"{BEGIN} without its counterpart")
    return "\n".join(kept)


def read(path: Path, solutions: bool = False) -> NotebookNode:
    """A notebook of the course, unfilled unless solutions are wanted."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and not solutions:
            cell.source = unfilled_source(cell.source)
    return notebook


def write_copies(folder: Path | str, solutions: bool = False) -> list[Path]:
    """Write a copy of every notebook of the course.  Raises UserError for one that is there: it may hold somebody's answers."""
    targets = [Path(folder) / path.name for path in notebooks()]
    require_free(targets)
    for path, target in zip(notebooks(), targets, strict=True):
        copy = read(path, solutions)
        write(target, lambda part, copy=copy: nbformat.write(copy, part))
    return targets


def require_free(targets: Iterable[Path]) -> None:
    """Raises UserError for a file that is there."""
    for target in targets:
        if target.exists():
            raise UserError(f"{target} exists and may hold answers: name another folder by -o, or move it away.")
