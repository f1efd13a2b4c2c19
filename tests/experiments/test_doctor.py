"""Every check of `dynode doctor` notices what it is for: a test breaks each thing."""

import http.server
import json
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import torch

from dynode import cli, runtime
from dynode.errors import UserError
from dynode.experiments import kernels
from dynode.experiments.doctor import environment, examination, left_behind, machine, printed, registry
from dynode.experiments.doctor.registry import CHECKS, Finding, examine
from dynode.experiments.engine import machine as cores_here
from dynode.io import assets, downloads, scratch, video


def finding(name: str) -> Finding:
    examination.chosen()
    return examine(name, CHECKS[name])


def state_of(name: str) -> tuple[str, str]:
    """The state of a check, and its text with its remedy."""
    made = finding(name)
    assert made.state in ("ok", "note", "fix") and made.text and bool(made.remedy) == (made.state != "ok")
    assert "\n" not in printed.line(made)
    return made.state, f"{made.text} -> {made.remedy}"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a program of that name, alone on the PATH with the others so made."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, does: str = "exit 0") -> Path:
        (folder / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
        return folder / name

    return make


def test_all_that_was_thought_of_is_checked():
    wanted = "python packages device threads compiler extras kernel jupyter locks disk write_access assets,_smoke "
    wanted += "assets,_embedded assets,_paper network video git npm browser"
    assert {name.replace(" ", "_") for name in examination.chosen()} == {*wanted.split()}


def test_a_python_that_is_too_old(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert state_of("python")[0] == "fix" and "PYTHON=python3.11" in state_of("python")[1]


def test_the_python_of_another_environment(monkeypatch, tmp_path):
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(runtime, "ROOT", tmp_path)
    assert state_of("python")[0] == "note" and "bin/activate" in state_of("python")[1]
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert state_of("python")[0] == "ok"


@pytest.mark.parametrize(
    "line, state, text",
    [
        ("no-such-package-of-dynode==1.0", "fix", "1 of 1 packages of the lock are missing: no-such-package-of-dynode"),
        ("numpy==0.1", "note", "1 of 1 packages have another version than the lock: numpy"),
        ("numpy>=2 ; python_version < '3.0'", "ok", "0, as in the lock"),
    ],
)
def test_packages_beside_the_lock(line, state, text, monkeypatch, tmp_path):
    (tmp_path / "lock.txt").write_text(f"{line}\n", encoding="utf-8")
    monkeypatch.setattr(environment, "LOCK", tmp_path / "lock.txt")
    assert state_of("packages")[0] == state and text in state_of("packages")[1]


def test_packages_without_a_lock_are_those_that_the_package_requires(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "LOCK", tmp_path / "absent")
    monkeypatch.setattr(environment.metadata, "requires", lambda _: ["no-such-package", "other; extra == 'dev'"])
    assert "1 of 1 packages of what dynode" in state_of("packages")[1]


@pytest.fixture
def cuda(monkeypatch):
    """GPUs with their faults."""
    faults = {"cpu": ""}
    monkeypatch.setattr(runtime, "fault_of", lambda name: faults[name])
    monkeypatch.setattr(runtime, "cuda_devices", lambda: len(faults) - 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda name: f"Model {name}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return faults


def test_devices(cuda, monkeypatch):
    assert state_of("device")[0] == "ok"
    cuda["cuda:0"] = ""
    assert state_of("device")[0] == "ok" and "cuda:0 Model cuda:0" in state_of("device")[1]
    cuda["cuda:1"] = "no kernel image"
    assert state_of("device")[0] == "note" and "cuda:1: no kernel image" in state_of("device")[1]
    cuda["cpu"] = "it computes wrong numbers"
    assert state_of("device")[0] == "fix" and "wrong numbers" in state_of("device")[1]


def test_a_gpu_that_this_torch_was_not_built_for(cuda, program, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    assert state_of("device")[0] == "ok"
    program("nvidia-smi")
    assert state_of("device")[0] == "note" and "DYNODE_TORCH=cuda" in state_of("device")[1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert state_of("device")[0] == "ok" and "CUDA_VISIBLE_DEVICES is ''" in state_of("device")[1]


def test_a_gpu_of_apple(cuda, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert state_of("device")[0] == "note" and "no float64" in state_of("device")[1]


@pytest.mark.parametrize("cores, state", [(2, "ok"), (1, "note"), (4, "note")])
def test_threads(cores, state, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(cores_here, "cores", lambda: cores)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert state_of("threads")[0] == state and "OMP_NUM_THREADS" in state_of("threads")[1] or state == "ok"


def test_a_compiler_that_is_absent_or_does_not_compile(program, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    assert state_of("compiler")[0] == "note" and "there is no g++ or clang++" in state_of("compiler")[1]
    program("clang++")
    assert state_of("compiler")[0] == "ok"
    monkeypatch.setenv("CXX", str(program("own", "exit 1")))
    assert state_of("compiler")[0] == "note" and "cannot compile" in state_of("compiler")[1]


def test_extras_that_are_not_installed(monkeypatch):
    there = {"papermill"}
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: name if name in there else None)
    assert state_of("extras")[0] == "note" and "pip install 'dynode[clip,dev]'" in state_of("extras")[1]
    there |= {"open_clip", "pytest"}
    assert state_of("extras")[0] == "ok"


def test_without_the_extra_notebooks_it_is_noted(monkeypatch):
    monkeypatch.setattr(left_behind.importlib.util, "find_spec", lambda name: None)
    for name in ("kernel", "jupyter"):
        assert state_of(name)[0] == "note" and "pip install 'dynode[notebooks]'" in state_of(name)[1]


def test_a_kernel_that_starts_and_one_that_does_not(monkeypatch):
    assert state_of("kernel")[0] == "ok"
    monkeypatch.setattr(left_behind, "ECHO", "print(43)")
    assert state_of("kernel")[0] == "fix" and "printed '43'" in state_of("kernel")[1]
    broken = kernels.KernelSpec(argv=[sys.executable, "-c", "raise SystemExit(3)"], language="python")
    monkeypatch.setattr(kernels, "specification", lambda: broken)
    assert state_of("kernel")[0] == "fix"


def test_a_foreign_kernel(monkeypatch, tmp_path):
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    spec = {"argv": ["/nowhere/python", "-m", "ipykernel_launcher"], "language": "python", "display_name": "other"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    assert state_of("jupyter")[0] == "note" and "/nowhere/python" in state_of("jupyter")[1]
    (folder / "kernel.json").write_text(json.dumps(spec | {"argv": [sys.executable]}))
    assert state_of("jupyter")[0] == "ok"


def test_locks_and_folders_of_killed_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path / "out"))
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(runtime, "ROOT", tmp_path)
    assert state_of("locks")[0] == "ok"
    for path in (".snakemake/locks/0.input.lock", "out/reports/fits/.a.fit.lock"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    (tmp_path / "cache" / f".fetch.x{scratch.SUFFIX}" / ".lock").mkdir(parents=True)
    (tmp_path / "cache" / f".fetch.x{scratch.SUFFIX}" / ".lock").rmdir()
    (tmp_path / "cache" / f".fetch.x{scratch.SUFFIX}" / ".lock").touch()
    assert state_of("locks")[0] == "note" and state_of("locks")[1].startswith("3 left by runs that were killed")
    with scratch.locks.claimed(tmp_path / "out/reports/fits/b.fit"):
        assert state_of("locks")[1].startswith("3 ")  # one that is held is no stale one


@pytest.mark.parametrize("free, state", [(50e9, "ok"), (1e9, "note"), (1e8, "fix")])
def test_a_disk_that_is_full(free, state, monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1e12, 1e12, free))
    assert state_of("disk")[0] == state


def test_folders_that_cannot_be_written(monkeypatch, tmp_path):
    assert state_of("write access")[0] == "ok"

    def refuse(dir):
        if dir == tmp_path:
            raise PermissionError(13, "no", str(dir))
        return tempfile.SpooledTemporaryFile()

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", refuse)
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    assert state_of("write access")[0] == "fix" and str(tmp_path) in state_of("write access")[1]
    monkeypatch.delenv("DYNODE_OUTPUT")
    monkeypatch.setattr(assets, "own_dir", lambda: tmp_path / "private")
    monkeypatch.setattr(machine, "writable", lambda folder: True)
    assert state_of("write access")[0] == "note" and "is read-only" in state_of("write access")[1]


def test_assets_that_are_missing_or_damaged(monkeypatch, tmp_path):
    one = assets.Asset("one", assets.hashlib.sha256(b"one").hexdigest(), 3_000_000, "", "", ("smoke",), url="a/one.bin")
    monkeypatch.setattr(assets, "registry", lambda: ({}, {"one": one}))
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    monkeypatch.delenv("DYNODE_ASSETS", raising=False)
    assert state_of("assets, smoke") == (
        "note",
        "0 of 1 here, 3 MB missing -> `dynode fetch --profile smoke`, or nothing",
    )
    assets.cached_path(one).parent.mkdir()
    assets.cached_path(one).write_bytes(b"one")
    assert state_of("assets, smoke")[0] == "ok"
    assets.cached_path(one).write_bytes(b"two")
    assert state_of("assets, smoke")[0] == "fix" and str(assets.cached_path(one)) in state_of("assets, smoke")[1]


def test_the_network(monkeypatch):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200 if self.path == "/simple/lpips/" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    monkeypatch.delenv("DYNODE_OFFLINE", raising=False)
    monkeypatch.setattr(downloads, "connection", lambda: {"trust_env": False})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(downloads, "indexes", lambda: [f"{address}/simple"])
        assert state_of("network")[0] == "ok"
        monkeypatch.setattr(downloads, "indexes", lambda: [f"{address}/other"])
        assert state_of("network")[0] == "note" and "status 404" in state_of("network")[1]
        server.shutdown()
    assert state_of("network")[0] == "note" and "ConnectionError" in state_of("network")[1]
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    assert "DYNODE_OFFLINE=1" in state_of("network")[1]


def test_a_codec_that_fails(monkeypatch):
    assert state_of("video")[0] == "ok"
    read = video.read
    monkeypatch.setattr(video, "read", lambda path: tuple(each[::-1] for each in read(path)))
    assert state_of("video")[0] == "fix"

    def fail(*_, **__):
        raise ValueError("unknown encoder libx264")

    monkeypatch.setattr(video, "write", fail)
    assert state_of("video")[0] == "fix" and "unknown encoder libx264" in state_of("video")[1]


def test_git(monkeypatch):
    for commit, state in {"abc": "ok", "0.1.0 (no git checkout)": "ok", "0.1.0 (git is not installed)": "note"}.items():
        monkeypatch.setattr(runtime, "commit", lambda commit=commit: commit)
        assert state_of("git")[0] == state


def test_npm(monkeypatch, tmp_path):
    monkeypatch.setattr(downloads, "npm", lambda: "/bin/npm")
    assert state_of("npm")[0] == "ok"
    monkeypatch.setattr(downloads, "npm", lambda: None)
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    monkeypatch.delenv("DYNODE_ASSETS", raising=False)
    assert state_of("npm")[0] == "note" and "dynode[npm]" in state_of("npm")[1]
    monkeypatch.setattr(assets, "seeded_path", lambda *_: tmp_path)
    assert state_of("npm")[0] == "ok"


def test_a_browser(program):
    assert state_of("browser")[0] == "note"
    program("chromium")
    assert state_of("browser")[0] == "ok"


@pytest.mark.parametrize(
    "error, text, remedy",
    [
        (ModuleNotFoundError("No module named 'x'", name="x"), "the package x is not installed", "dynode setup"),
        (UserError("There is no home: name one."), "There is no home", "name one"),
        (RuntimeError("libcudart is broken\nmore"), "RuntimeError: libcudart is broken", ".venv"),
        (RuntimeError(), "RuntimeError", ".venv"),
    ],
)
def test_what_a_check_raises_is_to_be_fixed(error, text, remedy):
    def fail():
        raise error

    made = examine("one", fail)
    assert (made.state, made.text) == ("fix", text) and remedy in made.remedy


# the command


@pytest.fixture
def answers(monkeypatch):
    """The answers of the checks, two in place of all."""
    given = {"one": registry.ok("it works"), "two": registry.note("no\nthree", "get one")}
    monkeypatch.setattr(examination, "CHECKS", {name: lambda name=name: given[name] for name in given})
    return given


def code_of(*arguments: str) -> int:
    try:
        return cli.main(["doctor", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def test_lines_and_the_block_to_paste(answers, capsys, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://secret@proxy")
    monkeypatch.setenv("DYNODE_CACHE", os.path.expanduser("~/cache"))
    assert code_of() == 0
    first, second, empty, head, fence, *rest = capsys.readouterr().out.splitlines()
    assert (first.split(), second) == (["ok", "one", "it", "works"], f"note {'two':21}no three -> get one")
    assert (empty, head, fence, rest[-1]) == ("", "To paste into a report of a defect:", "```text", "```")
    text = "\n".join(rest)
    assert "checks: 1 ok, 1 note, 0 fix\n" in text and "it works" not in text and second in text
    assert (
        "secret" not in text and "DYNODE_CACHE=~/cache" in text and f"torch {torch.__version__.split('+')[0]}" in text
    )


def test_a_fix_is_exit_code_one(answers, capsys):
    answers["two"] = registry.fix("it is broken", "mend it")
    assert code_of() == 1 and "\nfix  two" in capsys.readouterr().out
    assert code_of("--json") == 1
    made = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in made["checks"]] == ["ok", "fix"] and made["environment"]["dynode"]


def test_a_report_is_printed_where_torch_is_broken(answers, capsys, monkeypatch):
    def broken(*_):
        raise OSError("libtorch_cpu.so: undefined symbol")

    monkeypatch.setattr(runtime, "device", broken)
    assert code_of() == 0 and "device: none (OSError)" in capsys.readouterr().out
