"""The field's words: identifiers that say nothing and phrases that a reader must guess at are refused."""

import ast
import re

import nbformat
import pytest

from dynode.runtime import PACKAGE, ROOT

IDENTIFIERS = {"told", "found", "seen", "place", "asked", "way", "ways"}
PHRASES = [
    r"\bis told\b",
    r"\bare told\b",
    r"\bwho tells\b",
    r"\bso many\b",
    r"\bby what shows\b",
    r"\bwithout those who\b",
    r"\bforetold\b",
    r"\bforetell",
    r"\bjagged\b",
    r"\bchords?\b",
    r"\bstraight lines?\b",
    r"\brivals?\b",
    r"\brelatives\b",
    r"\bbeyond doubt\b",
    r"\bour ways\b",
    r"\bpassed over\b",
    r"\bwhether rightly\b",
    r"\bis no riddle\b",
]
RECORDED = {"straight lines"}  # the name of a method in records
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "ETHICS.md", "reports/FINDINGS.md", "reports/README.md"]
DOCUMENTS += sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
CODE = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")])


def names_in(tree: ast.AST) -> set[str]:
    """Every name that some syntax gives: variables, parameters, attributes, functions, classes."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return names | {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}


def texts_in(tree: ast.AST) -> list[str]:
    """Docstrings and all other texts of some syntax."""
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if " " in text and text not in RECORDED]


CODE_AND_LINKS = r"```.*?```|`[^`]*`|\]\([^)]*\)"  # names of items and files are not prose


def refused(text: str) -> list[str]:
    text = re.sub(CODE_AND_LINKS, "", text, flags=re.S)
    return [phrase for phrase in PHRASES if re.search(phrase, text, re.I)]


@pytest.mark.parametrize(
    "path", [p for p in CODE if p.is_relative_to(PACKAGE)], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_names_and_texts_of_the_package_are_plain(path):
    tree = ast.parse(path.read_text())
    assert not names_in(tree) & IDENTIFIERS
    assert [(phrase, text[:80]) for text in texts_in(tree) for phrase in refused(text)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").rglob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_plain(path):
    cells = nbformat.read(path, as_version=4).cells
    tree = ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    assert not names_in(tree) & IDENTIFIERS
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"] + texts_in(tree)
    assert [(phrase, text[:80]) for text in texts for phrase in refused(text)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_plain(name):
    assert refused((ROOT / name).read_text()) == []


@pytest.mark.parametrize("text", ["the paths is told the time", "so many frames", "better than chords"])
def test_a_text_that_is_not_plain_is_noticed(text):
    assert refused(text)
    assert names_in(ast.parse("told = 1\ndef f(seen): self.place = 2")) >= {"told", "seen", "place"}
