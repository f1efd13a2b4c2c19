"""The commands that work before anything is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from dynode import bootstrap
from dynode.runtime import ROOT


def test_it_runs_without_any_installed_package():
    code = "import sys; sys.path.insert(0, '.'); from dynode import bootstrap; print(bootstrap.USAGE)"
    bare = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert bare.returncode == 0 and "reproduce" in bare.stdout


def test_extra_arguments_are_refused(capsys):
    assert bootstrap.main(["setup", "now"]) == 2
    assert "takes no further arguments" in capsys.readouterr().err


def test_the_running_environment_can_be_used(monkeypatch):
    monkeypatch.setenv("DYNODE_ENV", "current")
    assert bootstrap.setup() == Path(sys.executable)


def test_an_old_python_is_told_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert bootstrap.main(["setup"]) == 2
    assert "3.11 or newer" in capsys.readouterr().err


def test_a_finished_environment_is_not_made_again(monkeypatch, tmp_path):
    monkeypatch.delenv("DYNODE_ENV", raising=False)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap, "run", lambda *_: pytest.fail("installed again"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / "dynode-lock.sha256").write_text(bootstrap.hashlib.sha256(bootstrap.LOCK.read_bytes()).hexdigest())
    assert bootstrap.setup() == tmp_path / "bin" / "python"


def test_a_failed_installation_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    with pytest.raises(bootstrap.SetupError, match="check the network"):
        bootstrap.run([sys.executable, "-c", "raise SystemExit(1)"], "It failed")


@pytest.mark.parametrize("command", ["setup", "reproduce", "test"])
def test_help_starts_nothing(command, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "setup", lambda: pytest.fail("installs"))
    assert bootstrap.main([command, "--help"]) == 0
    assert capsys.readouterr().out == f"{bootstrap.USAGE}\n"
