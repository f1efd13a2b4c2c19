"""Commands that are stopped by signals, and what is left of them."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import torch

from dynode.io.tensor_files import read_safetensors
from dynode.runtime import ROOT

PATIENCE = 240  # seconds for one sign of progress; only a hung process takes so long
ENDING = 15  # seconds for everything to end
MARK = "DYNODE_TEST_MARK"  # a variable that all processes of one command inherit
CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129, "SIGKILL": -9}

# As a shell starts a command: with the default answers to signals.  Where NODE is set, on a machine of that name.
SHELL = """
import os, platform, signal, socket, sys
for name in ("SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
if "NODE" in os.environ:
    platform.node = socket.gethostname = lambda: os.environ["NODE"]
sys.path.insert(0, {root!r})
from dynode.__main__ import main
sys.argv[0] = "dynode"
main()
"""


class Command:
    """`dynode ARGUMENTS` in a working folder, to its end or to a signal; its temporary files go to `folder`.tmp."""

    def __init__(self, folder: Path, arguments: list[str], seed: int, root: Path = ROOT, **variables: str):
        self.folder, self.mark, self.draws = folder, uuid.uuid4().hex, random.Random(seed)
        self.command = [sys.executable, "-c", SHELL.format(root=str(root)), *arguments]
        self.temporary = folder.with_suffix(".tmp")
        self.temporary.mkdir(exist_ok=True)
        self.variables = {
            "DYNODE_OUTPUT": str(folder),
            "DYNODE_CHECKPOINT_SECONDS": "0.1",
            "TMPDIR": str(self.temporary),
            MARK: self.mark,
            **variables,
        }

    def start(self, **variables: str) -> subprocess.Popen:
        self.before = hidden(self.folder)  # what a killed run has left
        with open(self.folder.with_suffix(".log"), "w") as log:
            environment = os.environ | self.variables | variables
            return subprocess.Popen(self.command, cwd=self.folder, env=environment, stdout=log, stderr=log)

    def log(self) -> str:
        return self.folder.with_suffix(".log").read_text()[-3000:]

    def stop_after(self, progressed: Callable[[], bool], delay: float, name: str = "SIGKILL") -> None:
        """A signal within `delay` seconds of when `progressed()` becomes true; the process must not have ended."""
        process = self.start()
        assert self.reaches(process, progressed), f"ended before it could be stopped:\n{self.log()}"
        time.sleep(self.draws.uniform(0, delay))
        assert self.stop(process, name) != 0, f"ended before it could be stopped:\n{self.log()}"

    def reaches(self, process: subprocess.Popen, progressed: Callable[[], bool]) -> bool:
        """Wait for a sign of progress; False where the process ended, as it should, without one."""
        deadline = time.monotonic() + PATIENCE
        while not progressed():
            if process.poll() is not None:
                assert process.returncode == 0, self.log()
                return False
            assert time.monotonic() < deadline, f"no progress:\n{self.log()}"
            time.sleep(0.02)
        return True

    def has_begun(self) -> bool:
        """Whether anything was printed: the command is at work, and listens for signals."""
        return self.log() != ""

    def stop_at_random(self, names: list[str], span: float, prepare: Callable[[Path], None]) -> None:
        """Signals, one a run, each within `span` seconds of the first sign of work.

        Where a run ends before its signal, as one does that goes on from much, the folder is emptied and prepared, and all
        begins anew.
        """
        for _ in range(5 * len(names)):
            process, delay = self.start(), self.draws.uniform(0, span)
            if self.reaches(process, self.has_begun) and not ends_within(process, delay):
                if self.stop(process, names[0]) and not (names := names[1:]):
                    return
            else:
                assert process.returncode == 0, self.log()
                shutil.rmtree(self.folder)
                self.folder.mkdir()
                prepare(self.folder)
        raise AssertionError(f"{', '.join(names)} came too late every time")

    def stop(self, process: subprocess.Popen, name: str) -> int:
        """Signal a process; its code, after all that belongs to it has ended.  What it leaves is checked."""
        process.send_signal(getattr(signal, name))
        code = process.wait(ENDING)
        deadline = time.monotonic() + ENDING
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == [], f"processes go on:\n{self.log()}"
        assert code in (0, CODES[name]), self.log()
        if code == CODES[name] and name != "SIGKILL":
            assert "Traceback" not in self.log() and self.log().splitlines()[-1].startswith("dynode: "), self.log()
            assert hidden(self.folder) <= self.before, f"temporary files are left:\n{self.log()}"
        return code

    def processes(self) -> list[str]:
        """The processes of this command that run."""
        return [" ".join(each.cmdline())[-200:] for each in psutil.process_iter() if self.is_ours(each)]

    def is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def finish(self, **variables: str) -> float:
        """Run to the end, after which nothing temporary is left; seconds from the first sign of work."""
        process = self.start(**variables)
        self.reaches(process, self.has_begun)
        since = time.monotonic()
        assert process.wait(2 * PATIENCE) == 0, self.log()
        seconds = time.monotonic() - since
        assert self.processes() == []
        left = [
            path.name for path in self.temporary.iterdir() if not path.name.startswith("torchinductor")
        ]  # a cache of torch's
        assert hidden(self.folder) == set() and left == []
        return seconds


def ends_within(process: subprocess.Popen, seconds: float) -> bool:
    try:
        return process.wait(seconds) is not None
    except subprocess.TimeoutExpired:
        return False


ENGINE = (".snakemake", "reports/engine")  # what `dynode reproduce` keeps of its runs, which differ


def within(folder: Path, pattern: str) -> dict[str, Path]:
    """Everything below a folder but what the engine keeps."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob(pattern)}
    return {name: path for name, path in found.items() if not name.startswith(ENGINE)}


def hidden(folder: Path) -> set[str]:
    """Files and folders whose names begin with a dot: temporary ones."""
    return set(within(folder, ".*"))


def files(folder: Path) -> set[str]:
    return {name for name, path in within(folder, "*").items() if path.is_file() or path.name.startswith(".")}


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


def assert_equal_items(whole: Path, killed: Path) -> None:
    """Fits, tables and records of items are equal but for seconds, and so are the names of all files."""
    fits = sorted(whole.glob("reports/fits/*/*.safetensors"))
    assert fits and all(equal_tensors(path, killed / path.relative_to(whole)) for path in fits)
    for path in whole.glob("reports/tables/*"):
        assert path.read_bytes() == (killed / path.relative_to(whole)).read_bytes()
    records = sorted(whole.glob("reports/records/*.json"))
    for record in records:
        assert rows(record) == rows(killed / record.relative_to(whole)) != []
    assert records and files(whole) == files(killed)


def rows(record: Path) -> list[dict]:
    return [row for row in json.loads(record.read_text())["rows"] if row["metric"] != "seconds"]
