"""SIGKILL at arbitrary moments, ten times: the same command goes on, ends with the same bits and leaves nothing behind.

Every moment is drawn by a seeded generator, but counted from a sign of progress (a file written), not from the start of
the process: so the kill hits the work on slow machines as on fast ones.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import circle_codes

from dynode import cli
from dynode.clips import Clip
from dynode.dynamics import fit_files
from dynode.inversion import partial_results
from dynode.io.tensor_files import read_safetensors

PATIENCE = 240  # seconds for one sign of progress; only a hung process takes so long


class Runner:
    """Starts `python -m dynode ARGUMENTS` in `folder`, to its end or to a SIGKILL."""

    def __init__(self, folder: Path, arguments: list[str], seed: int):
        self.folder, self.command = folder, [sys.executable, "-m", "dynode", *arguments]
        self.draws = random.Random(seed)

    def start(self) -> subprocess.Popen:
        with open(self.folder.with_suffix(".log"), "w") as log:
            environment = os.environ | {"DYNODE_OUTPUT": str(self.folder), "DYNODE_CHECKPOINT_SECONDS": "0.1"}
            return subprocess.Popen(self.command, cwd=self.folder, env=environment, stdout=log, stderr=log)

    def log(self) -> str:
        return self.folder.with_suffix(".log").read_text()[-3000:]

    def kill_after(self, progressed, delay: float) -> None:
        """SIGKILL within `delay` seconds of when `progressed()` becomes true; the process must not have ended."""
        process, deadline = self.start(), time.monotonic() + PATIENCE
        while not progressed():
            assert process.poll() is None, f"ended before it could be killed:\n{self.log()}"
            assert time.monotonic() < deadline, f"no progress:\n{self.log()}"
            time.sleep(0.02)
        time.sleep(self.draws.uniform(0, delay))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"ended before it could be killed:\n{self.log()}"

    def finish(self) -> None:
        assert self.start().wait(PATIENCE) == 0, self.log()


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


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.name.startswith(".")}


def stamps(paths) -> dict[Path, tuple[int, int]]:
    """What changes when a file is written again."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def equal_tensors(a: Path, b: Path) -> bool:
    one, other = (read_safetensors(path, format_of(path), "a file")[0] for path in (a, b))
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def format_of(path: Path) -> str:
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(size))["__metadata__"]["format"]


def test_a_fit_killed_four_times_ends_as_if_it_had_not_been(whole, killed, tmp_path):
    ts = torch.linspace(0, 0.5, 12, dtype=torch.float64)
    shots = (torch.arange(12) >= 6).long()
    Clip(circle_codes(ts), ts, shots=shots, meta={"name": "circle"}).save(tmp_path / "circle.safetensors")
    arguments = ["fit", str(tmp_path / "circle.safetensors"), "--preset", "robust", "--device", "cpu"]
    for change in ("iterations=200", "check_every=5", "tolerance=0"):
        arguments += ["-p", f"training.{change}"]
    arguments += ["-p", "solver.solver=rk4", "-p", "solver.step=0.5", "-p", "field.hidden=64"]
    whole = whole(arguments)
    runner, reached = Runner(killed, arguments, seed=0), [0, 0]
    for goal in ((30, 0), (100, 0), (0, 30), (0, 100)):  # iterations in the checkpoints of the two shots
        runner.kill_after(lambda goal=goal: all(map(int.__ge__, iterations(killed), goal)), delay=0.1)
        now = iterations(killed)
        assert now >= reached and not (killed / "circle.fit").exists()
        reached = now
    runner.finish()
    assert equal_tensors(whole / "circle.fit", killed / "circle.fit")
    for one, other in zip(*(fit_files.load(f / "circle.fit").shots for f in (whole, killed)), strict=True):
        assert one.log | {"seconds": 0} == other.log | {"seconds": 0} and one.meta == other.meta
    assert files(whole) == files(killed) == {"circle.fit"}


def iterations(folder: Path) -> list[int]:
    """How far the checkpoint of each shot is."""
    found = []
    for k in (0, 1):
        path = folder / f"circle.{k}.checkpoint"
        known = read_safetensors(path, format_of(path), "a checkpoint")[1] if path.exists() else {"numbers": "{}"}
        found.append(json.loads(known["numbers"]).get("iteration", 0))
    return found


def test_an_inversion_killed_three_times_keeps_every_finished_frame(whole, killed):
    arguments = [
        "invert",
        "single-face-video",
        "--frames",
        "3",
        "-p",
        "first_steps=2",
        "-p",
        "steps=1",
        "--device",
        "cpu",
    ]
    whole = whole(arguments)
    runner, left, finished = Runner(killed, arguments, seed=1), killed / "single-face-video.partial", {}
    for frames, delay in ((0, 3.0), (1, 0.5), (2, 0.2)):
        runner.kill_after(lambda frames=frames: len(batches(left)) >= frames and "find faces" in runner.log(), delay)
        now = stamps(batches(left))
        assert len(now) >= frames and not (killed / "single-face-video.safetensors").exists()
        assert {path: now[path] for path in finished} == finished
        finished = now
    runner.finish()
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


def test_a_notebook_killed_three_times_keeps_every_finished_fit(whole, killed):
    arguments = ["run", "dynamics_face", "--profile", "smoke"]
    # Two fits of four frames, under a stride for which experiments.yaml expects no values.
    for change in ("frames=4", "strides=2", "samplings=regular", "seeds=0,1", "columns=2", "device=cpu"):
        arguments += ["-p", change]
    whole = whole(arguments)
    runner, finished = Runner(killed, arguments, seed=2), {}
    for fits, delay in ((0, 3.0), (1, 0.5), (2, 1.0)):
        runner.kill_after(lambda fits=fits: len(fits_in(killed)) >= fits and "Executing" in runner.log(), delay)
        now = stamps(fits_in(killed))
        assert {path: now[path] for path in finished} == finished
        finished = now
    runner.finish()
    now = stamps(fits_in(killed))
    assert len(finished) == 2 and {path: now[path] for path in finished} == finished
    for path in fits_in(whole):
        assert equal_tensors(path, killed / path.relative_to(whole))
    for path in whole.glob("reports/tables/*"):
        assert path.read_bytes() == (killed / path.relative_to(whole)).read_bytes()
    (record,) = whole.glob("reports/records/*.json")
    one, other = (json.loads((f / record.relative_to(whole)).read_text()) for f in (whole, killed))
    one, other = ([row for row in each["rows"] if row["metric"] != "seconds"] for each in (one, other))
    assert one == other and one
    assert files(whole) == files(killed)


def fits_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("reports/fits/*/*.safetensors"))
