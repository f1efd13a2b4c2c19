"""The environment: whole and this checkout's own, or made anew; nothing is fetched here."""

import importlib.util
import os
import subprocess
import sys
import threading
import time
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pip
import pytest

from dynode.bootstrap import environment, installing
from dynode.errors import UserError

IMPORTS = "#!/bin/sh\nprintf %s '{}/dynode/__init__.py'\n"


@pytest.fixture
def steps(monkeypatch, tmp_path):
    """A checkout with a lock of its own; the steps of its set-up, of which none is run."""
    monkeypatch.delenv("DYNODE_ENV", raising=False)
    for name, path in {"ROOT": tmp_path, "VENV": tmp_path / ".venv", "LOCK": tmp_path / "lock.txt"}.items():
        monkeypatch.setattr(environment, name, path)
    monkeypatch.setattr(environment, "DEV_LOCK", tmp_path / "lock.txt")
    monkeypatch.setenv("DYNODE_TORCH", "cuda")
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)  # uv, which would be taken
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: SimpleNamespace(free=9e9))
    (tmp_path / "lock.txt").write_text("stub==1.0\n", encoding="utf-8")
    commands = []

    def run(command, failure):
        commands.append(command)
        environment.VENV.mkdir(exist_ok=True)

    monkeypatch.setattr(installing, "run", run)
    return commands


def make_python(script: str) -> Path:
    """The environment's Python, as a script, and the stamp of a finished set-up."""
    environment.python().parent.mkdir(parents=True)
    environment.python().write_text(script, encoding="utf-8")
    environment.python().chmod(0o755)
    environment.stamp().write_text(environment.wanted(), encoding="utf-8")
    return environment.python()


def test_the_running_environment_can_be_used(monkeypatch):
    monkeypatch.setenv("DYNODE_ENV", "current")
    assert environment.setup() == Path(sys.executable)
    monkeypatch.setenv("DYNODE_ENV", "Current")
    with pytest.raises(UserError, match="can be `current` or unset, got Current"):
        environment.setup()


def test_a_finished_environment_is_not_made_again(steps, tmp_path):
    python = make_python(IMPORTS.format(tmp_path))
    assert environment.setup() == python and steps == []


@pytest.mark.parametrize("other", ["copied", "moved", "python gone", "another lock", "killed"])
def test_an_environment_that_is_not_whole_or_not_ours_is_made_whole(other, steps, tmp_path, capsys):
    python = make_python(IMPORTS.format("/elsewhere" if other == "copied" else tmp_path))
    if other == "moved":
        python.write_text('#!/bin/sh\n[ "$3" = pip ]\n', encoding="utf-8")  # pip starts, dynode cannot be imported
    if other == "python gone":
        python.unlink()
        python.symlink_to(tmp_path / "python3.11")
    if other == "another lock":
        environment.LOCK.write_text("stub==2.0\n", encoding="utf-8")
    if other == "killed":
        environment.stamp().unlink()
    environment.setup()
    made = [step for step in steps if "venv" in step]
    assert len(made) == (other == "python gone")
    assert [step[-1] for step in steps if "pip" in step] == [str(environment.LOCK), str(tmp_path)]
    assert environment.stamp().read_text(encoding="utf-8") == environment.wanted()
    assert [path.name for path in environment.VENV.iterdir() if path.is_file()] == [environment.stamp().name]
    assert ("was made for another folder" in capsys.readouterr().out) == (other in ("copied", "moved", "python gone"))


def test_a_failed_step_leaves_no_stamp(steps, monkeypatch, tmp_path):
    make_python(IMPORTS.format("/elsewhere"))

    def fail(command, failure):
        raise UserError(f"{failure} (no reason): try again.")

    monkeypatch.setattr(installing, "run", fail)
    with pytest.raises(UserError, match="The locked packages could not be installed"):
        environment.setup()
    assert not environment.stamp().exists()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_under_the_environments_name_is_left_alone(kind, steps):
    if kind == "file":
        environment.VENV.write_text("mine", encoding="utf-8")
    else:
        environment.VENV.symlink_to("nowhere")
    with pytest.raises(UserError, match="is no folder"):
        environment.setup()
    assert steps == [] and os.path.lexists(environment.VENV)


def test_too_small_a_disk_is_noticed_before_anything_is_made(steps, monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    with pytest.raises(UserError, match=r"takes 6 GB and 1.0 GB are free"):
        environment.setup()
    assert steps == []


@pytest.mark.skipif(os.name != "posix", reason="no locks")
def test_a_second_set_up_waits_for_the_first(steps, tmp_path, capsys):
    with environment.one_at_a_time():
        second = threading.Thread(target=environment.setup)
        second.start()
        time.sleep(0.2)
        assert steps == []
        make_python(IMPORTS.format(tmp_path))
    second.join(timeout=20)
    assert steps == [] and "waiting for it" in capsys.readouterr().out


def test_without_ensurepip_another_tool_makes_it_or_the_package_is_named(monkeypatch):
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else known(name))
    tools = {"uv": "/bin/uv", "virtualenv": "/bin/virtualenv"}
    monkeypatch.setattr(environment.shutil, "which", tools.get)
    assert environment.maker()[0] == "/bin/virtualenv"
    del tools["virtualenv"]
    assert environment.maker()[:3] == ["/bin/uv", "venv", "--seed"]
    del tools["uv"]
    with pytest.raises(UserError, match=r"without ensurepip.*apt install python3\.\d+-venv"):
        environment.maker()


def stub_wheel(folder: Path) -> None:
    """The wheel of a package without content."""
    described = "stub_package-1.0.dist-info"
    with zipfile.ZipFile(folder / "stub_package-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("stub_package.py", "")
        wheel.writestr(f"{described}/METADATA", "Metadata-Version: 2.1\nName: stub-package\nVersion: 1.0\n")
        wheel.writestr(f"{described}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{described}/RECORD", "")


def with_our_pip(folder: Path) -> Path:
    """The Python of an empty environment in that folder, with the pip of the running one: made in no time."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages" if os.name == "posix" else "Lib/site-packages")
    (folder / "pip").symlink_to(Path(pip.__file__).parent, target_is_directory=True)
    (site / "pip.pth").write_text(str(folder), encoding="utf-8")
    return folder / ("bin/python" if os.name == "posix" else "Scripts/python.exe")


PIP_CONF = """[global]
user = true
target = {0}/elsewhere
prefix = {0}/elsewhere
require-hashes = true
constraint = {0}/nothing.txt
no-index = true
find-links = {0}
[install]
no-binary = :all:
"""


def test_settings_of_pip_and_python_do_not_lead_the_installation_elsewhere(tmp_path, monkeypatch):
    stub_wheel(tmp_path)
    (tmp_path / "pip.conf").write_text(PIP_CONF.format(tmp_path), encoding="utf-8")
    strange = {"PIP_CONFIG_FILE": tmp_path / "pip.conf", "PIP_USER": "1", "PIP_TARGET": tmp_path / "elsewhere"}
    strange |= {"PIP_REQUIRE_HASHES": "1", "PIP_DRY_RUN": "1", "PIP_PYTHON": "/nowhere", "PYTHONWARNINGS": "error"}
    strange |= {"PYTHONPATH": tmp_path, "PYTHONUSERBASE": tmp_path / "base", "PIP_REQUIRE_VIRTUALENV": "1"}
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in strange.items():
        monkeypatch.setenv(name, str(value))
    python = with_our_pip(tmp_path / "made")
    installing.install(str(python), "A package", "stub-package==1.0")
    installed = subprocess.run([python, "-I", "-c", "import stub_package; print(stub_package.__file__)"], stdout=-1)
    assert Path(os.fsdecode(installed.stdout)).is_relative_to(tmp_path / "made")
    assert not (tmp_path / "elsewhere").exists() and not (tmp_path / "base").exists()
    with pytest.raises(UserError, match=r"stub-package==2.*PIP_NO_INDEX forbids every index: unset it"):
        installing.install(str(python), "A package", "stub-package==2")
