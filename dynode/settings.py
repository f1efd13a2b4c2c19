"""Settings are frozen dataclasses, nested at will; this module names, changes, stores and rebuilds them."""

import dataclasses
import difflib
import json

from dynode.errors import UserError


def nearest(name: str, legal) -> str:
    """ ", did you mean 'x'" for the legal name closest to `name`, or nothing."""
    close = difflib.get_close_matches(name, list(legal), n=1, cutoff=0.4)
    return f", did you mean {close[0]!r}" if close else ""


def choose(kind: str, name: str, legal):
    """`legal[name]` (or `name` itself from a list), or a UserError with the nearest legal choice and all of them."""
    if name not in legal:
        raise UserError(f"There is no {kind} {name!r}{nearest(name, legal)}; legal are {', '.join(sorted(legal))}.")
    return legal[name] if isinstance(legal, dict) else name


def changed(settings, changes: dict):
    """A copy with some fields changed; nested fields are dotted ("training.iterations") or nested dicts.

    Raises UserError for a field that does not exist (naming the nearest) and for a value of another type.
    """
    for key, value in changes.items():
        name, _, rest = key.partition(".")
        current = getattr(settings, choose(f"field of {type(settings).__name__}", name, field_names(settings)))
        if dataclasses.is_dataclass(current):
            value = changed(current, {rest: value} if rest else value)
        else:
            value = same_type(key, value, current)
        settings = dataclasses.replace(settings, **{name: value})
    return settings


def field_names(settings) -> list[str]:
    return [field.name for field in dataclasses.fields(settings)]


def same_type(key: str, value, current):
    """`value` in the type of the field's present value; ints may stand for floats, lists for tuples."""
    if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(current, tuple) and isinstance(value, list):
        return tuple(value)
    if type(value) is not type(current):
        raise UserError(f"{key} wants a {type(current).__name__} such as {current!r}, got {value!r}.")
    return value


def to_json(settings) -> str:
    """A settings dataclass as one line of JSON (safetensors metadata holds strings only)."""
    return json.dumps(dataclasses.asdict(settings), sort_keys=True)


def from_json(cls, text: str):
    """Rebuild a settings dataclass; a UserError tells which field is not known here."""
    return changed(cls(), json.loads(text))
