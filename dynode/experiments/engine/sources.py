"""What a notebook's numbers depend on beside its parameters: the code that its imports reach, and the codes of its clips."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from dynode import runtime
from dynode.io import files, source_code
from dynode.reporting import paths

# What judges records and runs notebooks makes none of their numbers: verdicts are made anew whenever they are asked for.
WITHOUT = ("dynode.experiments.claims", "dynode.experiments.engine")


def code_of(notebook: str) -> str:
    """A hash of a notebook's code and of every module that its imports reach, by way of lazy faces too, but for `WITHOUT`.

    Comments, docstrings and the order of definitions do not count.  Hashes are kept for as long as no source file changes.
    """
    return code_of_text(cells_of(notebook))


def code_of_text(source: str) -> str:
    """A hash of some source text, as of a notebook's."""
    key = f"{package_digest()} {hashlib.sha256(source.encode()).hexdigest()}"
    kept = known()
    if key not in kept:
        kept = {each: value for each, value in kept.items() if each.startswith(package_digest())}
        kept[key] = computed_by(source)[:16]
        with suppress(OSError, files.Unwritten), files.written_whole(table(), keep=False) as part:
            part.write_text(json.dumps(kept), encoding="utf-8")
    return kept[key]


def computed_by(source: str) -> str:
    """A hash of the statements of some source text and of the modules that it reaches, in any order, but for `WITHOUT`."""
    modules = [name for name in source_code.closure(source=source) if not name.startswith(WITHOUT)]
    lines = [line for module in modules for line in source_code.statements(module)]
    texts = [*source_code.statements_of_source(source), *sorted(lines)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def cells_of(notebook: str) -> str:
    """The code of a notebook, without what is for IPython alone."""
    cells = json.loads((runtime.ROOT / notebook).read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "code" for line in "".join(cell["source"]).splitlines()]
    return "\n".join(line for line in lines if not line.startswith(("%", "!")))


def table() -> Path:
    """The file of hashes that are known."""
    return paths.engine() / "sources.json"


def known() -> dict[str, str]:
    """Digest of all source files and of a notebook's code -> its hash."""
    with suppress(OSError, ValueError):
        hashes = json.loads(table().read_text(encoding="utf-8"))
        return hashes if isinstance(hashes, dict) else {}
    return {}


@cache
def package_digest() -> str:
    """A hash of all source files of this package, as they are in this process."""
    digest = hashlib.sha256()
    for path in sorted(path for suffix in ("*.py", "*.pyi") for path in source_code.PACKAGE.rglob(suffix)):
        digest.update(f"{path.relative_to(source_code.PACKAGE)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def codes_of(parameters: Mapping[str, Any]) -> str:
    """A hash of the shipped codes that parameters name, "" where they name none."""
    named = sorted(set(texts_in(list(parameters.values()))))
    folder = runtime.PACKAGE / "codes"
    shipped = [path for name in named if "/" not in name and (path := folder / f"{name}.safetensors").is_file()]
    digest = hashlib.sha256()
    for path in shipped:
        digest.update(path.name.encode() + hash_of_file(path, path.stat().st_mtime_ns).encode())
    return digest.hexdigest()[:16] if shipped else ""


@cache
def hash_of_file(path: Path, _: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def texts_in(value: Any) -> Iterator[str]:
    """Every text within lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts_in([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_in(each)
