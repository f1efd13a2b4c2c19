"""The beginning of every notebook: its parameters, checked however it is run, and its outputs and checks."""

import ast
import itertools
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from dynode.errors import UserError
from dynode.experiments import items, origin
from dynode.experiments.parameters import COMMAND, changed, command_line, declarations
from dynode.reporting.outputs import Outputs
from dynode.settings import choose, nearest


def without_stops(unraisable: "sys.UnraisableHookArgs") -> None:
    """Print what a destructor could not raise, but for a stop that reached Python within one: the runner ends the kernel."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def begin(namespace: dict[str, Any]) -> tuple[Outputs, items.Checks]:
    """Give the parameters in a notebook's globals() their declared types; its outputs and its checks.

    Jupyter, nbconvert and papermill by hand check nothing, and papermill makes a text of every list.
    Raises UserError for a parameter that the notebook does not declare, that is missing, or that has another type.
    """
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = without_stops
    item = items.item(str(namespace.get("item", "")))
    declared = declarations(item.notebook)
    for name in assigned(namespace.get("In", [])):
        if name not in declared:
            legal = ", ".join(sorted(declared))
            raise UserError(f"{item.notebook} has no parameter {name!r}{nearest(name, declared)}; legal are {legal}.")
    if missing := sorted(declared.keys() - namespace.keys()):
        raise UserError(
            f"The item {item.name} is that of {item.notebook}, whose parameter {missing[0]} is missing here."
        )
    values = {name: parameter.typed(namespace[name]) for name, parameter in declared.items()}
    namespace.update(values)
    profile = choose("profile", values["profile"], list(items.PROFILES))
    changes = changed(values, item, profile, declared)
    by_hand = f"{item.notebook} run by hand, the same as {command_line(item.name, profile, changes)}"
    checks = items.checks(item.name, profile)
    checks = replace(checks, changed=bool(changes.keys() - origin.HARMLESS))
    stamp = origin.stamp(item.notebook, values)
    return Outputs(item.name, profile, os.environ.get(COMMAND) or by_hand, stamp=stamp), checks


def assigned(history: list[str]) -> Iterator[str]:
    """The names assigned by the cell of parameters that ran last, and by cells of mere assignments behind it.

    history: the sources of all cells that ran.  Papermill adds such a cell.
    """
    trees = [tree for source in history if (tree := parsed(source)) is not None and tree.body]
    begins = [k for k, tree in enumerate(trees) if any(isinstance(line, ast.AnnAssign) for line in tree.body)]
    behind = trees[begins[-1] :] if begins else []
    for tree in itertools.takewhile(is_assignments, behind):
        yield from map(name_of, tree.body)


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of a cell, None of one that is no Python, such as a magic."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return None


def is_assignments(tree: ast.Module) -> bool:
    return all(isinstance(line, ast.Assign | ast.AnnAssign) for line in tree.body)


def name_of(line: ast.stmt) -> str:
    """The name that an assignment begins with."""
    return ast.unparse(line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", line))
