"""Plugins for tests: the code blocks of CONTRIBUTING.md, installed as packages of somebody else under an entry point."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynode.lazy import Registry
from dynode.runtime import ROOT


def example(module: str) -> str:
    """The block of CONTRIBUTING.md that begins with the comment `# module`, such as "dynode/metrics/edges.py"."""
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S)
    plain = [re.sub(r"^  ", "", block, flags=re.M) for block in blocks]
    (block,) = [block for block in plain if block.startswith(f"# {module}\n")]
    return block


def package(folder: Path, name: str, group: str, code: str) -> Path:
    """A folder of installed packages with one module, and an entry point in the group that names it."""
    described = folder / f"{name}-1.0.dist-info"
    described.mkdir(parents=True)
    (folder / f"{name}.py").write_text(code)
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}\n")
    return folder


@pytest.fixture
def plugin(tmp_path, monkeypatch) -> Iterator[Callable[[Registry, str], None]]:
    """plugin(registry, code): until the test ends the registry finds the code as an installed package's module."""
    installed: list[str] = []

    def install(registry: Registry, code: str) -> None:
        name = f"dynode_plugin_{len(installed)}"
        installed.append(name)
        monkeypatch.setattr(registry, "held", dict(registry.load()))
        monkeypatch.setattr(registry, "loaded", False)
        monkeypatch.syspath_prepend(package(tmp_path / "site" / name, name, registry.group, code))

    yield install
    for name in installed:
        sys.modules.pop(name, None)
