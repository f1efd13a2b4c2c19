"""The course: filled notebooks pass, unfilled ones stop at the first exercise with its hint, no check passes a wrong answer."""

import ast
import math
import os
import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
import wrong_answers
import wrong_answers_later
from nbclient import NotebookClient

from dynode.cli.dispatch import main
from dynode.errors import UserError
from dynode.experiments.teaching import checks, copies, marking

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


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Nothing can be downloaded, and nothing was before."""
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    monkeypatch.setenv("DYNODE_CACHE", str(cache))
    monkeypatch.delenv("DYNODE_ASSETS", raising=False)
    return cache


def run(notebook, folder):
    """Execute a notebook by a kernel of its own in a folder.  Returns what it printed, its figures, and its CPU seconds."""
    before = os.times()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    after = os.times()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.get("name") == "stdout")
    figures = sum("image/png" in output.get("data", {}) for output in outputs)
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return printed, figures, spent


def without_downloads(notebook):
    """A notebook without the face at the end of T5, whose generator is fetched."""
    for cell in notebook.cells:
        cell.source = re.sub(r'^face: str = "[^"]+"', 'face: str = ""', cell.source, flags=re.M)
    return notebook


def drawn_in(notebook) -> int:
    """How many cells draw a figure."""
    return sum("plt.subplots(" in cell.source for cell in notebook.cells if cell.cell_type == "code")


LONG = ("T3", "T4", "T5")
FILLED = [pytest.param(path, id=path.stem, marks=[pytest.mark.long] * path.stem.startswith(LONG)) for path in NOTEBOOKS]


@pytest.mark.parametrize("path", FILLED)
def test_a_filled_notebook_passes_offline_in_little_time_and_shows_every_figure(path, offline, tmp_path):
    notebook = without_downloads(copies.read(path, solutions=True))
    printed, figures, seconds = run(notebook, tmp_path)
    assert 0 < seconds < CPU_SECONDS
    right = re.findall(r"^(\S+): right$", printed, re.M)
    assert right == exercises_in(path) and 4 <= len(right) <= 6
    assert figures == drawn_in(notebook) - (path.stem[:2] == "T5")
    assert not list(offline.rglob("*.*"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_unfilled_copy_runs_offline_to_the_first_exercise_and_stops_there_with_its_hint(
    path, offline, tmp_path, capsys
):
    (copy,) = [each for each in copies.write_copies(tmp_path / "class") if each.name == path.name]
    first = exercises_in(path)[0]
    with pytest.raises(checks.NotRight) as stopped:
        executed(nbformat.read(copy, as_version=4))
    assert not list(offline.rglob("*.*"))
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


RUNGE_KUTTA = r"2 \* \w+ \+ 2 \* \w+"  # the weighted sum of slopes in the answer of T2.rk4_step


def test_no_unfilled_notebook_shows_the_runge_kutta_steps_that_t2_asks_for():
    answers = [cell.source for cell in copies.read(NOTEBOOKS[1], solutions=True).cells if "def rk4_step" in cell.source]
    assert all(re.search(RUNGE_KUTTA, source) for source in answers) and len(answers) == 1
    for path in NOTEBOOKS:
        code = [cell.source for cell in copies.read(path).cells if cell.cell_type == "code"]
        assert not [source for source in code if re.search(RUNGE_KUTTA, source)], path.name


def test_every_exercise_is_in_a_notebook_and_has_wrong_answers():
    named = [name for path in NOTEBOOKS for name in exercises_in(path)]
    assert sorted(named) == sorted(checks.EXERCISES) == sorted(WRONG)


WRONG = wrong_answers.WRONG | wrong_answers_later.WRONG
PLANTED = [(name, k) for name, answers in WRONG.items() for k in range(len(answers))]


@pytest.mark.parametrize("name, k", PLANTED)
def test_a_planted_wrong_answer_gets_a_hint(name, k, capsys):
    torch.set_default_dtype(torch.float64)
    answer, part = WRONG[name][k]
    with pytest.raises(checks.NotRight, match=f"^{re.escape(name)}, not yet: .*{part}") as stopped:
        checks.check(name, answer)
    assert str(stopped.value).endswith((".", "?")) and capsys.readouterr().out == ""


def test_a_fit_that_does_not_know_the_period_or_has_other_frames_gets_a_hint():
    for path, part in wrong_answers_later.wrong_paths():
        with pytest.raises(checks.NotRight, match=f"^T4.beats, not yet: .*{part}"):
            checks.check("T4.beats", path)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("answer", [None, ..., lambda *_: None, "a text", math.nan])
def test_nothing_and_nonsense_get_a_hint(name, answer):
    with pytest.raises(checks.NotRight, match="not yet: "):
        checks.check(name, answer)


@pytest.mark.parametrize("name, answer", [
    ("T1.stride", np.int64(wrong_answers.STRIDE)),
    *[("T4.interval", wrong_answers_later.bootstrapped(wrong_answers_later.skills, seed=k)) for k in range(5)],
    ("T4.claim", wrong_answers_later.ENTRY | {"at_most": 1 / 2}),
])  # fmt: skip
def test_a_right_answer_of_another_kind_passes(name, answer, capsys):
    checks.check(name, answer)
    assert capsys.readouterr().out == f"{name}: right\n"


def test_an_answer_that_stops_gets_the_line_and_one_that_nbgrader_left_open_its_hint():
    def beyond(ws, stride):
        return torch.stack([ws[k + stride] for k in range(len(ws))])

    def left_open(ws, stride):
        raise NotImplementedError

    hint = re.escape(checks.EXERCISES["T1.predicted"].hint)
    with pytest.raises(checks.NotRight, match=r"stopped in line \d+, `.*ws\[k.*`, with IndexError: .* A hint: " + hint):
        checks.check("T1.predicted", beyond)
    with pytest.raises(checks.NotRight, match=f"not yet: {hint}$"):
        checks.check("T1.predicted", left_open)
    with pytest.raises(checks.NotRight, match="the check itself stopped with AttributeError: .* the kind of the value"):
        checks.check("T1.predicted", lambda ws, stride: list(ws))


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


def test_a_notebook_of_the_course_defines_names_that_python_can_read():
    for path in NOTEBOOKS:
        for cell in copies.read(path).cells:
            if cell.cell_type == "code":
                ast.parse(cell.source)


def test_every_check_stands_alone_in_its_line_behind_the_cell_that_it_checks():
    for path in NOTEBOOKS:
        code = [cell.source for cell in copies.read(path, solutions=True).cells if cell.cell_type == "code"]
        solved = [k for k, source in enumerate(code) if copies.BEGIN in source]
        assert solved == [k - 1 for k, source in enumerate(code) if marking.CHECK.search(source)]
        assert [name for name, _ in marking.checks_in(copies.read(path))] == exercises_in(path)


def code_lines(notebook) -> list[str]:
    """The lines of all code cells, without those that are empty."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [line for source in sources for line in source.splitlines() if line]


def test_copies_for_nbgrader_have_a_cell_to_write_in_and_a_locked_check_alone_for_each_exercise(tmp_path):
    assert main(["teach", "--marking", "nbgrader", "-o", str(tmp_path)]) == 0
    for path in NOTEBOOKS:
        notebook = nbformat.read(tmp_path / "source" / path.stem / path.name, as_version=4)
        nbformat.validate(notebook)
        marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        kinds = [cell.metadata["nbgrader"] for cell in marked]
        assert len({kind["grade_id"] for kind in kinds}) == len(kinds) == 2 * len(exercises_in(path))
        for cell, kind in zip(marked, kinds, strict=True):
            assert kind["schema_version"] == 3 and kind["solution"] == (copies.BEGIN in cell.source)
            assert kind["grade"] == kind["locked"] == (not kind["solution"]) == ("points" in kind)
        graded = [cell.source for cell in marked if cell.metadata["nbgrader"]["grade"]]
        assert graded == [f'teach.check("{name}", {answer})' for name, answer in marking.checks_in(copies.read(path))]
        assert [kind["points"] for kind in kinds if kind["grade"]] == [1] * len(graded)
        assert code_lines(notebook) == code_lines(copies.read(path, solutions=True))


def test_copies_for_otter_are_unfilled_and_each_exercise_has_a_test(tmp_path, capsys):
    assert main(["teach", "--marking", "otter", "-o", str(tmp_path)]) == 0
    for path, name in ((one, name) for one in NOTEBOOKS for name in exercises_in(one)):
        names: dict = {}
        exec((tmp_path / "tests" / path.stem / f"{name}.py").read_text(), names)
        (case,) = names["test"]["suites"][0]["cases"]
        assert names["OK_FORMAT"] and names["test"]["name"] == name
        assert re.fullmatch(rf">>> teach\.check\('{name}', [^\n]+\)\n{name}: right", case["code"])
    assert copies.BEGIN not in "".join(path.read_text() for path in tmp_path.glob("*.ipynb"))
    assert main(["teach", "--marking", "otter", "-o", str(tmp_path)]) == 2
    assert "exists and may hold answers" in capsys.readouterr().err


def test_copies_are_either_answers_or_for_a_tool(tmp_path, capsys):
    assert main(["teach", "--marking", "otter", "--solutions", "-o", str(tmp_path)]) == 2
    assert "take one of them" in capsys.readouterr().err and not list(tmp_path.iterdir())
