"""-p NAME=VALUE: settings of a method, or parameters of a notebook."""

from collections.abc import Callable
from functools import reduce
from typing import Annotated, Any

from tyro.conf import UseAppendAction, arg

from dynode.errors import UserError
from dynode.settings import changed

Parameters = Annotated[UseAppendAction[tuple[str, ...]], arg(aliases=["-p"], metavar="NAME=VALUE")]


def assignments(pairs: tuple[str, ...], is_list: Callable[[str], bool] = lambda name: False) -> dict[str, Any]:
    """("a=1", "b.c=2,3") -> {"a": 1, "b.c": [2, 3]}, values read as YAML; where `is_list` says so, as lists, brackets or not.

    Raises UserError for what is no NAME=VALUE, or no YAML.
    """
    values = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise UserError(f"-p wants NAME=VALUE, such as seed=1, got {pair!r}.")
        if name in values:
            raise UserError(f"-p {name} is given twice: give it once.")
        values[name] = value_of(pair, f"[{text}]" if is_list(name) and not text.startswith("[") else text)
    return values


def value_of(pair: str, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"-p {pair} cannot be read: a value is YAML, such as 5, 0.1, text or 1,2.") from None


def settings_with(settings: Any, pairs: tuple[str, ...], **named: Any) -> Any:
    """Settings changed by -p and by what an argument of the command sets; None has nothing to change.

    named: values by their setting, with "__" for its dots.  Raises UserError for an unknown name (with the nearest), for a
    value of another type, for any -p without settings, and for one that an argument of the command sets.
    """
    if settings is None and pairs:
        raise UserError(f"This method has no settings, got -p {pairs[0]}: leave it out.")
    fixed = {name.replace("__", "."): value for name, value in named.items()}
    changes = assignments(pairs, is_list_in(settings))
    for name in fixed:
        if name in changes:
            raise UserError(f"{name} is set by an argument of this command, to {fixed[name]!r}: leave -p {name} out.")
    return changed(settings, fixed | changes)


def is_list_in(settings: Any) -> Callable[[str], bool]:
    """Whether a setting, given by its dotted name, is a list; False for one that does not exist."""
    return lambda name: isinstance(
        reduce(lambda part, key: getattr(part, key, None), name.split("."), settings), tuple | list
    )
