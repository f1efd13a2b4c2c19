"""Execute items under the smoke profile and keep the notebooks in tests/reference/, without paths or times.

All items, or those named as arguments.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat

from dynode.experiments.validation import COMPARED

REFERENCE = Path(__file__).with_name("reference")


def clean(notebook) -> None:
    """Keep sources and the outputs that are compared; drop everything else a run leaves."""
    kept = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    notebook.metadata.clear()
    notebook.metadata.update(kept)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata.clear()
        if tags:
            cell.metadata["tags"] = tags
        if cell.cell_type == "code":
            cell.execution_count = 1 if COMPARED in tags else None  # nbval refuses outputs of a cell never run
            cell.outputs = cell.outputs if COMPARED in tags else []
            for output in cell.outputs:
                output.pop("execution_count", None)


def main() -> None:
    from dynode.experiments import items, runner

    REFERENCE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["DYNODE_OUTPUT"] = scratch
        for name in sys.argv[1:] or items.items():
            notebook = nbformat.read(runner.run(name, "smoke"), as_version=4)
            clean(notebook)
            nbformat.write(notebook, REFERENCE / f"{name}.smoke.ipynb")


if __name__ == "__main__":
    main()
