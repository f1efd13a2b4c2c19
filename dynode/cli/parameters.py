"""What several commands share: -p NAME=VALUE and -o FILE."""

from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg

from dynode.errors import UserError

Parameters = Annotated[UseAppendAction[tuple[str, ...]], arg(aliases=["-p"], metavar="NAME=VALUE")]
Output = Annotated[Path, arg(aliases=["-o"])]


def assignments(pairs: tuple[str, ...]) -> dict:
    """("a=1", "b.c=[2, 3]") -> {"a": 1, "b.c": [2, 3]}, values read as YAML.  Raises UserError for anything else."""
    import yaml

    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UserError(f"-p wants NAME=VALUE, got {pair!r}.")
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"-p {pair} cannot be read: a value is YAML, such as 5, 0.1, text or [1, 2].") from None
    return values
