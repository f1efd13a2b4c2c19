"""The commands that work before anything is installed: what is typed, what is started, with which variables."""

import json
import os
import subprocess
import sys

import pytest

from dynode import bootstrap
from dynode.bootstrap import commands, environment, installing
from dynode.errors import UserError
from dynode.runtime import ROOT


def test_they_run_without_any_installed_package():
    code = "import sys; sys.path.insert(0, '.'); from dynode import bootstrap; bootstrap.main(['setup', '--help'])"
    bare = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert bare.returncode == 0 and "reproduce" in bare.stdout


def test_extra_arguments_are_refused(capsys):
    assert bootstrap.main(["setup", "now"]) == 2
    assert "takes no further arguments" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["setup", "reproduce", "test", "test-all"])
def test_help_starts_nothing(command, monkeypatch, capsys):
    monkeypatch.setattr(environment, "setup", lambda: pytest.fail("installs"))
    assert bootstrap.main([command, "--help"]) == 0
    assert capsys.readouterr().out == f"{commands.USAGE}\n"


@pytest.fixture
def started(monkeypatch):
    """Commands that would be started, with their variables; none is."""
    calls = []
    monkeypatch.setenv("DYNODE_ENV", "current")
    monkeypatch.setattr(commands, "call", lambda command, variables: calls.append((command, variables)) or 0)
    return calls


def test_long_tests_are_run_by_test_all_only_and_notebooks_and_commands_beside_them(started):
    assert bootstrap.main(["test"]) == bootstrap.main(["test-all"]) == 0
    (short, _), (left, left_in), (whole, _), (left_again, _) = started
    (tests, tests_in), (notebooks, notebooks_in), (command_tests, _) = json.loads(short[-1])
    (all_tests, _), (same_notebooks, _), (all_of_commands, _) = json.loads(whole[-1])
    assert tests == [*all_tests, "-m", "not long"]
    assert command_tests == [*all_of_commands, "-m", "not long"] and all_of_commands[-2:] == [
        "tests/engine",
        "tests/cli",
    ]
    assert {"tests", "--ignore=tests/engine", "--ignore=tests/cli"} <= {*all_tests}
    assert notebooks == same_notebooks and {"--nbval-lax", "tests/reference", "notebooks/teach"} <= {*notebooks}
    assert left == left_again and left[-1] == "tests/engine/outputs_of_smoke_runs.py"
    assert left_in["DYNODE_OUTPUT"] == notebooks_in["DYNODE_OUTPUT"] != tests_in["DYNODE_OUTPUT"]


def test_reproduce_is_the_command_of_that_name_in_the_environment_with_the_options_given(started):
    assert bootstrap.main(["reproduce", "fig2", "--profile", "smoke"]) == 0
    ((command, variables),) = started
    assert command[3:] == ["reproduce", "fig2", "--profile", "smoke"] and variables["DYNODE_READY"] == "1"


def test_the_command_in_the_environment_installs_nothing():
    """It is answered by the command line: an item that is not there is named."""
    command = [sys.executable, "-m", "dynode", "reproduce", "nothing"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"DYNODE_READY": "1"}, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 2 and done.stderr.startswith("dynode: There is no item 'nothing'")


def test_variables_that_lead_elsewhere_reach_only_an_environment_of_the_users_own(monkeypatch):
    strange = {"PYTHONPATH": "/modules/python3.8", "PYTHONHOME": "/usr", "PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "1"}
    for name, value in strange.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DYNODE_ENV", raising=False)
    assert not installing.FOREIGN & set(environment.variables()) and environment.variables()["PYTHONHASHSEED"] == "1"
    monkeypatch.setenv("DYNODE_ENV", "current")
    assert strange.items() <= environment.variables().items()


@pytest.mark.parametrize(
    "error, code, message",
    [
        (UserError("No."), 2, "dynode: No.\n"),
        (PermissionError(13, "Permission denied", "lock"), 2, "could not be read or written: Permission denied (lock)"),
        (FileNotFoundError("No usable temporary directory"), 2, "No usable temporary directory"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_stops_a_command_is_one_sentence(error, code, message, monkeypatch, capsys):
    def fail():
        raise error

    monkeypatch.setattr(environment, "setup", fail)
    assert bootstrap.main(["setup"]) == code
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


@pytest.mark.parametrize("command", ["setup", "reproduce", "test", "test-all"])
def test_outside_of_a_checkout_it_is_a_sentence(command, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(environment, "LOCK", tmp_path / "lock" / "requirements.txt")
    assert bootstrap.main([command]) == 2
    err = capsys.readouterr().err
    assert "works in a checkout of the repository" in err and err.count("\n") == 1


def test_reference_notebooks_are_run_by_the_environment_that_was_made(tmp_path, monkeypatch):
    """Not by a kernel python3 that another tool has left."""
    from jupyter_client.kernelspec import KernelSpecManager

    for name, value in commands.own_kernel("/made/bin/python", tmp_path).items():
        monkeypatch.setenv(name, value)
    assert KernelSpecManager().get_kernel_spec("python3").argv[0] == "/made/bin/python"


def test_the_variables_of_that_kernel_reach_both_kinds_of_tests(started):
    assert bootstrap.main(["test"]) == 0
    assert [{"JUPYTER_PATH", "IPYTHONDIR"} <= set(variables) for _, variables in started] == [True] * 2
