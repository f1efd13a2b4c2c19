"""Late loading: the faces of packages, and registries that others may add to.  Standard library only.

A face is what a package offers: its stub `__init__.pyi` names it, by lines `from dynode.room.module import name as name`,
for type checkers and editors as for this module; nothing is imported before it is used.
"""

import ast
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def names_in(stub: Path) -> dict[str, tuple[str, str]]:
    """What a stub re-exports: name -> (module, name there); `from . import room` names a module for type checkers alone."""
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and not node.level
        for alias in node.names
    }


def face(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose `__init__.py` is `file`."""
    names, folder = names_in(Path(file).with_suffix(".pyi")), Path(file).parent

    def get(name: str) -> Any:
        if name not in names and any((folder / path).is_file() for path in (f"{name}.py", f"{name}/__init__.py")):
            return import_module(f"{package}.{name}")
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, there = names[name]
        state = random.getstate()
        try:
            return getattr(import_module(module), there)
        finally:
            random.setstate(state)  # of the libraries imported on the way some draw from it

    return get, lambda: sorted(names), sorted(names)


class Registry(Mapping[str, T]):
    """Things by name, each registered by the module that defines it; the modules are imported when first looked into.

    package: all of its modules are imported.  group: of entry points, by which other packages name modules of theirs.
    first: modules elsewhere that register too, imported before those.
    """

    def __init__(self, package: str, group: str = "", first: tuple[str, ...] = ()):
        self.package, self.group, self.first = package, group, first
        self.held: dict[str, T] = {}
        self.loaded = self.loading = False
        self.lock = RLock()

    def add(self, name: str, thing: T) -> T:
        self.held[name] = thing
        return thing

    def load(self) -> dict[str, T]:
        """All that is registered, by name in alphabetical order; a load that failed is tried again at the next look."""
        with self.lock:
            if not (self.loaded or self.loading):  # modules that are being loaded may look into what they register in
                self.loading = True
                try:
                    for module in (*self.first, *modules_in(self.package)):
                        self.load_own(module)
                    self.load_plugins()
                finally:
                    self.loading = False
                self.held, self.loaded = dict(sorted(self.held.items())), True
        return self.held

    def load_own(self, module: str) -> None:
        """Import a module of the package.  Raises UserError where a library that it needs is not installed."""
        from dynode.errors import UserError

        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == self.package.partition(".")[0]:
                raise
            raise UserError(
                f"The library {error.name}, which {module} needs, is not installed for {sys.executable}: install it, or "
                "run `python3 -m dynode setup`, whose .venv has it."
            ) from None

    def load_plugins(self) -> None:
        """Import the modules that installed packages name under the group.

        Raises UserError for one that fails, and for one that takes a name which is registered already.
        """
        from importlib.metadata import entry_points

        from dynode.errors import UserError

        for point in entry_points(group=self.group) if self.group else ():
            before = dict(self.held)
            try:
                point.load()
            except Exception as error:  # whatever a plugin of somebody else does wrong
                raise UserError(
                    f"The plugin {point.name} ({point.value}) cannot be imported: {error!r}. Repair or uninstall it."
                ) from error
            if taken := [name for name, thing in before.items() if self.held[name] is not thing]:
                self.held |= before
                raise UserError(
                    f"The plugin {point.name} ({point.value}) takes the name {taken[0]!r}: rename or uninstall it."
                )

    def __getitem__(self, name: str) -> T:
        return self.load()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.load())

    def __len__(self) -> int:
        return len(self.load())

    def __reduce__(self) -> tuple:
        """There is one registry of a name in a process: a copy is the registry itself, and so it is where one is sent."""
        named = ((module, name) for module in list(sys.modules.values()) for name in getattr(module, "__dict__", {}))
        module, name = next((module, name) for module, name in named if vars(module)[name] is self)
        return attribute, (module.__name__, name)

    def __repr__(self) -> str:
        return f"<Registry: {', '.join(self)}>"


def attribute(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


def modules_in(package: str) -> list[str]:
    """The modules that lie directly in a package, sorted."""
    folder = Path(import_module(package).__file__ or "").parent
    return sorted(f"{package}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__")
