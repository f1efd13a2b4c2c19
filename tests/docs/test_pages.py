"""The pages of docs/: their queries have answers, their commands exist, their code runs, and every method has a page."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from dynode_pages import answered
from dynode_pages.answers import page_of
from dynode_pages.documents import linked
from dynode_pages.facts import checklists
from dynode_pages.methods import flat
from parsed_commands import parse
from typed_numbers import sentences_with_numbers

from dynode import cli
from dynode.cli.commands import COMMANDS
from dynode.dynamics import METHODS
from dynode.errors import UserError
from dynode.generators import SOURCES
from dynode.metrics import METRICS
from dynode.reporting.pages.notebook_pages import mathml
from dynode.runtime import ROOT
from dynode.video_editing.registry import SYSTEMS

DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text() for path in sorted(DOCS.rglob("*.md"))}
BY_HAND = Path(__file__).with_name("numbers_in_pages.txt")
COURSE = "teach.md"  # a plan of lessons, whose numbers have a test of their own
MOST_BY_HAND = 14  # may only fall
# formulas, numbers of a list, directives, the year of a publication
NO_RESULT = r"\$\$.*?\$\$|^\d+\. |^:+(\{|gutter)[^\n]*|(et al\.|and [A-Z]\w+|\([A-Z]\w+) \d{4}"
CODE = r"```.*?```|`[^`]*`"
PROGRAMS = {"dynode", "make", "python3", "git", "docker", "apptainer", "conda", "pip", ".venv/bin/python"}
PROGRAMS |= {"jupyter", "nbgrader", "otter", "grep"}  # of whoever teaches


def shell_lines(page: str) -> list[str]:
    """The lines of the shell blocks of a page, without their comments."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.S))
    return [line for each in blocks.splitlines() if (line := each.partition("  #")[0].strip())]


def python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page, re.S)


@pytest.mark.parametrize("name", PAGES)
def test_every_query_of_a_page_has_an_answer(name):
    page = answered(PAGES[name])
    assert "{{" not in page and page.startswith("# ")


def test_a_query_that_is_none_is_an_error():
    with pytest.raises(UserError, match="did you mean 'mean'"):
        answered("{{ meen worlds metric=precision | .2f }}")


def test_an_answer_follows_what_it_is_of(monkeypatch):
    """Settings of a page are those of the package, and its numbers those of the records."""
    page = answered(PAGES["methods/gru.md"])
    assert all(f"| `{name}` | `{value}` |" in page for name, value in flat(METHODS["gru"].settings).items())
    before = answered("{{ measured linear }}")
    monkeypatch.setattr("dynode_pages.measurements.USUAL_STRIDE", 2)
    assert answered("{{ measured linear }}") != before


@pytest.mark.parametrize("folder, registry", [("methods", METHODS), ("systems", SYSTEMS)])
def test_every_method_and_every_system_has_a_page_and_no_other_has(folder, registry):
    shipped = [name for name in registry if registry[name].__module__.startswith("dynode") or folder == "methods"]
    assert {path.stem for path in (DOCS / folder).glob("*.md")} == {page_of(name) for name in shipped}
    for name in shipped:
        page = PAGES[f"{folder}/{page_of(name)}.md"]
        assert page.startswith(f"# `{name}`\n") and "## Equation" in page and "{{ measured" in page


def test_deviations_of_systems_are_numbered_and_are_those_of_the_package():
    for name, system in SYSTEMS.items():
        changed = [part for part in getattr(system, "fidelity", ()) if part.state != "kept"]
        page = answered(PAGES[f"systems/{page_of(name)}.md"])
        assert all(f"{k}. **{part.name}**" in page for k, part in enumerate(changed, 1))
        assert changed or "1. " in page


def test_every_command_has_its_options_on_the_page():
    page = answered(PAGES["commands.md"])
    assert [each for each in COMMANDS if f"### `dynode {each}`\n" not in page] == []
    assert "| `--stride` `INT` | Observe every N-th frame. (default: 1) |" in page


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if shell_lines(page)])
def test_shell_lines_begin_with_a_known_program_and_make_has_the_target(name):
    targets = set(re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.M))
    known = {word for line in targets for word in line.split()}
    for line in shell_lines(PAGES[name]):
        program, *rest = shlex.split(re.sub(r"^([A-Z_]+=\S+ )*", "", line))
        assert program in PROGRAMS, line
        assert program != "make" or set(rest) <= known, line
        assert program != "dynode" or parse(rest) is None


@pytest.mark.parametrize("row", [row for rows in checklists().values() for row in rows], ids=lambda row: row["command"])
def test_every_command_of_a_checklist_exists(row):
    program, *words = shlex.split(row["command"])
    assert set(row) == {"question", "answer", "command"} and program in {"dynode", "make", "python3", "git"}
    if program == "git":
        assert words[0] == "ls-files" and all((ROOT / name).is_file() for name in words[1:])
    elif program == "make":
        assert re.search(rf"^[a-z -]*\b{words[0]}\b.*:", (ROOT / "Makefile").read_text(), re.M)
    elif program == "python3":
        assert words[:2] == ["-m", "dynode"] and words[2] in cli.commands.BARE
    else:
        parse(words)


CHEAP = ("dynode verify --recorded", "dynode list", "dynode fetch --list", "dynode editors")


def code_of(line: str) -> int:
    try:
        return cli.main(shlex.split(line)[1:])
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize("line", CHEAP)
def test_cheap_commands_of_the_pages_run(line, capsys):
    assert any(line in page or f"command: {line}" in (DOCS / "checklists.yaml").read_text() for page in PAGES.values())
    assert code_of(line) in (0, 3)  # 3: a record is missing, which `dynode verify` says
    assert len(capsys.readouterr().out.splitlines()) > 10


@pytest.mark.long
def test_a_fit_as_the_pages_make_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = [line for line in shell_lines(PAGES["check.md"]) if "cubic.fit" in line]
    assert len(lines) == 2
    for line in lines:
        assert cli.main(shlex.split(line)[1:]) == 0
    assert "cubic" in capsys.readouterr().out


ADDED = {  # page -> its registry, its module in CONTRIBUTING, the name that it registers
    "add-method.md": (METHODS, "dynode/dynamics/baselines/nearest.py", "nearest"),
    "add-generator.md": (SOURCES, "dynode/generators/gradients.py", "gradients"),
    "add-metric.md": (METRICS, "dynode/metrics/edges.py", "edge_mse"),
}


@pytest.mark.parametrize("name", ADDED)
def test_a_plugin_made_from_its_page_is_found_and_its_code_runs(name, plugin, tmp_path, monkeypatch, capsys):
    """The page's own entry point and module, and every Python block after it."""
    registry, module, registered = ADDED[name]
    page = answered(PAGES[name])
    project = tomllib.loads(re.findall(r"```toml\n(.*?)```", page, re.S)[0])
    ((group, named),) = project["project"]["entry-points"].items()
    (point,) = named.values()
    assert group == registry.group and project["tool"]["setuptools"]["py-modules"] == [point]
    code, *uses = python_blocks(page)
    assert f"`{point}.py`" in page and len(code.splitlines()) <= 30
    monkeypatch.chdir(tmp_path)
    plugin(registry, code)
    assert registered in registry
    run(uses)
    assert capsys.readouterr().out.strip()


def run(blocks: list[str]) -> None:
    """Run the blocks of a page one after the other."""
    names: dict = {}
    for block in blocks:
        exec(compile(block, "page", "exec"), names)


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if python_blocks(page) and name not in ADDED])
def test_the_python_of_a_page_runs(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(python_blocks(PAGES[name]))
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if "$" in re.sub(CODE, "", page, flags=re.S)])
def test_every_formula_becomes_mathml(name):
    page = re.sub(CODE, "", PAGES[name], flags=re.S)
    formulas = [one or other for one, other in re.findall(r"\$\$(.*?)\$\$|\$(.*?)\$", page, re.S)]
    assert formulas and [each for each in formulas if not mathml(each).startswith("<math")] == []


def test_links_of_included_documents_lead_somewhere():
    text = "[a](FINDINGS.md) [b](recorded/bench.json.xz) [c](recorded) [d](https://x.y) `[e](f)`\n```\n[g](h.md)\n```"
    assert linked(text, Path("reports")) == (
        "[a](findings.md) {download}`b <../reports/recorded/bench.json.xz>` c [d](https://x.y) `[e](f)`\n```\n[g](h.md)\n```"
    )


def test_comments_of_documents_go_and_those_in_sentences_stay():
    findings = answered(PAGES["findings.md"])
    assert "\n<!--" not in findings and "`<!-- rendered: " in (ROOT / "reports" / "FINDINGS.md").read_text()
    assert "`<!-- rendered: " in findings


def test_the_wheel_has_nothing_of_the_pages():
    chosen = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    code = (
        f"from setuptools import find_namespace_packages as f; print(*f({str(ROOT)!r}, include={chosen['include']!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    packages = done.stdout.split()
    assert "dynode.dynamics" in packages and {name.partition(".")[0] for name in packages} == {"dynode"}


def typed() -> list[str]:
    pages = [re.sub(NO_RESULT, "", page, flags=re.M | re.S) for name, page in PAGES.items() if name != COURSE]
    return [sentence for page in pages for sentence in sentences_with_numbers(page)]


def test_numbers_that_are_typed_in_pages_are_listed_and_become_fewer():
    """A result is a query; what is no result, such as a version or an example, is in the list."""
    listed = BY_HAND.read_text().splitlines()
    assert sorted({*typed()} - {*listed}) == [], "a number that is no query"
    assert sorted({*listed} - {*typed()}) == [], "take out what is no longer there"
    assert len(listed) <= MOST_BY_HAND


if __name__ == "__main__":  # after reading each line: no result is typed
    BY_HAND.write_text("\n".join(dict.fromkeys(typed())) + "\n")
