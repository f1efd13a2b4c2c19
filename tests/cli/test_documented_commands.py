"""Every command of the help, the documents, the notebooks and the Makefile exists, with the options that are typed there."""

import json
import re
import shlex

import pytest
from parsed_commands import parse

from dynode.cli.commands import BARE, COMMANDS
from dynode.runtime import ROOT

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "ETHICS.md", "reports/FINDINGS.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))


def typed_in(text: str) -> list[str]:
    """The `dynode ...` of a Markdown text: of its shell blocks without their comments, and between backquotes."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    return re.findall(r"^dynode [^#\n]*", blocks, re.M) + re.findall(r"`(dynode [a-z][^`]*)`", text)


def typed_in_makefile(text: str) -> list[str]:
    """The calls of $(DYNODE), shell variables as they are."""
    calls = re.findall(r"\$\(DYNODE\) (.*?)(?= \|\||$)", text.replace("\\\n", " "), re.M)
    return [f"dynode {re.sub(r'[$]+[(]?([A-Z1-9a-z]+)[)]?', '1', call)}" for call in calls]


def all_typed() -> list[str]:
    texts = [(ROOT / name).read_text() for name in (*DOCUMENTS, *PAGES)]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        texts += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    calls = [call.strip() for text in texts for call in typed_in(text)]
    calls += typed_in_makefile((ROOT / "Makefile").read_text())
    return sorted({*calls, *(f"dynode {command.example}" for command in COMMANDS.values())})


@pytest.mark.parametrize("typed", all_typed())
def test_every_documented_command_parses(typed):
    words = shlex.split(typed)[1:]
    assert words[0] in BARE or parse(words) is None


def test_a_wrong_option_in_a_document_would_be_noticed():
    assert "dynode fit a.safetensors --strides 4" in typed_in("```sh\ndynode fit a.safetensors --strides 4\n```")
    with pytest.raises(SystemExit):
        parse(["fit", "a.safetensors", "--strides", "4"])


def test_examples_begin_with_their_command():
    assert all(command.example.startswith(command.name) for command in COMMANDS.values())
    assert len(all_typed()) > 60
