"""The public face: loads nothing before it is used, works on a bare machine, and its stubs tell the truth."""

import importlib
import re
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import numpy as np
import pytest
import torch

import dynode
from dynode import lazy
from dynode.dynamics import METHODS
from dynode.errors import UserError
from dynode.metrics import METRICS
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


CIRCLE = "a clip, such as dynode.load_clip"
WRONG = {
    "load_clip": [(3, "got 3"), ("", "no clip ''"), (None, "got None"), ("/", "folder")],
    "load_fit": [(3, "got 3"), ("", "folder"), ("nowhere.fit", "no file")],
    "load_generator": [(3, "got 3"), ("", "no generator"), ("nowhere.safetensors", "no file")],
}


@pytest.mark.parametrize("name, given, told", [(name, *each) for name, cases in WRONG.items() for each in cases])
def test_what_cannot_be_loaded_is_one_sentence(name, given, told):
    with pytest.raises(UserError, match=told):
        getattr(dynode, name)(given)


@pytest.mark.parametrize(
    "call, told",
    [
        (lambda clip, path: dynode.fit("single_face.warm"), CIRCLE),
        (lambda clip, path: dynode.fit([clip]), "got a list"),
        (lambda clip, path: dynode.fit(clip, method=3), "got a int"),
        (lambda clip, path: dynode.fit(clip, device="gpu"), "no device 'gpu'"),
        (lambda clip, path: dynode.fit(clip, seed="one"), "`seed` wants a whole number, got 'one'"),
        (lambda clip, path: dynode.fit(clip, seed=True), "`seed` wants a whole number"),
        (lambda clip, path: dynode.fit_many(clip), "`clips` wants a list"),
        (lambda clip, path: dynode.fit_many([clip, 3]), "`clips` wants a list"),
        (lambda clip, path: dynode.fit_many("ab"), "`clips` wants a list"),
        (lambda clip, path: dynode.fit_many([clip], seeds=[1, 2]), "1 clips and 2 seeds"),
        (lambda clip, path: dynode.evaluate(clip, path), "`paths` wants a trajectory"),
        (lambda clip, path: dynode.evaluate([3], clip), "`paths` wants a trajectory"),
        (lambda clip, path: dynode.evaluate({"mine": path}, clip), "`paths` wants a trajectory"),
        (lambda clip, path: dynode.evaluate(path, None), "`clip` wants a clip"),
        (lambda clip, path: dynode.render(clip, "out.mp4"), "`path` wants a trajectory"),
        (lambda clip, path: dynode.render(path, 3), "`output` wants a path"),
        (lambda clip, path: dynode.render(path, "out.mp4", fps="fast"), "`fps` wants a number, got 'fast'"),
        (lambda clip, path: dynode.render(path, "out.mp4", reverse="yes"), "`reverse` wants True or False"),
        (lambda clip, path: dynode.edit(clip, 3, "out.mp4"), "`edits` wants a dictionary"),
        (lambda clip, path: dynode.edit(clip, {"smile": 1.0}, "out.mp4", stride="a"), "`stride` wants a whole number"),
        (lambda clip, path: dynode.edit(clip, {"smile": 1.0}, "out.mp4", stried=1), "did you mean 'stride'"),
        (lambda clip, path: dynode.invert(3, "out.safetensors"), "`video_path` wants a path"),
        (lambda clip, path: dynode.invert("talk.mp4", "out.safetensors", settings=3), "`settings` wants a Projection"),
        (lambda clip, path: dynode.load_editor("flow:fog", "stylegan2-scene-factors"), "a loaded generator.*got 'stylegan2-scene-factors'"),
        (lambda clip, path: clip.sampled("regular", 2.5), "`stride` wants a whole number"),
        (lambda clip, path: clip.where([0, 1]), "no indices"),
        (lambda clip, path: path.save(3), "`path` wants a path"),
        (lambda clip, path: path("soon"), "real numbers"),
        (lambda clip, path: path(0.5), r"shape \(\)"),
        (lambda clip, path: path([[0.0, 0.1]]), r"shape \(1, 2\)"),
        (lambda clip, path: path([0.1, float("nan")]), "got nan"),
        (lambda clip, path: path.derivative(None), "got None"),
        (lambda clip, path: dynode.metrics.METRICS["psnr"](clip.ws, clip.ws[:, :1]), "frames of one shape"),
    ],
)  # fmt: skip
def test_a_wrong_argument_of_the_face_is_one_sentence(call, told, circle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=told) as caught:
        call(circle, dynode.fit(circle, "linear"))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["linear", "dynode"])
def test_times_in_any_order_and_type_of_numbers_give_the_same_codes(method, circle):
    path, ts = dynode.fit(circle, method), [0.5, 0.0, 0.25]
    wanted = path(ts)
    leaf = torch.tensor(ts, dtype=torch.float64, requires_grad=True)
    backward = np.array(ts[::-1])[::-1]
    for given in (
        tuple(ts),
        torch.tensor(ts).half(),
        leaf,
        np.array(ts, ">f8"),
        backward,
        [torch.tensor(t) for t in ts],
    ):
        assert torch.equal(path(given), wanted)
    assert torch.equal(path(range(2)), path([0.0, 1.0])) and path([]).shape == (0, 3, 8)
    assert torch.isfinite(path([-5.0, 100.0])).all()


def test_scalars_of_numpy_and_paths_as_texts_are_taken(circle, tmp_path):
    path = dynode.fit(
        circle.sampled("irregular", np.int64(3), seed=np.int32(1)), seed=np.int64(2), checkpoint=str(tmp_path / "c")
    )
    assert torch.equal(path([0.1]), dynode.fit(circle.sampled("irregular", 3, seed=1), seed=2)([0.1]))


def test_rooms_are_there_after_import_dynode_alone():
    code = "import dynode; print(dynode.metrics.METRICS['psnr'].name, dynode.generators.load.__name__, dynode.io.video.__name__)"
    assert run("-c", code).stdout == "psnr load dynode.io.video\n"


def test_the_help_of_the_package_walks_from_a_video_to_an_edit():
    text = dynode.__doc__
    assert all(
        f"dynode.{name}(" in text for name in ("load_clip", "invert", "fit", "evaluate", "render", "edit", "load_fit")
    )


def test_a_library_that_is_missing_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "__init__.py").write_text("")
    (tmp_path / "kinds" / "one.py").write_text("import a_library_of_nobody\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="a_library_of_nobody, which kinds.one needs, is not installed"):
        list(lazy.Registry("kinds"))


@pytest.mark.parametrize(
    "body, told",
    [
        ("return (pred - true).mean()", r"one number for each of 16 frames, got numbers of shape \(\)"),
        ("return (pred - true)", r"got numbers of shape \(16, 3, 8\)"),
        ("return 0.5", "got 0.5"),
    ],
)
def test_a_metric_that_returns_something_else_is_one_sentence(body, told, plugin, circle):
    plugin(
        METRICS,
        f"""from dynode.metrics import metric
@metric("odd", unit="", better="", space="latent")
def odd(pred, true):
    {body}
""",
    )
    with pytest.raises(UserError, match=f"The metric odd must return.*{told}"):
        METRICS["odd"](circle.ws, circle.ws)


def test_a_metric_described_by_unknown_words_is_one_sentence(plugin):
    code = "from dynode.metrics import metric\n@metric('odd', unit='', better='', space='', colour=1)\ndef odd(a, b): ...\n"
    plugin(METRICS, code)
    with pytest.raises(UserError, match="cannot be imported.*colour"):
        METRICS.load()
