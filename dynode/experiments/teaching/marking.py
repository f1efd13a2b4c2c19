"""The course for tools that mark: notebooks with nbgrader's metadata, tests of otter beside unfilled notebooks."""

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from dynode.experiments.teaching import copies
from dynode.io.files import write
from dynode.settings import choose

CHECK = re.compile(r'^teach\.check\("([^"]+)", (.+)\)$', re.M)
OTTER_TEST = """OK_FORMAT = True

test = {{
    "name": "{name}",
    "points": 1,
    "suites": [
        {{
            "cases": [{{"code": {code!r}, "hidden": False, "locked": False}}],
            "scored": True,
            "setup": "",
            "teardown": "",
            "type": "doctest",
        }}
    ],
}}
"""


def checks_in(notebook: NotebookNode) -> list[tuple[str, str]]:
    """(name, answer) of every check of a notebook, in order."""
    return [each for cell in notebook.cells if cell.cell_type == "code" for each in CHECK.findall(cell.source)]


def check_apart(cell: NotebookNode) -> list[NotebookNode]:
    """A cell whose check stands in a cell of its own, so that what is drawn behind it takes no point."""
    check, _, rest = cell.source.partition("\n")
    if not CHECK.match(check) or not rest.strip():
        return [cell]
    behind = nbformat.v4.new_code_cell(rest.strip("\n"), id=f"{cell.id}-behind")
    return [NotebookNode(cell | {"source": check}), behind]


def with_nbgrader(notebook: NotebookNode) -> NotebookNode:
    """The filled notebook with nbgrader's metadata: cells to write in, and behind each its check, for one point."""
    notebook.cells = [part for cell in notebook.cells for part in check_apart(cell)]
    for cell in notebook.cells:
        checked, solved = CHECK.search(cell.source), copies.BEGIN in cell.source
        if cell.cell_type != "code" or not (checked or solved):
            continue
        kind = {"grade": bool(checked), "solution": solved, "locked": bool(checked), "task": False}
        cell.metadata["nbgrader"] = {"schema_version": 3, "grade_id": cell.id, "cell_type": "code", **kind}
        if checked:
            cell.metadata["nbgrader"]["points"] = 1
    return notebook


def for_nbgrader(folder: Path) -> list[Path]:
    """Write the filled notebooks as nbgrader's source/NAME/NAME.ipynb: one assignment each."""
    paths = {folder / "source" / path.stem / path.name: path for path in copies.notebooks()}
    copies.require_free(paths)
    for target, path in paths.items():
        marked = with_nbgrader(copies.read(path, solutions=True))
        write(target, lambda part, marked=marked: nbformat.write(marked, part))
    return list(paths)


def for_otter(folder: Path) -> list[Path]:
    """Write unfilled notebooks, and for each exercise a test of otter in `tests/NAME`, for one point."""
    tests = {}
    for path in copies.notebooks():
        for name, answer in checks_in(copies.read(path)):
            code = f">>> teach.check({name!r}, {answer})\n{name}: right"
            tests[folder / "tests" / path.stem / f"{name}.py"] = OTTER_TEST.format(name=name, code=code)
    copies.require_free(tests)
    written = copies.write_copies(folder)
    for target, text in tests.items():
        write(target, lambda part, text=text: part.write_text(text, encoding="utf-8"))
    return [*written, *tests]


TOOLS: dict[str, Callable[[Path], list[Path]]] = {"nbgrader": for_nbgrader, "otter": for_otter}


def write_for(tool: str, folder: Path | str) -> list[Path]:
    """Write the course for a tool that marks.  Raises UserError for another tool, and for files that are there."""
    return choose("tool that marks", tool, TOOLS)(Path(folder))
