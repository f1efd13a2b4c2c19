"""Commands typed in a folder that is not there any more, and where no temporary file can be written."""

import os
import tempfile

import pytest

from dynode import cli
from dynode.cli import dispatch


@pytest.fixture
def deleted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deleted").mkdir()
    monkeypatch.chdir(tmp_path / "deleted")
    try:
        os.rmdir(tmp_path / "deleted")
    except OSError:
        pytest.skip("This system keeps a folder that is in use.")


@pytest.mark.parametrize("arguments", [["fit", "scene.day"], ["list"], ["run", "worlds"]], ids=" ".join)
@pytest.mark.parametrize("output", ["", "out"])
def test_it_is_said_in_a_sentence(deleted, monkeypatch, capsys, arguments, output):
    monkeypatch.setenv("DYNODE_OUTPUT", output)
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err.startswith("dynode: The working folder was deleted: change to another one")


def test_help_is_printed_all_the_same(deleted, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["fit", "--help"])
    assert end.value.code == 0 and "usage: dynode fit" in capsys.readouterr().out


def test_no_folder_for_temporary_files_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [])
    monkeypatch.setattr(dispatch, "start", lambda _: tempfile.gettempdir())
    assert cli.main(["list"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("dynode: No usable temporary directory found") and said.endswith("in TMPDIR.\n")
