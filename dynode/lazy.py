"""Late loading: the faces of packages, and registries that others may add to.  Standard library only.

A face is what a package offers: its stub `__init__.pyi` names it, by lines `from dynode.room.module import name as name`,
for type checkers and editors as for this module; nothing is imported before it is used.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def names_in(stub: Path) -> dict[str, tuple[str, str]]:
    """What a stub re-exports: name -> (module, name there)."""
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def face(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose `__init__.py` is `file`."""
    names = names_in(Path(file).with_suffix(".pyi"))

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, there = names[name]
        return getattr(import_module(module), there)

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
                        import_module(module)
                    self.load_plugins()
                finally:
                    self.loading = False
                self.held, self.loaded = dict(sorted(self.held.items())), True
        return self.held

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

    def __repr__(self) -> str:
        return f"<Registry: {', '.join(self)}>"


def modules_in(package: str) -> list[str]:
    """The modules that lie directly in a package, sorted."""
    folder = Path(import_module(package).__file__ or "").parent
    return sorted(f"{package}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__")
