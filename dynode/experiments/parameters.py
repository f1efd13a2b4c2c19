"""Parameters of notebooks: their declaration, their types, and the command that gives them."""

import ast
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dynode.errors import UserError
from dynode.experiments import items
from dynode.runtime import ROOT
from dynode.settings import as_float

TYPES = {kind.__name__: kind for kind in (str, int, float, bool, list, dict)}
COMMAND = "DYNODE_COMMAND"  # in the environment of a notebook that `dynode run` executes: that command


@dataclass(frozen=True)
class Parameter:
    """A declared parameter of a notebook."""

    name: str
    kind: type
    default: Any

    def typed(self, value: Any) -> Any:
        """A value in the declared type: text is read as YAML, one value becomes a list of one.  Raises UserError."""
        if isinstance(value, str) and self.kind is not str:
            value = as_yaml(f"[{value}]" if self.kind is list and not value.startswith("[") else value)
        if self.kind is float:
            value = as_float(value)
        if self.kind is list and not isinstance(value, list | tuple | dict | None):
            value = [value]
        value = list(value) if isinstance(value, tuple) else value
        if type(value) is not self.kind or not self.has_elements(value):
            kind = f"an {self.kind.__name__}" if self.kind is int else f"a {self.kind.__name__}"
            raise UserError(f"{self.name} wants {kind} such as {self.default!r}, got {value!r}.")
        return value

    def has_elements(self, value: Any) -> bool:
        """Whether the elements of a list have the type of the default's, where those are all of one type."""
        kinds = {type(each) for each in self.default} if self.kind is list else set()
        return len(kinds) != 1 or {type(each) for each in value} <= kinds


def as_yaml(text: str) -> Any:
    """The value that a text is in YAML, the text itself where it is none."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def declarations(notebook: Path | str) -> dict[str, Parameter]:
    """The declared parameters of a notebook of the project: every line NAME: TYPE = DEFAULT of its cell of parameters."""
    cells = json.loads((ROOT / notebook).read_text(encoding="utf-8"))["cells"]
    (cell,) = (cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    lines = [line for line in ast.parse("".join(cell["source"])).body if isinstance(line, ast.AnnAssign)]
    return {
        name: Parameter(name, TYPES[ast.unparse(line.annotation)], ast.literal_eval(line.value))
        for line in lines
        if line.value and (name := ast.unparse(line.target))
    }


def changed(
    values: Mapping[str, Any], item: items.Item, profile: str, declared: Mapping[str, Parameter]
) -> dict[str, Any]:
    """The values that differ from those that `dynode run` would give under this profile."""
    before = usual(item, profile, declared)
    return {name: value for name, value in values.items() if value != before[name]}


def usual(item: items.Item, profile: str, declared: Mapping[str, Parameter]) -> dict[str, Any]:
    """The values that `dynode run` gives under this profile."""
    values = {name: parameter.default for name, parameter in declared.items()}
    values |= item.parameters.get(profile) or {}
    values |= {"item": item.name, "profile": profile}
    return {name: declared[name].typed(value) for name, value in values.items()}


def command_line(item: str, profile: str, changes: Mapping[str, Any]) -> str:
    """What is typed for an item under a profile, with changed parameters."""
    parts = (part for name, value in changes.items() for part in ("-p", f"{name}={written(value)}"))
    return shlex.join(["dynode", "run", item, "--profile", profile, *parts])


def written(value: Any) -> str:
    """A value as text that YAML reads as this value."""
    return value if isinstance(value, str) and as_yaml(value) == value else json.dumps(value, ensure_ascii=False)


@contextmanager
def run_as(command: str) -> Iterator[None]:
    """Notebooks executed meanwhile record that this command ran them."""
    before = os.environ.get(COMMAND)
    os.environ[COMMAND] = command
    try:
        yield
    finally:
        os.environ.pop(COMMAND)
        os.environ.update({COMMAND: before} if before is not None else {})
