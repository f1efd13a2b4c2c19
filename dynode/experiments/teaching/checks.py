"""Checks of exercises: `check(name, value)` prints "right", or stops with a hint and never with the answer."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dynode.errors import UserError
from dynode.lazy import Registry
from dynode.settings import choose


@dataclass(frozen=True)
class Exercise:
    """hint: of an exercise that nothing was written for yet.  fault: value -> what is wrong with it, as a hint, or ""."""

    hint: str
    fault: Callable[[Any], str]


PACKAGE = Path(__file__).parents[2]
EXERCISES: Registry[Exercise] = Registry("dynode.experiments.teaching")


class NotRight(Exception):
    """An exercise that is not solved yet; notebooks show its sentence alone."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def exercise(name: str, hint: str) -> Callable[[Callable[[Any], str]], Callable[[Any], str]]:
    """Register a function value -> hint ("" where it is right) as the check of an exercise."""

    def registered(fault: Callable[[Any], str]) -> Callable[[Any], str]:
        EXERCISES.add(name, Exercise(hint, fault))
        return fault

    return registered


def check(name: str, value: Any) -> None:
    """Print "right".  Raises NotRight with a hint where the value, or what the function returns, is not."""
    wanted = choose("exercise", name, EXERCISES)
    try:
        fault = wanted.hint if value is None or value is ... else wanted.fault(value)
    except (NothingYet, NotImplementedError):  # the second is what nbgrader puts in the place of a solution
        fault = wanted.hint
    except Changed:
        fault = "it changes the tensors that it is given, which others use: compute new ones, or work on a `clone()`."
    except Exception as error:  # whatever an answer that is not finished raises
        fault = f"{stopped(error)} A hint: {wanted.hint}"
    if fault:
        raise NotRight(f"{name}, not yet: {fault}")
    print(f"{name}: right")


def stopped(error: Exception) -> str:
    """The error that ended an answer, and the line of the answer that it is of, or that it is of none."""
    what = f"{type(error).__name__}: {str(error).rstrip('.')}."
    frames = [each for each in traceback.extract_tb(error.__traceback__) if written_here(each.filename)]
    if not frames and isinstance(error, UserError):
        return str(error)
    if not frames:
        return f"the check itself stopped with {what} Are the arguments and the kind of the value those of the text?"
    last = [each for each in frames if each.filename == frames[0].filename][-1]
    return f"it stopped in line {last.lineno}{f', `{last.line}`,' if last.line else ''} with {what}"


def written_here(filename: str) -> bool:
    """Whether a file is neither of this package nor of an installed one."""
    return not Path(filename).is_relative_to(PACKAGE) and "site-packages" not in Path(filename).parts


class NothingYet(Exception):
    """A function that returns nothing."""


class Changed(Exception):
    """A function that overwrites its arguments."""


def returned(function: Callable, *arguments: Any) -> Any:
    """What a function returns.  Raises NothingYet for None, Changed where it wrote into a tensor that it was given."""
    given = [torch.as_tensor(each).detach() for each in arguments if isinstance(each, torch.Tensor | np.ndarray)]
    before = [each.clone() for each in given]
    value = function(*arguments)
    if not all(torch.equal(one, other) for one, other in zip(given, before, strict=True)):
        raise Changed
    if value is None or value is ...:
        raise NothingYet
    return value
