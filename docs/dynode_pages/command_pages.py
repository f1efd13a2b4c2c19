"""The commands and their options, as the command line itself has them."""

import importlib
import re
import warnings

import tyro

from dynode.cli.commands import FRONT, GROUPS, Command
from dynode.cli.options_read import postponed
from dynode_pages.answers import answers, table

UNGROUPED = ("positional arguments", "options")
NO_DEFAULT = re.compile(r"\s*\((default: (''|False)?|required)\)")  # what says nothing in a table


@answers
def commands() -> str:
    """Every command of the command line, under the headings of its help."""
    parts = [(heading, listed) for heading, listed in FRONT.items() if listed[0].name not in GROUPS]
    parts += GROUPS.values()
    return "\n\n".join(f"## {heading}\n\n" + "\n\n".join(map(described, listed)) for heading, listed in parts)


def described(command: Command) -> str:
    """A command: what it does, an example, its options."""
    module, name = command.function.split(":")
    function = getattr(importlib.import_module(f"dynode.cli.{module}"), name)
    words = re.split(r"^\s*Args:", function.__doc__ or "", maxsplit=1, flags=re.M)[0]
    text = "\n\n".join(" ".join(part.split()) for part in words.split("\n\n"))
    example = f"```sh\ndynode {command.example}\n```"
    return "\n\n".join([f"### `dynode {command.name}`", text, example, *tables(function, command)])


def tables(function, command: Command) -> list[str]:
    """A table of the options of each group."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parser = tyro.extras.get_parser(postponed(function, command), prog=f"dynode {command.name}")
    made = []
    for group in parser._action_groups:
        rows = [[named(each), meaning(each.help or "")] for each in group._group_actions if each.dest != "help"]
        if rows:
            title = "" if group.title in UNGROUPED else f"*{(group.title or '').capitalize()}*\n\n"
            made.append(title + table(["argument" if group.title == UNGROUPED[0] else "option", "meaning"], rows))
    return made


def named(action) -> str:
    """How an option is typed: its names, and what stands for its value; of a switch only what switches it on."""
    names = [each for each in action.option_strings if not each.startswith("--no-")]
    value = action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar or ())
    value = f"{action.dest.upper()} ..." if value.startswith("[[") else value
    typed = ", ".join(f"`{each}`" for each in names)
    return f"{typed} `{value}`" if typed and value else typed or f"`{value}`"


def meaning(text: str) -> str:
    """The help of an option, with what Markdown would read as its own marked as plain."""
    text = NO_DEFAULT.sub("", text.replace("\N{NO-BREAK SPACE}", " "))
    code = re.split(r"(`[^`]*`)", text)
    return "".join(part if k % 2 else re.sub(r"([*_\[\]<>])", r"\\\1", part) for k, part in enumerate(code))
