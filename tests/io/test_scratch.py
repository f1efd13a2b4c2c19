"""Temporary folders: those of live processes stay, those of dead ones go, wherever their process ran."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from dynode.io import files, scratch

HOLDING = """
import sys, time
from pathlib import Path
from dynode.io import scratch

with scratch.folder(Path(sys.argv[1]), "out.fit"):
    print("holds", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds a temporary folder in tmp_path."""
    process = subprocess.Popen([sys.executable, "-c", HOLDING, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "holds\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_folder_of_a_live_process_stays_and_that_of_a_dead_one_goes(holder, tmp_path):
    (held,) = tmp_path.iterdir()
    scratch.sweep(tmp_path)
    assert held.is_dir()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    scratch.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_who_wrote_on_which_machine_does_not_matter(holder, tmp_path, monkeypatch):
    """In a container or on another node the process has another number and the machine another name."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    monkeypatch.setattr("platform.node", lambda: "another-node")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with scratch.folder(tmp_path, "other.fit") as mine:
        assert [mine] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("quiet", "goes"), [(0, False), (2 * 3600, True)])
def test_on_a_network_the_folder_of_another_machine_must_be_quiet(quiet, goes, holder, tmp_path, monkeypatch):
    """Its locks may hold for one machine alone: nothing shows that the process elsewhere is dead."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    (left,) = tmp_path.iterdir()
    for path in (*left.iterdir(), left):
        os.utime(path, (time.time() - quiet,) * 2)
    monkeypatch.setattr(scratch, "is_on_a_network", lambda folder: True)
    with monkeypatch.context() as patched:
        patched.setattr("platform.node", lambda: "another-node")
        scratch.sweep(tmp_path)
        assert left.is_dir() != goes
    scratch.sweep(tmp_path)
    assert not left.exists()


def test_this_folder_is_on_a_disk_or_on_a_network(tmp_path, monkeypatch):
    assert scratch.is_on_a_network(tmp_path) in (True, False)
    device = os.stat(tmp_path).st_dev
    line = f"1 2 {os.major(device)}:{os.minor(device)} / /home rw - nfs4 server:/home rw"
    monkeypatch.setattr(scratch.Path, "read_text", lambda *_, **__: line)
    assert scratch.is_on_a_network(tmp_path)


def test_a_folder_in_use_is_not_cleared_up(tmp_path):
    with scratch.folder(tmp_path, "out") as mine:
        scratch.sweep(tmp_path)
        assert mine.is_dir()
        with scratch.folder(tmp_path, "out") as other:
            scratch.sweep(tmp_path)
            assert mine.is_dir() and other.is_dir() and mine != other
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_stays(tmp_path):
    for name in (".git", ".out.part", ".out.host.1.abcdefgh", "plain"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, 0))
    scratch.sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(("age", "goes"), [(0, False), (23 * 3600, False), (25 * 3600, True)])
def test_without_locks_a_folder_goes_after_a_day_without_change(age, goes, tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    left = tmp_path / f".out.12345678{scratch.SUFFIX}"
    left.mkdir()
    for path in (left / "part", left / scratch.LOCK, left):
        path.exists() or path.touch()
        os.utime(path, (time.time() - age,) * 2)
    with scratch.folder(tmp_path, "out") as mine:
        scratch.sweep(tmp_path)
        assert mine.is_dir() and left.is_dir() != goes


def test_a_folder_whose_process_has_no_lock_yet_stays(tmp_path):
    new = tmp_path / f".out.12345678{scratch.SUFFIX}"
    new.mkdir()
    scratch.sweep(tmp_path)
    assert new.is_dir()


def test_a_long_name_has_a_short_folder(tmp_path):
    with scratch.folder(tmp_path, "あ" * 76 + ".safetensors") as mine:
        assert len(os.fsencode(mine.name)) < 143


def test_a_folder_that_is_gone_before_its_end_is_no_error(tmp_path):
    (tmp_path / "out").mkdir()
    with scratch.folder(tmp_path / "out", "file") as mine:
        (mine / "part").touch()
        scratch.shutil.rmtree(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_next_output_in_a_folder_clears_up(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    files.write(tmp_path / "another.fit", lambda part: part.write_text("new"))
    assert [path.name for path in tmp_path.iterdir()] == ["another.fit"]
