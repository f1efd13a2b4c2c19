"""The help of each command fits the terminal, and breaks no command."""

import importlib
import re

import pytest

from dynode.cli import help_pages
from dynode.cli.commands import COMMANDS
from dynode.cli.options_read import bound


def page_of(name: str, capsys) -> str:
    module, function = COMMANDS[name].function.split(":")
    with pytest.raises(SystemExit):
        bound(COMMANDS[name], getattr(importlib.import_module(f"dynode.cli.{module}"), function), ["--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_of_a_help_is_wider_than_the_terminal_and_no_command_in_it_is_broken(
    name, columns, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", str(columns))
    printed = page_of(name, capsys).splitlines()
    assert printed[0].startswith(f"usage: dynode {name} ") and max(map(len, printed)) <= columns
    assert not [line for line in printed if line.count("`") % 2], "a command goes on in the next line"


def test_wrapping_loses_and_adds_no_word(capsys, monkeypatch):
    texts = []
    for columns in (50, 400):
        monkeypatch.setenv("COLUMNS", str(columns))
        texts.append(re.sub(r"[\s│╭╮╰╯─|+-]+", "", page_of("edit", capsys)))
    assert texts[0] == texts[1]


def test_a_paragraph_is_wrapped_and_the_options_of_a_usage_stay_whole():
    assert help_pages.parts_of("one two three", 13) == ["one two three"]
    assert help_pages.parts_of("one two three", 9) == ["one two", "three"]
    usage = [line.replace(help_pages.BLANK, " ") for line in help_pages.parts_of("usage: a [-o PATH] [-p N=V]", 20)]
    assert usage == ["usage: a [-o PATH]", "       [-p N=V]"]
