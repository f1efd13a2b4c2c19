"""The public face: loads nothing before it is used, works on a bare machine, and its stubs tell the truth."""

import importlib
import re
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest

import dynode
from dynode import lazy
from dynode.dynamics import METHODS
from dynode.errors import UserError
from dynode.runtime import PACKAGE, ROOT

STUBS = sorted(PACKAGE.rglob("__init__.pyi"))
PUBLIC = {
    "Clip", "METHODS", "PRESETS", "Trajectory", "UserError", "edit", "evaluate", "fit", "fit_many", "invert",
    "load_clip", "load_editor", "load_fit", "load_generator", "render",
}  # fmt: skip


def package_of(stub) -> str:
    return ".".join(["dynode", *stub.parent.relative_to(PACKAGE).parts])


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_the_face_has_these_names_and_no_other():
    assert set(dynode.__all__) == PUBLIC == set(dir(dynode)) and dynode.__version__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dynode.nothing  # noqa: B018


def test_it_imports_on_a_bare_machine_and_brings_no_library():
    assert run("-S", "-c", "import dynode, dynode.bootstrap").returncode == 0
    heavy = "import dynode, sys; print(sorted({'torch', 'numpy', 'yaml', 'safetensors'} & set(sys.modules)))"
    assert run("-c", heavy).stdout == "[]\n"


@pytest.mark.parametrize("stub", STUBS, ids=package_of)
def test_every_name_of_a_stub_is_there_and_hides_no_module(stub):
    package = import_module(package_of(stub))
    names = lazy.names_in(stub)
    modules = {path.stem for path in stub.parent.glob("*.py")} | {
        path.name for path in stub.parent.iterdir() if path.is_dir()
    }
    assert not modules & set(names), "a module of that name would hide what the face offers"
    assert all(not isinstance(getattr(package, name), types.ModuleType) for name in names)
    assert sorted(names) == sorted(dir(package)) == package.__all__
    exported = re.search(r"^__all__ = \[(.*?)\]", stub.read_text(), re.M | re.S)
    assert exported is None or set(re.findall(r'"(\w+)"', exported[1])) == set(names)


def test_rooms_have_a_face_of_at_most_twenty_names():
    rooms = [path for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()]
    without = [room.name for room in rooms if not (room / "__init__.pyi").is_file()]
    assert set(without) <= {"cli"}
    assert all(len(lazy.names_in(room / "__init__.pyi")) <= 20 for room in rooms if room.name not in without)


def test_the_readme_runs_as_it_is_written(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(blocks) == 1 and "dynode.edit(" in blocks[0]
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks[0], "README.md", "exec"), {})
    assert {"talk-60fps.mp4", "smile.mp4"} <= {path.name for path in tmp_path.iterdir()}


def test_a_registry_whose_load_failed_tries_again_and_threads_wait_for_it(tmp_path, monkeypatch):
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "__init__.py").write_text("")
    (tmp_path / "things" / "slow.py").write_text("import time, registries\ntime.sleep(0.2)\nregistries.R.add('b', 1)\n")
    (tmp_path / "things" / "wrong.py").write_text("raise RuntimeError('not yet')\n")
    (tmp_path / "registries.py").write_text("from dynode.lazy import Registry\nR = Registry('things')\nR.add('z', 0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = import_module("registries").R
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not yet"):
            list(registry)
    (tmp_path / "things" / "wrong.py").write_text("import registries\nregistries.R.add('a', 2)\n")
    importlib.invalidate_caches()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: list(registry), range(4))) == [["a", "b", "z"]] * 4


def test_a_plugin_cannot_take_a_name(plugin):
    plugin(METHODS, "from dynode.dynamics.registry import METHODS\nMETHODS.add('linear', METHODS.held['cubic'])\n")
    with pytest.raises(UserError, match="takes the name 'linear'"):
        METHODS.load()
    assert METHODS.held["linear"].name == "linear"
