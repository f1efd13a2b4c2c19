"""The hash of the code that notebooks reach: what does not count, and what does, in exactly the items that hold it."""

import json
import random
import shutil
import subprocess
import sys

import grimp
import pytest

from dynode.experiments import items
from dynode.experiments.engine import sources
from dynode.io import source_code
from dynode.runtime import ROOT

NOTEBOOKS = sorted({each.notebook for each in items.items().values()})
HASHES = """
import json, sys
from dynode.experiments.engine import sources
print(json.dumps({name: sources.code_of(name) for name in sys.argv[1:]}))
"""


def closures() -> dict[str, set[str]]:
    return {name: set(source_code.closure(source=sources.cells_of(name))) for name in NOTEBOOKS}


def test_closures_differ_and_hold_what_the_imports_of_their_modules_reach():
    """What grimp's graph, which does not look into lazy faces, has of the imports of a closure's modules is in the closure."""
    graph = grimp.build_graph("dynode", cache_dir=None)
    for name, closure in closures().items():
        closure = {module.replace("..", ".").rstrip(".") for module in closure}  # of a name that is made of parts
        direct = {found for module in closure for found in graph.find_modules_directly_imported_by(module)}
        assert direct <= closure, name
    sizes = [len(closure) for closure in closures().values()]
    assert min(sizes) > 30 and max(sizes) > 1.5 * min(sizes)


@pytest.fixture
def copy(tmp_path):
    """Hashes of two toy notebooks by a copy of the package, whose modules can be changed."""
    wanted = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(ROOT / "dynode", tmp_path / "dynode", ignore=wanted)
    (tmp_path / "notebooks").mkdir()
    for name, source in {
        "a": "from dynode.metrics.pixels import mse",
        "b": "from dynode.metrics import METRICS",
    }.items():
        cell = {"cell_type": "code", "source": [source], "metadata": {}}
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(json.dumps({"cells": [cell]}))

    def hashes(*names: str) -> dict[str, str]:
        command = [sys.executable, "-P", "-c", HASHES, *(names or ("notebooks/a.ipynb", "notebooks/b.ipynb"))]
        own = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "DYNODE_OUTPUT": str(tmp_path / "out")}
        return json.loads(subprocess.run(command, env=own, check=True, capture_output=True).stdout)

    hashes.folder = tmp_path
    return hashes


def test_a_comment_a_docstring_and_a_moved_import_do_not_count_but_a_statement_does(copy):
    before, path = copy(), copy.folder / "dynode" / "metrics" / "pixels.py"
    text = path.read_text()
    path.write_text(text.replace('"""', '"""Other words. ', 1) + "\n\n# a comment\nimport os\n")
    assert copy() == before
    path.write_text(text + "\n\nAN_EIGHTH = 0.125\n")
    after = copy()
    assert after["notebooks/a.ipynb"] != before["notebooks/a.ipynb"]
    assert after["notebooks/b.ipynb"] != before["notebooks/b.ipynb"], (
        "by way of the registry, which imports all metrics"
    )


def test_hashes_are_kept_until_a_source_file_changes(copy):
    copy()
    table = copy.folder / "out" / "reports" / "engine" / "sources.json"
    kept = json.loads(table.read_text())
    table.write_text(json.dumps(dict.fromkeys(kept, "kept")))
    assert set(copy().values()) == {"kept"}
    path = copy.folder / "dynode" / "lazy.py"
    path.write_text(path.read_text() + "\nCHANGED = 1\n")
    assert "kept" not in copy().values()


def test_what_judges_records_and_runs_notebooks_does_not_count(copy):
    notebook = f"notebooks/{(ROOT / NOTEBOOKS[0]).name}"
    shutil.copyfile(ROOT / notebook, copy.folder / notebook)
    before, held = copy(notebook), closures()[notebook]
    changed = [module for module in sorted(held) if module.startswith(sources.WITHOUT) and source_code.path_of(module)]
    assert {"dynode.experiments.claims.judging", "dynode.experiments.engine.sources"} <= {*changed}
    for module in changed:
        path = copy.folder / source_code.path_of(module).relative_to(ROOT)
        path.write_text(f"{path.read_text()}\nA_CHANGE_OF_THE_TEST = 1\n")
    assert copy(notebook) == before


@pytest.mark.long
def test_a_statement_in_a_module_reruns_exactly_the_notebooks_whose_closure_holds_it(copy):
    for name in NOTEBOOKS:
        shutil.copyfile(ROOT / name, copy.folder / name)
    held, before = closures(), copy(*NOTEBOOKS)
    modules = sorted(set().union(*held.values()) & {name for name in held[NOTEBOOKS[6]] if source_code.path_of(name)})
    for module in random.Random(20).sample(modules, 20):
        path = copy.folder / source_code.path_of(module).relative_to(ROOT)
        text = path.read_text()
        path.write_text(f"{text}\n# a comment\nA_CHANGE_OF_THE_TEST = 1\n")
        after = copy(*NOTEBOOKS)
        path.write_text(text)
        assert {name for name in NOTEBOOKS if after[name] != before[name]} == {
            n for n in NOTEBOOKS if module in held[n] and not module.startswith(sources.WITHOUT)
        }, module


def test_codes_that_parameters_name_are_hashed():
    one, other = sources.codes_of({"clips": ["scene.day"]}), sources.codes_of({"pairs": [["scene.day", "bird.flight"]]})
    assert one and other and one != other and sources.codes_of({"seeds": [0]}) == ""
