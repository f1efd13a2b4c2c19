"""Signals at arbitrary moments, ten times: the same command goes on, ends with the same bits and leaves nothing behind.

Every moment is drawn by a seeded generator, but counted from a sign of progress (a file written), not from the start of
the process: so the signal hits the work on slow machines as on fast ones.
"""

import json
from pathlib import Path

import pytest
import torch
from conftest import circle_codes
from killing import Command, assert_equal_items, equal_tensors, files, format_of, stamps

from dynode import cli
from dynode.clips import Clip
from dynode.dynamics import fit_files
from dynode.inversion import partial_results
from dynode.io.tensor_files import read_safetensors

pytestmark = pytest.mark.long


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """Runs a command without a stop, in this process (torch is imported already); returns the folder it wrote to."""
    folder = tmp_path / "whole"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))

    def run(arguments: list[str]) -> Path:
        with monkeypatch.context() as patched:
            patched.chdir(folder)
            patched.setenv("DYNODE_OUTPUT", str(folder))
            assert cli.main(arguments) == 0
        return folder

    return run


@pytest.fixture
def killed(tmp_path):
    """The folder of the run that is killed."""
    (tmp_path / "killed").mkdir()
    return tmp_path / "killed"


def test_a_fit_stopped_four_times_ends_as_if_it_had_not_been_also_on_another_machine(whole, killed, tmp_path):
    ts = torch.linspace(0, 0.5, 12, dtype=torch.float64)
    shots = (torch.arange(12) >= 6).long()
    Clip(circle_codes(ts), ts, shots=shots, meta={"name": "circle"}).save(tmp_path / "circle.safetensors")
    arguments = ["fit", str(tmp_path / "circle.safetensors"), "-o", "circle.fit", "--preset", "robust"]
    arguments += ["--device", "cpu"]
    for change in ("iterations=200", "check_every=5", "tolerance=0"):
        arguments += ["-p", f"training.{change}"]
    arguments += ["-p", "solver.solver=rk4", "-p", "solver.step=0.5", "-p", "field.hidden=64"]
    whole = whole(arguments)
    command, reached = Command(killed, arguments, seed=0), [0, 0]
    goals = ((30, 0), (100, 0), (0, 30), (0, 100))  # iterations in the checkpoints of the two shots
    for goal, name in zip(goals, ("SIGKILL", "SIGTERM", "SIGTERM", "SIGKILL"), strict=True):
        command.stop_after(lambda goal=goal: all(map(int.__ge__, iterations(killed), goal)), 0.1, name)
        now = iterations(killed)
        assert now >= reached and not (killed / "circle.fit").exists()
        assert name == "SIGKILL" or "the fit so far is kept in circle.fit.0.checkpoint" in command.log()
        reached = now
    command.finish(NODE="elsewhere")
    assert equal_tensors(whole / "circle.fit", killed / "circle.fit")
    for one, other in zip(*(fit_files.load(f / "circle.fit").shots for f in (whole, killed)), strict=True):
        assert one.log | {"seconds": 0} == other.log | {"seconds": 0} and one.meta == other.meta
    assert files(whole) == files(killed) == {"circle.fit"}


def iterations(folder: Path) -> list[int]:
    """How far the checkpoint of each shot is."""
    found = []
    for k in (0, 1):
        path = folder / f"circle.fit.{k}.checkpoint"
        known = read_safetensors(path, format_of(path), "a checkpoint")[1] if path.exists() else {"numbers": "{}"}
        found.append(json.loads(known["numbers"]).get("iteration", 0))
    return found


def test_an_inversion_stopped_three_times_keeps_every_finished_frame(whole, killed):
    arguments = ["invert", "single-face-video", "--frames", "3", "--device", "cpu"]
    arguments += ["-p", "first_steps=2", "-p", "steps=3"]  # a frame takes longer than a signal
    whole = whole(arguments)
    command, finished = Command(killed, arguments, seed=1), {}
    left = killed / "single-face-video.safetensors.partial"
    for frames, delay, name in ((0, 0.5, "SIGTERM"), (1, 0.5, "SIGKILL"), (2, 0.2, "SIGINT")):
        begun = command.has_begun if frames == 0 else lambda: True  # a frame in its file says so too
        command.stop_after(lambda n=frames, begun=begun: len(batches(left)) >= n and begun(), delay, name)
        now = stamps(batches(left))
        assert len(now) >= frames and not (killed / "single-face-video.safetensors").exists()
        assert {path: now[path] for path in finished} == finished
        finished = now
    command.finish()
    assert equal_tensors(whole / "single-face-video.safetensors", killed / "single-face-video.safetensors")
    one, other = (Clip.load(f / "single-face-video.safetensors").meta for f in (whole, killed))
    assert one | {"provenance": 0} == other | {"provenance": 0}
    assert files(whole) == files(killed) == {"single-face-video.safetensors"}


def batches(folder: Path) -> list[Path]:
    """The finished batch files of an inversion, each of them whole."""
    found = sorted(folder.glob("[0-9]*.safetensors"))
    for path in found:
        read_safetensors(path, partial_results.FORMAT, "a partial inversion")
    return found


def test_a_notebook_stopped_three_times_keeps_every_finished_fit(whole, killed):
    arguments = ["run", "dynamics_face", "--profile", "smoke"]
    # Two fits of four frames, under a stride for which experiments.yaml expects no values.
    for change in ("frames=4", "strides=2", "samplings=regular", "seeds=0,1", "columns=2", "device=cpu"):
        arguments += ["-p", change]
    whole = whole(arguments)
    command, finished = Command(killed, arguments, seed=2), {}
    for fits, delay, name in ((0, 3.0, "SIGKILL"), (1, 0.5, "SIGTERM"), (2, 1.0, "SIGKILL")):
        command.stop_after(lambda fits=fits: len(fits_in(killed)) >= fits and "Executing" in command.log(), delay, name)
        now = stamps(fits_in(killed))
        assert {path: now[path] for path in finished} == finished
        finished = now
    command.finish()
    now = stamps(fits_in(killed))
    assert len(finished) == 2 and {path: now[path] for path in finished} == finished
    assert_equal_items(whole, killed)


def fits_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("reports/fits/*/*.safetensors"))
