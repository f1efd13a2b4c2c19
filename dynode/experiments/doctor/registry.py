"""Checks by name, and what one answers.  Standard library only: a broken environment is examined, too."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dynode.errors import UserError

State = Literal["ok", "note", "fix"]


@dataclass(frozen=True)
class Answer:
    """What a check has seen.  state: ok; note, where something optional is missing; fix, where results would be none or wrong.

    remedy: what to do about it, "" where it is ok.
    """

    state: State
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Finding(Answer):
    """An answer with the name of its check and the seconds that it took."""

    check: str = ""
    seconds: float = 0.0


Check = Callable[[], Answer]
CHECKS: dict[str, Check] = {}  # of every machine
SLURM: dict[str, Check] = {}  # of a cluster


def ok(text: str) -> Answer:
    return Answer("ok", text)


def note(text: str, remedy: str) -> Answer:
    return Answer("note", text, remedy)


def fix(text: str, remedy: str) -> Answer:
    return Answer("fix", text, remedy)


def check(name: str, among: dict[str, Check] = CHECKS) -> Callable[[Check], Check]:
    """Register a check under its name, in the order in which they are printed."""

    def add(function: Check) -> Check:
        among[name] = function
        return function

    return add


def examine(name: str, function: Check) -> Finding:
    """Run a check.  One that raises is to be fixed: what it uses does not work."""
    begun = time.monotonic()
    try:
        answer = function()
    except UserError as error:
        text, _, remedy = str(error).rstrip(".").rpartition(": ")
        answer = fix(text, remedy) if text else fix(remedy, "do what it says")
    except ModuleNotFoundError as error:
        answer = fix(f"the package {error.name} is not installed", "`python3 -m dynode setup`")
    except Exception as error:  # whatever a broken library raises
        answer = fix(first_line(error), "`python3 -m dynode setup` after removing .venv, else report it")
    return Finding(answer.state, answer.text, answer.remedy, name, time.monotonic() - begun)


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
