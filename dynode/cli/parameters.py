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
            raise UserError(f"-p wants NAME=VALUE, got {pair!r}.")
        values[name] = value_of(pair, f"[{text}]" if is_list(name) and not text.startswith("[") else text)
    return values


def value_of(pair: str, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"-p {pair} cannot be read: a value is YAML, such as 5, 0.1, text or 1,2.") from None


def settings_with(settings: Any, pairs: tuple[str, ...]) -> Any:
    """Settings changed by -p; None has nothing to change.

    Raises UserError for an unknown name (with the nearest), for a value of another type, and for any -p without settings.
    """
    if settings is None and pairs:
        raise UserError(f"This method has no settings, got -p {pairs[0]}: leave it out.")
    return changed(settings, assignments(pairs, is_list_in(settings)))


def is_list_in(settings: Any) -> Callable[[str], bool]:
    """Whether a setting, given by its dotted name, is a list; False for one that does not exist."""
    return lambda name: isinstance(
        reduce(lambda part, key: getattr(part, key, None), name.split("."), settings), tuple | list
    )
