"""`dynode validate`: a notebook that is executed again gives what it gave, in the cells that are compared."""

import json

import nbformat
import pytest
from tiny_notebooks import tiny_item

from dynode import cli
from dynode.experiments import runner, validation
from dynode.reporting import paths

WRITES = "from dynode.reporting import paths\n(paths.root() / 'written').write_text('again')\nprint(paths.root())"
READS = "import json\nprint(json.loads((paths.root() / 'reports/records/other.smoke.json').read_text()), frames)"


@pytest.fixture
def executed(monkeypatch, tmp_path):
    """An executed notebook whose first cells write a file and print where, and whose last one is compared: a record, a parameter."""
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path / "out"))
    tiny_item(monkeypatch, tmp_path / "item", WRITES, READS)
    record = tmp_path / "out" / "reports" / "records" / "other.smoke.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"rows": 3}))
    path = runner.run("tiny", "smoke", {"frames": 5})
    change(path, lambda cell: cell.metadata["tags"].append(validation.COMPARED))
    return path


def change(path, what) -> None:
    """Change the last cell of an executed notebook."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].metadata.setdefault("tags", [])
    what(notebook.cells[-1])
    nbformat.write(notebook, path)


def validate(*typed: str) -> int:
    return cli.main(["validate", *typed, "--profile", "smoke"])


def test_the_same_again_passes_and_overwrites_nothing(executed, capsys):
    (executed.parents[2] / "written").write_text("before")
    before = {path: path.read_bytes() for path in executed.parents[2].rglob("*") if path.is_file()}
    assert validate() == 0
    assert capsys.readouterr().out == "tiny: 4 cells executed again, outputs compared of 1: the same\n"
    assert {path: path.read_bytes() for path in executed.parents[2].rglob("*") if path.is_file()} == before


def test_another_output_is_shown_and_fails(executed, capsys):
    change(executed, lambda cell: cell.outputs[0].update(text="{'rows': 4} 5\n"))
    assert validate() == 1
    printed = capsys.readouterr()
    assert "{'rows': 3} 5" in printed.out and "{'rows': 4} 5" in printed.out and "\x1b" not in printed.out
    assert "tiny: 4 cells executed again, outputs compared of 1: differs" in printed.out
    assert printed.err == "dynode: 1 of 1 notebooks gave something else: tiny.\n"


@pytest.mark.long
def test_a_cell_that_fails_now_fails(executed, capsys):
    (paths.root() / "reports" / "records" / "other.smoke.json").unlink()
    assert validate() == 1
    assert "FileNotFoundError" in capsys.readouterr().out


def test_without_an_executed_notebook_a_sentence_has_the_command(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path / "out"))
    tiny_item(monkeypatch, tmp_path / "item")
    assert validate("tiny") == validate() == 2
    named, none = capsys.readouterr().err.splitlines()
    assert named == (
        "dynode: There is no executed notebook of tiny under the profile smoke: `dynode run tiny --profile smoke` makes it."
    )
    assert none.endswith("`dynode reproduce --profile smoke` makes them.")
