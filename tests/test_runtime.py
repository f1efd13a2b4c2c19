"""Devices that do not compute, the commit of this checkout and of no other, memory of other processes."""

import errno
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dynode import __version__, runtime
from dynode.errors import Remark, UserError


def test_peak_memory_is_that_of_the_command_alone():
    ours = np.ones(3 * 2**26)  # 1.5 GiB, more than any small command takes
    assert 2**24 < runtime.peak_memory("list") < ours.nbytes / 2


def test_peak_memory_of_a_command_that_fails_is_no_number():
    with pytest.raises(RuntimeError, match="no-such-clip"):
        runtime.peak_memory("diagnose", "no-such-clip")


FAULTS = {
    "CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors might be ...": "no kernel image",
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver": "driver .* too old",
    "CUDA error: all CUDA-capable devices are busy or unavailable\nCompile with ...": "busy or unavailable",
    "CUDA out of memory. Tried to allocate 2.00 MiB. GPU 0 has ...": "CUDA out of memory",
}


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """GPUs that torch lists but cannot use: a list of what each raises, None for one that computes (by the CPU)."""
    faults: list[str | None] = []
    ones = torch.ones

    def first_use(*shape, device="cpu", **kwargs):
        index = torch.device(device).index or 0
        if torch.device(device).type == "cuda" and faults[index]:
            raise RuntimeError(faults[index])
        return ones(*shape, **kwargs)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(faults))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(faults))
    monkeypatch.setattr(torch, "ones", first_use)
    monkeypatch.setattr(runtime, "GPUS", {})
    monkeypatch.setattr(runtime.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    runtime.fault_of.cache_clear()
    yield faults
    runtime.fault_of.cache_clear()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda text: text[:40])
def test_a_gpu_that_cannot_be_used_is_left_for_the_cpu_or_refused_by_name(fault, gpus):
    gpus.append(fault)
    with pytest.warns(Remark, match=rf"^Computing on the CPU, since no GPU .*cuda: .*{FAULTS[fault]}[^\n]*\)\.$"):
        assert runtime.device() == torch.device("cpu")
    with pytest.raises(
        UserError, match=rf"device cuda cannot be used here \(.*{FAULTS[fault]}[^\n]*\): use cpu or auto"
    ):
        runtime.device("cuda")


def test_the_first_gpu_that_computes_is_taken_in_silence(gpus):
    gpus += ["busy", None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert runtime.device() == torch.device("cuda:1") == runtime.device("cuda:1")
    gpus[0] = None
    runtime.fault_of.cache_clear()
    assert runtime.device() == torch.device("cuda")


def test_without_a_gpu_the_cpu_is_taken_in_silence_and_hidden_ones_are_named(gpus, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert runtime.device() == torch.device("cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-x")
    with pytest.raises(UserError, match=r"no CUDA device here \(CUDA_VISIBLE_DEVICES is 'GPU-x'\): use cpu or auto"):
        runtime.device("cuda")


def test_what_the_driver_warns_of_while_devices_are_counted_is_not_shown(gpus, monkeypatch, recwarn):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: warnings.warn("CUDA initialization: ...", stacklevel=2))
    assert runtime.device() == torch.device("cpu") and not recwarn.list


@pytest.mark.parametrize("name", ["meta", "mps", "xpu"])
def test_devices_that_hold_no_numbers_or_are_not_here_are_refused(name):
    if name != "meta" and runtime.fault_of(name) == "":
        pytest.skip("there is one")
    with pytest.raises(UserError, match=rf"^The device {name} cannot be used here \([^\n]+\): use cpu or auto.$"):
        runtime.device(name)


SHORTAGES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of ..."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("std::bad_alloc"),
    ImportError("libtorch_python.so: failed to map segment from shared object"),
    MemoryError(),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
]


@pytest.mark.parametrize("error", SHORTAGES, ids=repr)
def test_a_shortage_of_memory_is_known(error):
    assert runtime.memory_shortage(error) and "\n" not in runtime.memory_shortage(error)


def test_a_real_shortage_is_known_and_other_errors_are_not():
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60)
    assert "allocate" in runtime.memory_shortage(refused.value)
    with pytest.raises(MemoryError) as refused:
        np.empty(2**50)
    assert "allocate" in runtime.memory_shortage(refused.value)
    assert runtime.memory_shortage(RuntimeError("a shape is wrong")) == ""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of our own with one commit, and git as it comes."""
    if not shutil.which("git"):
        pytest.skip("there is no git")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    root = tmp_path / "ours"
    (root / "dynode").mkdir(parents=True)
    (root / "dynode" / "runtime.py").write_text("", encoding="utf-8")
    commit_all(root)
    return look_at(root, monkeypatch)


def look_at(root: Path, monkeypatch) -> Path:
    monkeypatch.setattr(runtime, "ROOT", root)
    runtime.commit.cache_clear()
    return root


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    runtime.commit.cache_clear()


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "-c", "safe.directory=*"]
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout.strip()


def commit_all(root: Path) -> str:
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "one")
    return git(root, "rev-parse", "HEAD")


def test_the_commit_is_this_checkouts(checkout):
    assert runtime.commit() == git(checkout, "rev-parse", "HEAD")[:12]
    (checkout / "dynode" / "runtime.py").write_text("changed\n", encoding="utf-8")
    runtime.commit.cache_clear()
    assert runtime.commit() == git(checkout, "rev-parse", "HEAD")[:12] + "-dirty"


@pytest.mark.parametrize("around", ["archive", "empty .git", "installed", "unpacked into its top"])
def test_the_repository_of_somebody_else_is_not_ours(around, checkout, monkeypatch):
    outer = checkout.parent / "theirs"
    ours = {"installed": outer / "lib" / "site-packages", "unpacked into its top": outer}.get(
        around, outer / "dynode-0.1"
    )
    ours.mkdir(parents=True)
    (outer / "theirs.txt").write_text("", encoding="utf-8")
    theirs = commit_all(outer)
    if around == "empty .git":
        (ours / ".git").mkdir()
    (ours / "dynode").mkdir()
    (ours / "dynode" / "runtime.py").write_text("", encoding="utf-8")
    look_at(ours, monkeypatch)
    assert runtime.commit().startswith(f"{__version__} (") and theirs[:7] not in runtime.commit()


def test_what_a_hook_sets_does_not_lead_to_its_repository(checkout, monkeypatch):
    other = checkout.parent / "other"
    other.mkdir()
    commit_all(other)
    for name, value in {"GIT_DIR": ".git", "GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index"}.items():
        monkeypatch.setenv(name, str(other / value))
    runtime.commit.cache_clear()
    assert (
        runtime.commit()
        == subprocess.check_output(
            ["git", "--git-dir", checkout / ".git", "rev-parse", "--short=12", "HEAD"],
            env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            encoding="utf-8",
        ).strip()
    )


def test_a_worktree_and_a_shallow_clone_have_their_commits(checkout, monkeypatch):
    expected = git(checkout, "rev-parse", "HEAD")[:12]
    git(checkout, "worktree", "add", "-q", str(checkout.parent / "tree"))
    git(checkout, "clone", "-q", "--depth", "1", checkout.as_uri(), str(checkout.parent / "shallow"))
    for name in ("tree", "shallow"):
        look_at(checkout.parent / name, monkeypatch)
        assert runtime.commit() == expected


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_the_checkout_of_another_owner_has_its_commit(checkout, monkeypatch):
    monkeypatch.setenv("HOME", str(checkout.parent))  # no safe.directory of the person's own
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345)
    assert runtime.commit() == git(checkout, "rev-parse", "HEAD")[:12]


PROGRAMS = {
    "exit 1": "git failed",
    "echo 'fatal: bad object HEAD' >&2; exit 128": "fatal: bad object HEAD",
    "exit 0": "git says nothing",
    "sleep 30": "git did not answer",
}


@pytest.mark.skipif(os.name != "posix", reason="programs as shell scripts")
@pytest.mark.parametrize("does", PROGRAMS)
def test_a_git_that_does_not_work_is_said(does, checkout, monkeypatch, tmp_path):
    (tmp_path / "git").write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(runtime, "GIT_SECONDS", 0.5)
    assert runtime.commit() == f"{__version__} ({PROGRAMS[does]})"


def test_no_git_is_said(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runtime.commit() == f"{__version__} (git is not installed)"


@pytest.mark.parametrize(("value", "shown"), [("", True), ("0", True), ("1", False), ("true", False)])
def test_tqdms_variable_switches_progress_bars_off(value, shown, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", value)
    assert runtime.bars() is shown


# several GPUs, DYNODE_DEVICE, determinism

CHOOSES = """
import sys, torch
from dynode import runtime

runtime.tempfile.gettempdir = lambda: sys.argv[1]
runtime.cuda_devices, runtime.fault_of = lambda: 2, lambda name: ""
runtime.identity_of = lambda index: f"gpu{index}"
print(runtime.device(), runtime.device(), flush=True)
sys.stdin.read()
"""


def test_processes_take_one_gpu_each_until_they_end(tmp_path):
    def start():
        command = [sys.executable, "-c", CHOOSES, str(tmp_path)]
        return subprocess.Popen(command, cwd=runtime.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with start() as first:
        assert first.stdout.readline().split() == ["cuda", "cuda"]
        with start() as second:
            assert second.stdout.readline().split() == ["cuda:1", "cuda:1"]
            with start() as third:  # all are taken: they share
                assert third.stdout.readline().split() == ["cuda", "cuda"]
                first.kill()
                first.wait()
                third.stdin.close()
            with start() as fourth:  # the one of a killed process is free
                assert fourth.stdout.readline().split() == ["cuda", "cuda"]
                fourth.stdin.close()
            second.stdin.close()


def test_a_process_stays_with_its_gpu(gpus, monkeypatch):
    gpus += [None, None]
    monkeypatch.setattr(runtime, "identity_of", str)
    monkeypatch.setattr(runtime, "GPUS", {"0": None})  # another process had it
    assert runtime.device() == runtime.device() == torch.device("cuda:1") and runtime.GPUS["1"].is_locked


def test_gpus_are_shared_where_no_lock_can_be_made(gpus, monkeypatch, tmp_path):
    gpus += [None, None]
    (tmp_path / "file").touch()
    monkeypatch.setattr(runtime.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert runtime.device() == torch.device("cuda")


def test_a_gpu_has_one_name_for_processes_that_see_others(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-ab/1")

    def refuse(_):
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(torch.cuda, "get_device_properties", refuse)
    assert [runtime.identity_of(index) for index in range(3)] == ["3", "GPU-ab-1", "2"]
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid="ab-cd"))
    assert runtime.identity_of(0) == "ab-cd"


def test_what_auto_is_can_be_named(gpus, monkeypatch):
    gpus += [None, None]
    monkeypatch.setenv("DYNODE_DEVICE", "cpu")
    assert runtime.device() == torch.device("cpu") and runtime.device("cuda:1") == torch.device("cuda:1")
    monkeypatch.setenv("DYNODE_DEVICE", "gpu7")
    with pytest.raises(UserError, match="There is no device 'gpu7'"):
        runtime.device()


def test_apples_gpu_is_refused_where_it_computes_too(monkeypatch):
    monkeypatch.setattr(runtime, "fault_of", lambda name: "")
    with pytest.raises(
        UserError, match=r"^The device mps cannot be used here \(it has no float64 .*: use cpu or auto.$"
    ):
        runtime.device("mps")


def test_deterministic_modes_are_set_and_set_back(monkeypatch):
    monkeypatch.setenv("DYNODE_DETERMINISTIC", "")
    with runtime.deterministic():
        assert torch.are_deterministic_algorithms_enabled() and os.environ["CUBLAS_WORKSPACE_CONFIG"]
        assert runtime.provenance(torch.device("cpu"))["deterministic"] is True
    assert not torch.are_deterministic_algorithms_enabled() and not os.environ["DYNODE_DETERMINISTIC"]
    assert "deterministic" not in runtime.provenance(torch.device("cpu"))
    monkeypatch.setenv("DYNODE_DETERMINISTIC", "1")  # as a notebook's process has it
    runtime.device("cpu")
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
