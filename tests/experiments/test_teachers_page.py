"""The teacher's page: every command, notebook and exercise that it names is there, and what it says of answers is so."""

import importlib
import re
import shlex

import pytest

import dynode
from dynode import clips
from dynode.cli.commands import COMMANDS
from dynode.cli.options_read import options_of
from dynode.experiments.teaching import checks, copies, marking
from dynode.io import assets
from dynode.runtime import ROOT

PAGE = (ROOT / "docs" / "teach.md").read_text()
LINES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    for line in block.splitlines()
]
SPANS = re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"```.*?```", "", PAGE, flags=re.S))
OTHERS = {"jupyter", "grep", "nbgrader", "otter"}  # programs that are not this project's


def words_of(line: str) -> list[str]:
    """The words of a command, without variables before it, and without a folder of the program."""
    words = [word for word in shlex.split(line.replace("\\", "/")) if not re.match(r"[A-Z_]+=", word)]
    return [words[0].rpartition("/")[2], *words[1:]]


COMMAND_LINES = [words_of(line) for line in [*LINES, *(span for span in SPANS if re.match(r"(\S*\\)?dynode ", span))]]


@pytest.mark.parametrize("words", COMMAND_LINES, ids=" ".join)
def test_every_command_of_the_page_exists_with_its_options(words):
    if words[0] == "make":
        assert re.search(rf"^\.PHONY:.* {words[1]}\b", (ROOT / "Makefile").read_text(), re.M)
    elif words[0] == "dynode":
        module, function = COMMANDS[words[1]].function.split(":")
        options = options_of(getattr(importlib.import_module(f"dynode.cli.{module}"), function))
        assert {word for word in words if word.startswith("--")} <= {*options}
    else:
        assert words[0] in OTHERS


def test_commands_of_several_kinds_were_read_from_the_page():
    assert {words[0] for words in COMMAND_LINES} == {"make", "dynode", *OTHERS}


def test_the_table_has_the_titles_and_counts_of_the_notebooks():
    rows = re.findall(r"^\| (T\d) \| ([^|]+) \|.*\| (\d) \| (\d+) \|$", PAGE, re.M)
    for path, (name, title, count, minutes) in zip(copies.notebooks(), rows, strict=True):
        notebook = copies.read(path)
        first = notebook.cells[0].source
        assert first.startswith(f"# {name}. {title}\n")
        assert len(marking.checks_in(notebook)) == int(count) and f"{minutes} minutes;" in first


def test_exercises_and_tools_of_the_page_exist():
    named = {*re.findall(r"\bT\d\.[a-z0-9_]+", PAGE)}
    assert len(named) > 10 and named <= {*checks.EXERCISES}
    tools = {words[words.index("--marking") + 1] for words in COMMAND_LINES if "--marking" in words}
    assert tools == {*marking.TOOLS}
    for target in re.findall(r"(?:generate_assignment|autograde) (\S+)", PAGE):
        assert target in {path.stem for path in copies.notebooks()}


def test_fetched_files_are_the_face_generators_and_as_large_as_the_page_says():
    fetched = next(words[2:] for words in COMMAND_LINES if words[:2] == ["dynode", "fetch"])
    assert tuple(fetched) == dynode.generators.SOURCES["mobilestylegan-ffhq"].assets
    megabytes = sum(assets.registry()[1][name].size for name in fetched) / 1e6
    assert f"{megabytes:.0f} MB in four files" in PAGE


@pytest.mark.parametrize("method", ["trend", "trend+mlp", "dynode", "gp_periodic"])
def test_the_methods_that_the_page_names_reach_what_it_says(method):
    assert f"`{method}`" in PAGE
    path = dynode.fit(clips.load("bird.beats").sampled("irregular", 3), method)
    if method == "gp_periodic":
        with pytest.raises(checks.NotRight, match="is wanted"):
            checks.check("T4.beats", path)
    else:
        checks.check("T4.beats", path)
