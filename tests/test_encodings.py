"""Files are UTF-8 and lines end in a newline whatever the locale is; a terminal that lacks a sign gets a plain one."""

import ast

import pytest

from dynode.runtime import PACKAGE, ROOT

MODULES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / ".ci").glob("*.py")])
STARTS = {"run", "Popen", "check_output", "check_call", "call"}


def without_encoding(tree: ast.AST) -> list[str]:
    """Calls that read or write text in the encoding of the locale."""
    return [ast.unparse(call) for call in ast.walk(tree) if isinstance(call, ast.Call) and depends_on_locale(call)]


def depends_on_locale(call: ast.Call) -> bool:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if "encoding" in named or None in named:
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "read_text":
        return not call.args
    if name == "write_text":
        return len(call.args) < 2
    if name == "open" and (isinstance(call.func, ast.Name) or ast.unparse(call.func).endswith(("path", "Path"))):
        mode = named.get("mode") or (call.args[1] if len(call.args) > 1 else ast.Constant("r"))
        return not (isinstance(mode, ast.Constant) and "b" in mode.value)
    return name in STARTS and ("text" in named or "universal_newlines" in named)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_is_read_and_written_in_an_encoding_of_our_own(path):
    assert without_encoding(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line, count",
    [
        ("path.read_text()", 1),
        ("path.read_text('utf-8')", 0),
        ("path.write_text(text)", 1),
        ("path.write_text(text, encoding='utf-8')", 0),
        ("open(path)", 1),
        ("open(path, 'rb')", 0),
        ("open(path, mode='w')", 1),
        ("av.open(path)", 0),
        ("subprocess.run(command, text=True)", 1),
        ("subprocess.run(command, text=True, encoding='utf-8')", 0),
    ],
)
def test_what_depends_on_the_locale_is_noticed(line, count):
    assert len(without_encoding(ast.parse(line))) == count
