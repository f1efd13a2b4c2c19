"""--device and --deterministic: every command that computes has them."""

import importlib
import inspect
import os

import pytest
import torch

from dynode import cli, runtime
from dynode.cli import options_read
from dynode.cli.commands import COMMANDS
from dynode.cli.options import ClipName
from dynode.experiments import items, runner
from dynode.experiments.engine import machine

COMPUTE_NOTHING = {"list", "verify", "fetch", "doctor", "clip", "dataset", "editors", "teach"}


def function_of(name: str):
    module, function = COMMANDS[name].function.split(":")
    return getattr(importlib.import_module(f"dynode.cli.{module}"), function)


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    monkeypatch.delenv("DYNODE_DEVICE", raising=False)
    monkeypatch.setenv("DYNODE_DETERMINISTIC", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_computes_takes_a_device(name):
    options = options_read.options_of(function_of(name))
    assert ("--device" in options) == ("--deterministic" in options) == (name not in COMPUTE_NOTHING)
    assert name in COMPUTE_NOTHING or inspect.signature(function_of(name)).parameters["device"].default in (
        "auto",
        "cpu",
    )


@pytest.fixture
def fake(monkeypatch):
    """The command `fit` as a function that notes the mode under which it is called, and raises what is put here."""
    seen, errors = [], []

    def fit(clip: ClipName, *, device: str = "auto") -> None:
        seen.append((clip, device, torch.are_deterministic_algorithms_enabled()))
        if errors:
            raise errors[0]

    monkeypatch.setattr(importlib.import_module("dynode.cli.dynamics"), "fit", fit)
    return seen, errors


def test_a_command_is_deterministic_where_that_is_asked_for(fake):
    assert cli.main(["fit", "a", "--deterministic"]) == cli.main(["fit", "b"]) == 0
    assert fake[0] == [("a", "auto", True), ("b", "auto", False)]


def test_an_operation_that_cannot_be_deterministic_is_a_sentence(fake, capsys):
    text = "upsample_bilinear2d_backward_out_cuda does not have a deterministic implementation, but you set ..."
    fake[1].append(RuntimeError(text))
    assert cli.main(["fit", "a", "--deterministic"]) == 2
    assert "upsample_bilinear2d_backward_out_cuda has no deterministic form on this device" in capsys.readouterr().err
    fake[1][0] = RuntimeError("a shape is wrong")
    with pytest.raises(RuntimeError, match="a shape"):
        cli.main(["fit", "a", "--deterministic"])


@pytest.mark.parametrize("typed, nearest", [("--determinstic", "--deterministic"), ("--devise", "--device")])
def test_a_mistyped_option_is_answered_by_the_nearest(typed, nearest, capsys):
    assert cli.main(["fit", "a", typed]) == 2 and f"did you mean {nearest};" in capsys.readouterr().err


def test_run_hands_its_device_to_the_notebook(monkeypatch, capsys, tmp_path):
    seen = []
    monkeypatch.setattr(runner, "run", lambda *_: seen.append(os.environ.get("DYNODE_DEVICE")) or tmp_path)
    assert cli.main(["run", "worlds"]) == cli.main(["run", "worlds", "--device", "cpu"]) == 0
    assert seen == [None, "cpu"] and runtime.device() == torch.device("cpu")
    assert cli.main(["run", "worlds", "--device", "gpu"]) == 2
    assert "There is no device 'gpu'" in capsys.readouterr().err and len(seen) == 2


def test_a_notebook_with_a_parameter_for_it_takes_auto():
    for item in items.items().values():
        assert all(values.get("device", "auto") == "auto" for values in item.parameters.values())


@pytest.mark.parametrize("named, gpus, jobs", [("", 3, 3), ("auto", 1, 1), ("", 0, 2), ("cpu", 3, 2), ("cuda:1", 3, 1)])
def test_one_item_runs_on_each_gpu(named, gpus, jobs, monkeypatch, tmp_path):
    for k in range(gpus):
        (tmp_path / f"card{k}").mkdir()
    monkeypatch.setenv("DYNODE_DEVICE", named)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "CARDS", tmp_path)
    monkeypatch.setattr(machine, "cores", lambda: 2)
    assert machine.at_a_time(machine.gpus()) == jobs
