"""An old Python gets as far as the check of its version, and starts a newer one or says what to do."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dynode import __main__ as entry
from dynode.runtime import PACKAGE, ROOT

READ_BY_ANY = [PACKAGE / "__init__.py", PACKAGE / "__main__.py"]


def old_pythons() -> list[str]:
    """Pythons below 3.11 that start here, those of pyenv included."""
    names = [f"python{version}" for version in ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10")]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    programs = [*filter(None, map(shutil.which, names)), *map(str, root.glob("versions/*/bin/python"))]
    check = ["-c", "import sys; sys.exit(sys.version_info >= (3, 11))"]
    return [each for each in programs if subprocess.run([each, *check], capture_output=True).returncode == 0]


@pytest.mark.parametrize("path", READ_BY_ANY, ids=lambda path: path.name)
def test_what_comes_before_the_check_is_written_for_old_pythons(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    newer = (ast.JoinedStr, ast.NamedExpr, ast.AnnAssign, ast.AsyncFunctionDef, ast.Match)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    arguments = [node for node in ast.walk(tree) if isinstance(node, ast.arg)]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert not [each for each in arguments if each.annotation] and not [each for each in functions if each.returns]
    assert path.read_text(encoding="utf-8").isascii()


def newer(folder: Path, name: str, code: int = 0) -> None:
    """A program of that name that says what it was started with, or that fails as the launcher of an absent version does."""
    path = folder / name
    path.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit {code}\necho "{name} $*"\nexit 7\n', encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.skipif(not old_pythons(), reason="there is no old Python here")
def test_an_old_python_starts_a_newer_one_or_says_what_is_needed(tmp_path):
    variables = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for python in old_pythons():
        for each in tmp_path.iterdir():
            each.unlink()
        call = {"args": [python, "-m", "dynode", "setup"], "cwd": ROOT, "capture_output": True, "encoding": "utf-8"}
        alone = subprocess.run(env=variables, **call)
        assert alone.returncode == 2 and alone.stderr.count("\n") == 1 and "3.11 or newer is needed" in alone.stderr
        newer(tmp_path, "python3.11", code=127)
        newer(tmp_path, "python3.12")
        done = subprocess.run(env=variables, **call)
        assert (done.returncode, done.stdout) == (7, "python3.12 -m dynode setup\n")
        script = {"input": b"import dynode", "cwd": ROOT, "env": variables}
        imported = subprocess.run([python, "-"], capture_output=True, **script)
        assert b"ImportError: dynode needs Python 3.11 or newer" in imported.stderr


def test_the_search_for_a_newer_python(tmp_path, monkeypatch, capsys):
    started = []
    monkeypatch.setattr(os, "execvpe", lambda name, arguments, variables: started.append((name, arguments, variables)))
    monkeypatch.setattr(subprocess, "call", lambda command, **_: 0 if command[0] == "python3.12" else 1)
    monkeypatch.setenv("PYTHONHOME", "/old")
    monkeypatch.delenv("DYNODE_ENV", raising=False)
    entry.restarted(["test"])
    ((name, arguments, variables),) = started
    assert (name, arguments) == ("python3.12", ["python3.12", "-m", "dynode", "test"]) and "PYTHONHOME" not in variables
    capsys.readouterr()
    monkeypatch.setenv("DYNODE_ENV", "current")  # no other than this one
    assert entry.restarted(["test"]) == 2 and len(started) == 1
    assert sys.executable in capsys.readouterr().err
