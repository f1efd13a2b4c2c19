"""Checks of exercises: `check(name, value)` prints "right", or stops with a hint and never with the answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dynode.lazy import Registry
from dynode.settings import choose


@dataclass(frozen=True)
class Exercise:
    """hint: of an exercise that nothing was written for yet.  fault: value -> what is wrong with it, as a hint, or ""."""

    hint: str
    fault: Callable[[Any], str]


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
    except NothingYet:
        fault = wanted.hint
    except Exception as error:  # whatever an answer that is not finished raises
        fault = f"it stopped with {type(error).__name__}: {error}. {wanted.hint}"
    if fault:
        raise NotRight(f"{name}, not yet: {fault}")
    print(f"{name}: right")


class NothingYet(Exception):
    """A function that returns nothing."""


def returned(function: Callable, *arguments: Any) -> Any:
    """What a function returns.  Raises NothingYet for None."""
    value = function(*arguments)
    if value is None or value is ...:
        raise NothingYet
    return value
