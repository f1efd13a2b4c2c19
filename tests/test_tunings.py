"""Whatever renders a clip takes the generator that the clip names, tuned where it was: nothing loads its base instead."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynode.runtime import ROOT

PACKAGE, NOTEBOOKS = ROOT / "dynode", sorted((ROOT / "notebooks").glob("*.ipynb"))
LOADERS = ("generators.load", "registry.load", "load_generator", "dynode.load_generator")
RENDERERS = ("of_clip", "generators_of")
OF_BASES = {  # what wants the generator that the codes were made with
    "cli/tuning.py: require_editors",  # editors are of a base
    "evaluation/reconstruction.py: passes_mse_ratio",  # passes of an encoder, beside errors noted by a projection
    "experiments/inversion_benchmark.py: measure",  # inverts pictures anew
    "inversion/tuning.py: loaded",  # what is tuned
}
ITS_OWN = "13_tune_to_a_person"  # makes the tunings that it renders by
BY_NAME = "00_meet_the_worlds"  # its generators are parameters, and it has no clip


def calls(node: ast.AST, *ends: str) -> list[ast.Call]:
    """All calls at or below a node of what has a name with one of these ends."""
    every = (part for part in ast.walk(node) if isinstance(part, ast.Call))
    return [call for call in every if ast.unparse(call.func).endswith(ends)]


def reads_the_base(node: ast.AST) -> bool:
    """Whether an expression reads ["generator"] or .get("generator"): in metadata, the name of the base."""
    keys = [part.slice for part in ast.walk(node) if isinstance(part, ast.Subscript)]
    keys += [key for call in calls(node, ".get") for key in call.args[:1]]
    return any(isinstance(key, ast.Constant) and key.value == "generator" for key in keys)


def bound(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every target of an assignment or a loop below a node, and what it is bound to."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assign):
            yield from ((target, part.value) for target in part.targets)
        if isinstance(part, ast.For | ast.comprehension):
            yield part.target, part.iter


def loads_a_base(node: ast.AST) -> bool:
    """Whether a function loads the generator whose name it reads in metadata."""
    bases = {
        name.id for target, value in bound(node) if reads_the_base(value) for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }  # fmt: skip
    loaded = [argument for call in calls(node, *LOADERS) for argument in call.args]
    names = {part.id for each in loaded for part in ast.walk(each) if isinstance(part, ast.Name)}
    return bool(names & bases) or any(map(reads_the_base, loaded))


@pytest.mark.parametrize(
    "source, found",
    [
        ('generators.load(clip.meta["generator"], device)', True),
        ('name = clip.meta.get("generator", "")\nregistry.load(name)', True),
        ('{n: generators.load(n) for n in {clip.meta["generator"] for clip in footage}}', True),
        ('for n in (clip.meta["generator"] for clip in footage):\n    dynode.load_generator(n)', True),
        ('generators.load("stylegan2-scene-factors"), generators.category_of(clip.meta["generator"])', False),
        ('name = name_for(clip.meta, "The clip")\ngenerators.load(name)', False),
    ],
)
def test_what_loads_a_base_is_found(source, found):
    assert loads_a_base(ast.parse(source)) is found


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_no_function_loads_the_base_of_a_clip_that_may_be_tuned():
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {each.name}"
        for path in sorted(PACKAGE.rglob("*.py")) for each in functions(path) if loads_a_base(each)
    }  # fmt: skip
    assert found == OF_BASES


def code_of(notebook: Path) -> ast.Module:
    """All code of a notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ast.parse("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_renders_its_clips_by_their_tunings(path):
    code = code_of(path)
    assert path.stem == BY_NAME or not calls(code, *LOADERS)
    given = [call for call in calls(code, "with_tunings") if ast.unparse(call.args[1]) == "tunings"]
    assignments = (node for node in ast.walk(code) if isinstance(node, ast.AnnAssign))
    declared = [node for node in assignments if ast.unparse(node.target) == "tunings"]
    renders = int(bool(calls(code, *RENDERERS)) and path.stem != ITS_OWN)
    assert [len(declared), len(given)] == [renders, renders]
