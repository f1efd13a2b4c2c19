"""The help of one command: tyro draws its tables as wide as the terminal, here its paragraphs are wrapped to that width too."""

import contextlib
import io
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TextIO

UNBROKEN = re.compile(r"`[^`\n]+`|\[[^][\n]*\]")  # a command, or an option with its value in the line of the usage
NARROWEST = 40  # columns
BLANK = "\N{NO-BREAK SPACE}"  # which neither tyro nor textwrap breaks a line at


class Page(io.StringIO):
    """What is printed meanwhile, by a program that sees the same kind of terminal."""

    def __init__(self, stream: TextIO):
        super().__init__()
        self.stream = stream

    @property
    def encoding(self) -> str:
        return self.stream.encoding

    def isatty(self) -> bool:
        return self.stream.isatty()


@contextlib.contextmanager
def wrapped() -> Iterator[None]:
    """A context in which lines that are longer than the terminal is wide are wrapped, but commands and options in them."""
    page, columns = Page(sys.stdout), max(shutil.get_terminal_size().columns, NARROWEST)
    try:
        with contextlib.redirect_stdout(page):
            yield
    finally:
        lines = [part for line in page.getvalue().split("\n") for part in parts_of(line, columns)]
        print("\n".join(lines).replace(BLANK, " "), end="")


def parts_of(line: str, columns: int) -> list[str]:
    """A line as several of at most that many columns, but for longer words; those of a usage are indented."""
    if len(line) <= columns:
        return [line]
    indent = " " * len("usage: ") if "usage:" in line else ""
    whole_words = textwrap.TextWrapper(
        columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return whole_words.wrap(unbroken(line))


def unbroken(text: str) -> str:
    """A text in which no line is broken inside a command or an option."""
    return UNBROKEN.sub(lambda match: match[0].replace(" ", BLANK), text)
