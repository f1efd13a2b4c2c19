"""The source code that a result depends on: the static import closure of modules, and a hash of what it computes.

The hash is over syntax. Comments, docstrings, annotations of functions, imports, the order of definitions and the modules
they live in do not count; a changed statement does.
"""

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from dynode import lazy

PACKAGE = Path(__file__).resolve().parents[1]
NAME = PACKAGE.name


@cache
def path_of(module: str) -> Path | None:
    """The file of a module of this package, given by its dotted name; None where there is no such module."""
    first, *rest = module.split(".")
    if first != NAME:
        return None
    path = PACKAGE.joinpath(*rest)
    files = (path / "__init__.py", path.with_suffix(".py")) if rest else (path / "__init__.py",)
    return next((path for path in files if path.is_file()), None)


@cache
def face_of(module: str) -> dict[str, str]:
    """What a package offers lazily: name -> "module:name", read from its stub `__init__.pyi`."""
    path = path_of(module)
    stub = path.with_suffix(".pyi") if path else None
    if stub is None or not stub.is_file():
        return {}
    return {name: f"{module}:{there}" for name, (module, there) in lazy.names_in(stub).items()}


def resolved(name: str) -> str:
    """A dotted name or "module:name" as the module or definition it stands for, as "module" or "module:name"; "" if foreign.

    Names of a lazy face stand for what the face offers; other attributes of modules are definitions there.
    """
    module, *rest = name.replace(":", ".").split(".")
    while rest and path_of(module):
        inner = f"{module}.{rest[0]}"
        if rest[0] in face_of(module):
            return resolved(face_of(module)[rest[0]])
        if not path_of(inner):
            return f"{module}:{rest[0]}"
        module, rest = inner, rest[1:]
    return module if path_of(module) and not rest else ""


def bindings(tree: ast.AST) -> dict[str, str]:
    """What imports anywhere in some syntax bind: local name -> what it stands for, see `resolved`; of this package alone."""
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound[alias.asname or alias.name.split(".")[0]] = alias.name if alias.asname else NAME
                if alias.name.split(".")[0] != NAME:
                    bound.pop(alias.asname or alias.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom) and resolved(node.module or ""):
            for alias in node.names:
                bound[alias.asname or alias.name] = resolved(f"{node.module}.{alias.name}")
    return bound


def dotted(node: ast.expr) -> str:
    """`a.b.c` of an attribute chain that begins with a name, else ""."""
    if isinstance(node, ast.Name):
        return node.id
    if not isinstance(node, ast.Attribute):
        return ""
    base = dotted(node.value)
    return f"{base}.{node.attr}" if base else ""


def referenced(tree: ast.AST) -> Iterator[str]:
    """What of this package some syntax refers to, see `resolved`: by imports, by attributes of imported packages, and by
    strings such as "dynode.dynamics.neural_ode" or "dynode.clips:Clip", which is how tables name what they load late.

    A string that names a package stands for every module in it, as in `lazy.Registry`.
    """
    bound = bindings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (resolved(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and resolved(node.module or ""):
            yield resolved(node.module or "")
            yield from (resolved(f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Attribute):
            first, _, rest = dotted(node).partition(".")
            if first in bound and ":" not in bound[first]:
                yield resolved(f"{bound[first]}.{rest}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(f"{NAME}."):
            yield resolved(node.value)
            yield from modules_in(node.value)


def modules_in(package: str) -> list[str]:
    """The modules that lie directly in a package; none of what is no package."""
    path = path_of(package)
    if path is None or path.name != "__init__.py":
        return []
    return [f"{package}.{file.stem}" for file in path.parent.glob("*.py") if file.stem != "__init__"]


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The same syntax without docstrings and other statements that are bare strings."""
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            body[:] = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return tree


def syntax_of(module: str) -> ast.Module:
    """The syntax of a module of this package, without docstrings.  Raises ValueError for a module that is not there."""
    path = path_of(module)
    if path is None:
        raise ValueError(f"there is no module {module!r}")
    return without_docstrings(ast.parse(path.read_text(encoding="utf-8")))


def closure(modules: Iterable[str] = (), source: str = "") -> list[str]:
    """The modules of this package that some of its modules, or some source text, import directly or not, sorted."""
    waiting = {
        resolved(name).partition(":")[0] for name in (*modules, *referenced(without_docstrings(ast.parse(source))))
    }
    held: set[str] = set()
    while waiting := {name for name in waiting if name} - held:
        held |= waiting
        waiting = {name.partition(":")[0] for module in waiting for name in imported_by(module)}
    return sorted(held)


@cache
def imported_by(module: str) -> frozenset[str]:
    """What a module of this package refers to; the packages that it lies in are imported with it."""
    parents = module.split(".")[:-1]
    return frozenset(referenced(syntax_of(module))) | {".".join(parents[: k + 1]) for k in range(len(parents))}


class Canonical(ast.NodeTransformer):
    """Syntax with what says nothing of what is computed taken out: imports, annotations of functions and of their local
    variables, and by which module or alias a definition is reached.

    bound: local name -> "module" or "module:name" of this package, or the dotted name of something foreign.
    token: "module:name" -> what is written in its place.
    """

    def __init__(self, bound: dict[str, str], token: Callable[[str], str]):
        self.bound, self.token, self.depth = bound, token, 0

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return node if node.names[0].name == "*" else None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1
        node.body = node.body or [ast.Pass()]
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # pyright: ignore[reportAssignmentType]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if self.depth:
            node.annotation = ast.Constant(None)
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        name = self.bound.get(node.id)
        if name is None or not isinstance(node.ctx, ast.Load):
            return node
        return ast.copy_location(ast.Name(self.token(name) if ":" in name else name, node.ctx), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        first, _, rest = dotted(node).partition(".")
        name = resolved(f"{self.bound[first]}.{rest}") if rest and first in self.bound else ""
        if ":" in name and ":" not in self.bound[first]:
            return ast.copy_location(ast.Name(self.token(name), node.ctx), node)
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and ":" in node.value and node.value.startswith(f"{NAME}."):
            name = resolved(node.value)
            return ast.copy_location(ast.Constant(self.token(name)), node) if ":" in name else node
        return node


def foreign_bindings(tree: ast.AST) -> dict[str, str]:
    """What imports bind of other packages: local name -> the dotted name of what it stands for."""
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            bound |= {alias.asname: alias.name for alias in node.names if alias.asname and not resolved(alias.name)}
        elif isinstance(node, ast.ImportFrom) and not resolved(node.module or ""):
            bound |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return bound


def defined_names(node: ast.stmt) -> list[str]:
    """The names that a top-level statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    return [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]


@cache
def definitions(module: str) -> dict[str, str]:
    """Name -> eight hex digits of what a module defines under it, in canonical form with bare names."""
    tree = syntax_of(module)
    canonical = Canonical(bindings(tree) | foreign_bindings(tree), lambda name: name.partition(":")[2])
    texts: dict[str, str] = {}
    for node in tree.body:
        for name in defined_names(node):
            texts[name] = texts.get(name, "") + ast.dump(canonical.visit(node))
    return {name: hashlib.sha256(text.encode()).hexdigest()[:8] for name, text in texts.items()}


def token_of(name: str) -> str:
    """What stands for "module:name": the name with a hash of its definition, wherever that lies; two definitions of one
    name differ, and one that moves stays the same."""
    module, _, there = name.partition(":")
    while there not in definitions(module):
        behind = bindings(syntax_of(module)).get(there, "")
        if ":" not in behind:
            return there
        module, _, there = behind.partition(":")
    return f"{there}#{definitions(module)[there]}"


@cache
def statements(module: str) -> list[str]:
    """What a module of this package computes: its top-level statements in canonical form; of several that define one name
    each carries its number, since their order counts."""
    tree, lines, counts = syntax_of(module), [], Counter()
    own = {name: f"{module}:{name}" for name in definitions(module)}
    canonical = Canonical(own | bindings(tree) | foreign_bindings(tree), token_of)
    for node in tree.body:
        names = [name for name in defined_names(node) if name != "__version__"]
        kept = canonical.visit(node) if names or not defined_names(node) else None
        counts.update(names)
        if kept is not None:
            lines.append("".join(f"{name}@{counts[name]} " for name in names) + ast.dump(kept))
    return lines


def statements_of_source(source: str) -> list[str]:
    """The statements of some source text, such as a notebook's cells, in canonical form and in their order."""
    tree = without_docstrings(ast.parse(source))
    canonical = Canonical(bindings(tree) | foreign_bindings(tree), token_of)
    return [ast.dump(kept) for node in tree.body if (kept := canonical.visit(node)) is not None]


@cache
def hash_of(*modules: str, source: str = "") -> str:
    """A hash of all that some modules of this package, or some source text, compute: their statements and those of their
    import closure.

    Raises ValueError for a module that is not there.
    """
    if missing := [name for name in modules if not path_of(name)]:
        raise ValueError(f"there is no module {missing[0]!r}")
    lines = [line for module in closure(modules, source) for line in statements(module)]
    digest = hashlib.sha256("\n".join(statements_of_source(source)).encode())
    for line in sorted(lines):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()
