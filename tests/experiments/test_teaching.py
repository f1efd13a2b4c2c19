"""The course: filled notebooks pass, unfilled ones stop at the first exercise with its hint, no check passes a wrong answer."""

import math
import re
import time

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
import wrong_answers

from dynode.cli.dispatch import main
from dynode.errors import UserError
from dynode.experiments.teaching import checks, copies

NOTEBOOKS = copies.notebooks()
CPU_SECONDS = 150


@pytest.fixture(autouse=True)
def as_it_was():
    """Notebooks set the default dtype and draw figures."""
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)
    plt.close("all")


def executed(notebook) -> dict:
    """The names after all code cells of a notebook, in this process."""
    names: dict = {"__name__": "notebook"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, "cell", "exec"), names)
    return names


def exercises_in(path) -> list[str]:
    """The names of the exercises that a notebook checks, in order."""
    cells = nbformat.read(path, as_version=4).cells
    return re.findall(r'teach\.check\("([^"]+)"', "\n".join(c.source for c in cells if c.cell_type == "code"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_filled_notebook_passes_offline_in_little_time(path, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    started = time.process_time()
    executed(copies.read(path, solutions=True))
    assert time.process_time() - started < CPU_SECONDS
    right = re.findall(r"^(\S+): right$", capsys.readouterr().out, re.M)
    assert right == exercises_in(path) and 4 <= len(right) <= 6
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_unfilled_notebook_stops_at_the_first_exercise_with_its_hint(path, capsys):
    first = exercises_in(path)[0]
    with pytest.raises(checks.NotRight) as stopped:
        executed(copies.read(path))
    assert str(stopped.value) == f"{first}, not yet: {checks.EXERCISES[first].hint}"
    assert "right" not in capsys.readouterr().out


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_of_the_course_is_stripped_and_short_and_says_where_to_write(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code) and len(code) <= 20
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert max(len(cell.source.splitlines()) for cell in code) <= 25
    solved = [cell.source for cell in code if copies.BEGIN in cell.source]
    assert len(solved) == len(exercises_in(path)) and all("# YOUR CODE" in source for source in solved)
    assert all(copies.unfilled_source(source) != source for source in solved)


def test_every_exercise_is_in_a_notebook_and_has_wrong_answers():
    named = [name for path in NOTEBOOKS for name in exercises_in(path)]
    assert sorted(named) == sorted(checks.EXERCISES) == sorted(wrong_answers.WRONG)


PLANTED = [(name, k) for name, answers in wrong_answers.WRONG.items() for k in range(len(answers))]


@pytest.mark.parametrize("name, k", PLANTED)
def test_a_planted_wrong_answer_gets_a_hint(name, k, capsys):
    torch.set_default_dtype(torch.float64)
    answer, part = wrong_answers.WRONG[name][k]
    with pytest.raises(checks.NotRight, match=f"^{re.escape(name)}, not yet: .*{part}") as stopped:
        checks.check(name, answer)
    assert str(stopped.value).endswith((".", "?")) and capsys.readouterr().out == ""


@pytest.mark.parametrize("name", wrong_answers.WRONG)
@pytest.mark.parametrize("answer", [None, ..., lambda *_: None, "a text", math.nan])
def test_nothing_and_nonsense_get_a_hint(name, answer):
    with pytest.raises(checks.NotRight, match="not yet: "):
        checks.check(name, answer)


def test_an_exercise_that_there_is_not():
    with pytest.raises(UserError, match="There is no exercise 'T2.euler', did you mean 'T2.euler_step'"):
        checks.check("T2.euler", 1)


@pytest.mark.parametrize(
    "lines",
    [["### BEGIN SOLUTION"], ["### END SOLUTION"], ["### BEGIN SOLUTION", "### BEGIN SOLUTION", "### END SOLUTION"]],
)
def test_markers_that_do_not_pair_are_noticed(lines):
    with pytest.raises(ValueError, match="without its counterpart"):
        copies.unfilled_source("\n".join(lines))


def test_copies_for_a_class_lose_the_answers_and_overwrite_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["teach"]) == 0 and main(["teach", "--solutions", "-o", "answers"]) == 0
    for path in NOTEBOOKS:
        unfilled = (tmp_path / "build" / "teach" / path.name).read_text()
        assert "SOLUTION" not in unfilled and "# YOUR CODE" in unfilled
        assert nbformat.read(tmp_path / "answers" / path.name, as_version=4) == nbformat.read(path, as_version=4)
    assert main(["teach"]) == 2
    assert re.search(r"dynode: .*T\d.* exists and may hold answers", capsys.readouterr().err)
