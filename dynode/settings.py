"""Settings are frozen dataclasses, nested at will; this module names, changes, stores and rebuilds them."""

import contextlib
import dataclasses
import difflib
import json
import math
from collections.abc import Collection, Iterable, Mapping
from itertools import accumulate
from typing import Any, TypeVar, overload

from dynode.errors import UserError

T = TypeVar("T")
LARGEST = 2**53  # whole numbers that a double holds exactly


def closest(name: str, legal: Iterable[str], cutoff: float = 0.6) -> str:
    """The legal name closest to `name`, else one that contains it, "" where none is near."""
    names = list(legal)
    containing = [each for each in names if len(name) > 2 and name in each]
    return next(iter([*difflib.get_close_matches(name, names, n=1, cutoff=cutoff), *containing]), "")


def nearest(name: str, legal: Iterable[str]) -> str:
    """ ", did you mean 'x'" for the legal name closest to `name`, or nothing."""
    close = closest(name, legal)
    return f", did you mean {close!r}" if close else ""


def listed(legal: Iterable[str], length: int = 160) -> str:
    """Legal names for a sentence, in alphabetical order: all, or where they are many those that fit, and how many more there are."""
    names = sorted(legal)
    shown = sum(end <= length for end in accumulate(len(name) + 2 for name in names))
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if shown < len(names) else "")


@overload
def choose(kind: str, name: str, legal: Mapping[str, T]) -> T: ...


@overload
def choose(kind: str, name: str, legal: Collection[str]) -> str: ...


def choose(kind: str, name: str, legal: Mapping[str, Any] | Collection[str]) -> Any:
    """`legal[name]` (or `name` itself from a list), or a UserError with the nearest legal choice and all of them."""
    if name not in legal:
        raise UserError(f"There is no {kind} {name!r}{nearest(name, legal)}; legal are {listed(legal)}.")
    return legal[name] if isinstance(legal, Mapping) else name


def changed(settings: T, changes: Mapping[str, Any]) -> T:
    """A copy with some fields changed; nested fields are dotted ("training.iterations") or nested dicts.

    Raises UserError for a field that does not exist (naming the nearest), for a value of another type, and for a
    negative number: no setting has a meaning below 0.
    """
    result: Any = settings
    for key, value in changes.items():
        name, _, rest = str(key).partition(".")
        current = getattr(result, choose("setting", name, field_names(settings)))
        if dataclasses.is_dataclass(current):
            inner = {rest: value} if rest else value
            if not isinstance(inner, dict):
                raise UserError(
                    f"{key} has the settings {listed(field_names(current))}: change one of them, as {key}.NAME=VALUE."
                )
            value = changed(current, inner)
        elif rest:
            raise UserError(f"{name} is one value, such as {typed(current)}: there is no {key}.")
        else:
            value = same_type(key, value, current)
        result = dataclasses.replace(result, **{name: value})
    return result


def field_names(settings: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(settings)]


def same_type(key: str, value: Any, current: Any) -> Any:
    """`value` in the type of the field's present value; ints may stand for floats, lists for tuples."""
    if isinstance(current, tuple) and isinstance(value, list | tuple) and len(value) == len(current):
        return tuple(same_type(key, each, known) for each, known in zip(value, current, strict=True))
    if isinstance(current, float):
        value = as_float(value)
    if type(value) is not type(current) or isinstance(current, tuple):
        raise UserError(f"{key} wants {kind_of(current)} such as {typed(current)}, got {typed(value)}.")
    if type(value) is int and value > LARGEST:
        raise UserError(
            f"{key} wants a whole number of at most {LARGEST}, such as {typed(current)}, got {typed(value)}."
        )
    if isinstance(value, float | int) and not 0 <= value < math.inf:
        raise UserError(f"{key} wants a finite number of 0 or more, such as {typed(current)}, got {typed(value)}.")
    return value


def kind_of(value: Any) -> str:
    """What the type of a setting is called."""
    names = {bool: "true or false,", int: "a whole number", float: "a number", str: "a text"}
    return names.get(type(value)) or f"a list of {len(value)}"


def typed(value: Any) -> str:
    """A value as it is typed after -p."""
    if isinstance(value, tuple | list):
        return ",".join(map(typed, value)) or "nothing"
    return str(value).lower() if isinstance(value, bool) or value is None else f"{value!r}"


def as_float(value: Any) -> Any:
    """An int, or a number that YAML takes for a string because it has no point ("1e-3"), as a float; others as is."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        with contextlib.suppress(ValueError, OverflowError):
            return float(value)
    return value


def require_positive(settings: Any, *names: str) -> None:
    """Raises UserError where one of these fields is 0."""
    for name in names:
        if not getattr(settings, name) > 0:
            raise UserError(f"{name} must be above 0, got {getattr(settings, name)!r}.")


def to_json(settings: Any) -> str:
    """A settings dataclass as one line of JSON (safetensors metadata holds strings only)."""
    return json.dumps(dataclasses.asdict(settings), sort_keys=True)


def from_json(cls: type[T], text: str) -> T:
    """Rebuild a settings dataclass.  Raises UserError for a field that the class does not have."""
    return changed(cls(), json.loads(text))
