"""Commands at the same time: each sees that the other runs, their texts are not mixed, the worst code counts."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from dynode.runtime import ROOT

PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8", "process_group": 0}
MEETS = """
import pathlib, sys, time
mine, other, code = sys.argv[1:]
pathlib.Path(mine).touch()
deadline = time.monotonic() + 60
while not pathlib.Path(other).exists() and time.monotonic() < deadline:
    time.sleep(0.01)
print(mine, pathlib.Path(other).exists())
sys.exit(int(code))
"""


def command(tmp_path, mine: str, other: str, code: int) -> list:
    return [sys.executable, "-c", MEETS, str(tmp_path / mine), str(tmp_path / other), str(code)]


def heed() -> None:
    """A background job of a shell ignores interruptions, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*each: list) -> subprocess.Popen:
    run = [sys.executable, "-m", "dynode.bootstrap.side_by_side", json.dumps([(one, {}) for one in each])]
    return subprocess.Popen(run, cwd=ROOT, **PIPES, preexec_fn=heed)


@pytest.mark.parametrize("codes", [(0, 0), (0, 3), (2, 1)])
def test_both_run_at_the_same_time_and_the_worst_code_counts(tmp_path, codes):
    run = start(command(tmp_path, "a", "b", codes[0]), command(tmp_path, "b", "a", codes[1]))
    out, err = run.communicate(timeout=90)
    assert run.returncode == max(codes) and err == ""
    assert out.split() == [str(tmp_path / "a"), "True", str(tmp_path / "b"), "True"]


@pytest.mark.skipif(os.name != "posix", reason="groups of processes are of POSIX")
def test_an_interruption_ends_all_of_them(tmp_path):
    waits = [sys.executable, "-c", "import sys, time; open(sys.argv[1], 'w'); time.sleep(60)"]
    run = start([*waits, str(tmp_path / "a")], [*waits, str(tmp_path / "b")])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(20) == 130
