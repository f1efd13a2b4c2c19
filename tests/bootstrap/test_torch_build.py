"""Which build of torch is installed, by which installer, and what is left out of the lock; nothing is fetched here."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dynode.bootstrap import environment, installing, torch_build
from dynode.errors import UserError

LOCK = "numpy==2.4\nnvidia-cublas==13.4 ; sys_platform == 'linux'\ncuda-toolkit==13.2\ntorch==2.15.0\ntorchvision==0.29.2\ntriton==3.9.0\n"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine under Linux with a lock, without a GPU; what is there is set by a test."""
    monkeypatch.delenv("DYNODE_TORCH", raising=False)
    monkeypatch.delenv("DYNODE_ENV", raising=False)
    programs: dict[str, str] = {}
    monkeypatch.setattr(torch_build.shutil, "which", programs.get)
    monkeypatch.setattr(torch_build, "DEVICES", (tmp_path / "nvidiactl",))
    monkeypatch.setattr(torch_build.platform, "system", lambda: "Linux")
    for name, path in {"ROOT": tmp_path, "VENV": tmp_path / ".venv", "LOCK": tmp_path / "lock.txt"}.items():
        monkeypatch.setattr(environment, name, path)
    monkeypatch.setattr(environment, "DEV_LOCK", tmp_path / "dev.txt")
    monkeypatch.setattr(environment, "has_pip", lambda: True)
    (tmp_path / ".venv").mkdir()
    (tmp_path / "lock.txt").write_text(LOCK, encoding="utf-8")
    (tmp_path / "dev.txt").write_text(f"{LOCK}pytest==9.0\n", encoding="utf-8")
    return programs


@pytest.fixture
def steps(monkeypatch):
    """The steps of an installation, with the lines of the lock they read; none is run.  `fails` names what no index has."""
    made, fails = [], []

    def call(command, variables, lines, quiet=False):
        read = Path(command[-1]).read_text().split("\n")[:-1] if command[-2] == "-r" else None
        made.append((command, read, variables))
        return int(any(text in " ".join(command) for text in fails))

    monkeypatch.setattr(installing, "call", call)
    return SimpleNamespace(made=made, fails=fails)


def test_the_build_is_that_for_the_gpu_where_there_may_be_one(machine, tmp_path, monkeypatch):
    assert torch_build.wanted() == "cpu"
    for program in ("nvidia-smi", "sbatch"):  # of a cluster's login node, too
        machine[program] = program
        assert torch_build.wanted() == "cuda"
        del machine[program]
    (tmp_path / "nvidiactl").touch()
    assert torch_build.wanted() == "cuda"
    monkeypatch.setenv("DYNODE_TORCH", "cpu")
    assert torch_build.wanted() == "cpu"
    monkeypatch.setenv("DYNODE_TORCH", "gpu")
    with pytest.raises(UserError, match="DYNODE_TORCH can be cpu, cuda or unset, got gpu"):
        torch_build.wanted()
    monkeypatch.delenv("DYNODE_TORCH")
    (tmp_path / "nvidiactl").unlink()
    monkeypatch.setattr(torch_build.platform, "system", lambda: "Darwin")  # one build for all there
    assert torch_build.wanted() == "cuda"


def test_without_a_gpu_nothing_for_one_is_installed(machine, steps):
    environment.make(dev=False)
    (first, _, _), (second, read, _), (third, _, _) = steps.made
    assert first[-3:] == ["--no-deps", "torch==2.15.0+cpu", "torchvision==0.29.2+cpu"]
    assert (
        second[1:4] == ["-m", "pip", "install"]
        and second[-3:-1] == ["--no-deps", "-r"]
        and third[-2:] == ["-e", str(environment.ROOT)]
    )
    assert read == ["numpy==2.4", "torch==2.15.0", "torchvision==0.29.2"]
    assert environment.stamp().read_text() == f"{environment.wanted(dev=False)} cpu"


def test_uv_brings_the_build_of_torchs_own_index(machine, steps):
    machine["uv"] = "/bin/uv"
    steps.fails.append("+cpu")
    environment.make()
    (_, _, _), (second, _, _), (third, read, _), _ = steps.made
    assert second[:3] == ["/bin/uv", "pip", "install"]
    assert second[-4:] == ["--torch-backend", "cpu", "torch==2.15.0", "torchvision==0.29.2"]
    assert third[0] == "/bin/uv" and read == ["numpy==2.4", "torch==2.15.0", "torchvision==0.29.2", "pytest==9.0"]


def test_where_no_index_has_it_all_but_triton_is_installed(machine, steps, capsys):
    steps.fails.append("+cpu")
    environment.make()
    assert steps.made[-2][1] == [line for line in f"{LOCK}pytest==9.0".split("\n") if "triton" not in line]
    assert "No index has torch for the CPU alone" in capsys.readouterr().out


def test_with_a_gpu_the_lock_is_installed_as_it_is(machine, steps):
    machine["nvidia-smi"] = "/bin/nvidia-smi"
    environment.make(dev=False)
    assert [command[-1] for command, _, _ in steps.made] == [str(environment.LOCK), str(environment.ROOT)]
    assert environment.stamp().read_text() == environment.wanted(dev=False)


@pytest.mark.parametrize("made_with", ["", " cpu"])
def test_a_finished_environment_has_the_build_that_is_named(made_with, machine, monkeypatch):
    environment.stamp().write_text(environment.wanted() + made_with)
    assert environment.stamped() and environment.stamped(dev=False)  # a node with a GPU takes what a login node made
    for chosen in ("cpu", "cuda"):
        monkeypatch.setenv("DYNODE_TORCH", chosen)
        assert environment.stamped() == (chosen == (made_with.strip() or "cuda"))
    monkeypatch.delenv("DYNODE_TORCH")
    environment.stamp().write_text(environment.wanted(dev=False) + made_with)
    assert environment.stamped(dev=False) and not environment.stamped()


# uv


def test_pip_goes_on_where_uv_fails(machine, steps):
    installing.install("python", "A package", "one==1")
    machine["uv"] = "/bin/uv"
    installing.install("python", "A package", "one==1")
    steps.fails.append("/bin/uv")
    installing.install("python", "A package", "one==1")
    assert [command[0] for command, _, _ in steps.made] == ["python", "/bin/uv", "/bin/uv", "python"]
    steps.fails.append("-m pip")
    with pytest.raises(UserError, match="A package could not be installed"):
        installing.install("python", "A package", "one==1")


def test_uv_fetches_from_where_pip_does_and_installs_nowhere_else(machine, steps, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_"))]:
        monkeypatch.delenv(name)
    given = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "https://a/simple", "PIP_FIND_LINKS": "/one /two"}
    given |= {"PIP_CERT": "/ca.pem", "PIP_TARGET": "/elsewhere", "UV_SYSTEM_PYTHON": "1", "UV_CACHE_DIR": "/cache"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    machine["uv"] = "/bin/uv"
    installing.install(sys.executable, "A package", "one==1")
    ((command, _, variables),) = steps.made
    assert command[command.index("--python") + 1] == sys.executable
    assert variables["UV_DEFAULT_INDEX"] == "https://a/simple" and variables["UV_FIND_LINKS"] == "/one,/two"
    assert variables["SSL_CERT_FILE"] == "/ca.pem" and variables["UV_CACHE_DIR"] == "/cache"
    assert not [name for name in variables if name.startswith("PIP_") or name == "UV_SYSTEM_PYTHON"]


def test_what_an_attempt_writes_is_not_shown(capfd):
    command = [sys.executable, "-c", "import sys; sys.exit('no such build')"]
    assert not installing.succeeds(command) and "no such build" not in capfd.readouterr().err
    assert not installing.succeeds(["/nowhere/uv", "pip", "install"])
