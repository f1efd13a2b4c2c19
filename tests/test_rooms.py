"""The house: few rooms, each with its text, small files and functions; and a stranger's questions about it."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from dynode.runtime import PACKAGE, ROOT

MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))

# What a stranger looks for -> a word of the field that must lead there, and where it is.
QUESTIONS = {
    "training of the neural ODE": ("class Trainer", "dynamics/fitting/trainer.py"),
    "the file format of a fit": ("FORMAT", "dynamics/fit_files.py"),
    "resuming a killed fit": ("class Checkpoint", "dynamics/fitting/checkpoints.py"),
    "reading and writing safetensors": ("def read_safetensors", "io/tensor_files.py"),
    "`dynode evaluate`": ("def of_fits", "evaluation/compare_fits.py"),
    "`dynode render`": ("def render", "rendering.py"),
    "`dynode choose-depth`": ("def of_depths", "evaluation/model_selection.py"),
    "spline baselines": ("CubicSpline", "dynamics/baselines/interpolation.py"),
    "Gaussian-process baselines": ("class GaussianProcess", "dynamics/baselines/gaussian_process.py"),
    "principal components of codes": ("class PrincipalAxes", "dynamics/principal_axes.py"),
    "prediction bands": ("coverage", "metrics/prediction_bands.py"),
    "InterFaceGAN": ("InterFaceGAN", "editing/interfacegan.py"),
    "GANSpace": ("GANSpace", "editing/ganspace.py"),
    "how edited videos are scored": ("tl_id", "evaluation/edited_videos.py"),
    "reconstruction error of an inversion": ("mse", "evaluation/reconstruction.py"),
    "optical flow": ("optical_flow_tvl1", "perception/optical_flow.py"),
    "CLIP": ("class CLIPModel", "perception/clip_model.py"),
    "StyleGAN2": ("class StyleGAN2", "generators/stylegan2.py"),
    "reading a video": ("def iterate", "io/video.py"),
    "opening a film, its streams": ("import av", "io/film.py"),
    "the command line": ("def main", "cli/dispatch.py"),
}


@cache
def functions() -> list[tuple[int, str]]:
    """(lines, where) of every function."""
    return [
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(PACKAGE)}:{node.name}")
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_stranger_finds_it(question):
    word, place = QUESTIONS[question]
    assert word in (PACKAGE / place).read_text()


def test_there_are_few_loose_modules_and_rooms():
    assert len(list(PACKAGE.glob("*.py"))) <= 9
    assert len(ROOMS) <= 15
    assert all(len(list(folder.glob("*.py"))) <= 25 for folder in PACKAGE.rglob("*") if folder.is_dir())


def test_functions_and_files_are_short():
    lengths = sorted(length for length, _ in functions())
    assert lengths[len(lengths) // 2] <= 6 and lengths[int(0.9 * len(lengths))] <= 18
    assert [where for length, where in functions() if length > 45] == []
    assert [str(path) for path in MODULES if len(path.read_text().splitlines()) > 350] == []


def test_every_module_says_what_it_is():
    assert [str(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_circle_between_modules():
    import grimp
    import networkx

    graph = grimp.build_graph("dynode", cache_dir=None)
    edges = [(module, other) for module in graph.modules for other in graph.find_modules_directly_imported_by(module)]
    circles = networkx.strongly_connected_components(networkx.DiGraph(edges))
    assert [sorted(circle) for circle in circles if len(circle) > 1] == []


def test_no_two_test_files_have_one_name():
    """pytest imports them by their bare names: with two of one name it stops before the first test."""
    files = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(files) == len(set(files)), sorted({name for name in files if files.count(name) > 1})


def rooms_as_table() -> str:
    """The map of CONTRIBUTING.md, from the rooms' own docstrings."""
    rows = [f"| `{room}/` | {first_sentence(PACKAGE / room / '__init__.py')} |" for room in ROOMS]
    loose = [path for path in sorted(PACKAGE.glob("*.py")) if path.name != "__init__.py"]
    rows += [f"| `{path.name}` | {first_sentence(path)} |" for path in loose]
    return "\n".join(["| room | what lives there |", "| --- | --- |", *rows]) + "\n"


def first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return re.split(r"(?<=[.])\s", " ".join(text.split()))[0]


def test_the_map_in_contributing_is_that_of_the_rooms():
    """After a change of a room's docstring: `python tests/test_rooms.py` writes the map anew."""
    assert rooms_as_table() in (ROOT / "CONTRIBUTING.md").read_text()


if __name__ == "__main__":
    guide = ROOT / "CONTRIBUTING.md"
    guide.write_text(
        re.sub(r"\| room \| what lives there \|\n(?:\|.*\n)+", lambda _: rooms_as_table(), guide.read_text())
    )
