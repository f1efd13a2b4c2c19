"""A locale that is not UTF-8: files are UTF-8 all the same, and a terminal that lacks a sign gets a plain one."""

import io
import os
import subprocess
import sys

import pytest
import torch

from dynode import cli
from dynode.cli import terminal
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.runtime import ROOT

SIGNS = "a ↓ → ± × … – ≤ é 日 \udcff"
SHOWN = {
    "ascii": b"a v -> +- x ... - <= e ? \xff",
    "latin-1": b"a v -> \xb1 \xd7 ... - <= \xe9 ? \xff",
    "utf-8": "a ↓ → ± × … – ≤ é 日 ".encode() + b"\xff",
}


@pytest.mark.parametrize("encoding", SHOWN)
def test_what_a_terminal_lacks_is_written_plainly(encoding, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", None)  # a program without a console
    terminal.write_plainly()
    print(SIGNS, end="", flush=True)
    assert written.getvalue() == SHOWN[encoding]


SCRIPT = """
import os
from dynode import cli
from dynode.cli import terminal
from dynode.clips import Clip
from dynode.experiments import items
from dynode.reporting.outputs import Outputs
from dynode.reporting.tables import Table
import torch

terminal.write_plainly()
Outputs("item", "smoke").table(Table(["identity ↓"], [["1 ± 2"]], {}, note="ł"), "one", shows=[])
typed, absent = (os.fsdecode(f"{name}.safetensors".encode()) for name in "éö")
Clip(torch.zeros(2, 3, 8), torch.arange(2.0), meta={"name": "é"}).save(typed)
assert Clip.load(typed).meta["name"] == "é"
assert items.items()
print("identity ↓", flush=True)
assert cli.main(["fit", absent]) == 2
"""


@pytest.mark.skipif(os.name != "posix", reason="locales of POSIX")
def test_files_are_utf_8_and_messages_are_plain_in_any_locale(tmp_path):
    strange = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"}
    variables = os.environ | strange | {"DYNODE_OUTPUT": str(tmp_path), "PYTHONPATH": str(ROOT)}
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=variables, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stdout == b"identity v\n"
    assert done.stderr.startswith(b"dynode: There is no file ") and done.stderr.count(b"\n") == 1
    assert os.path.exists(tmp_path / os.fsdecode("é.safetensors".encode()))
    tables = tmp_path / "reports" / "tables"
    texts = {path.suffix: path.read_bytes().decode("utf-8") for path in tables.iterdir()}
    assert "↓" in texts[".md"] and "±" in texts[".csv"] and "ł" in texts[".md"]
    assert "\r" not in texts[".md"] + texts[".tex"]


@pytest.mark.skipif(os.name != "posix", reason="names of POSIX are bytes")
def test_a_name_that_is_not_utf_8_is_refused_in_plain_signs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    typed = os.fsdecode(b"b\xff.safetensors")
    Clip(torch.zeros(4, 3, 8), torch.arange(4.0), meta={"name": "b"}).save("b.safetensors")
    try:
        os.rename("b.safetensors", typed)
    except OSError:
        pytest.skip("this file system has no such names")
    assert cli.main(["fit", typed]) == 2
    said = "dynode: b\\udcff.safetensors has a name that is not UTF-8, as safetensors wants it: rename the file.\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("name, value", [("TQDM_MININTERVAL", "abc"), ("TQDM_POSITION", "first")])
def test_settings_of_progress_bars_that_are_no_numbers_are_refused(name, value, monkeypatch):
    terminal.refuse_settings()
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"{name} must be a number, got {value!r}: unset it"):
        terminal.refuse_settings()
