"""What people type by mistake: each is answered by one plain sentence and exit code 2, and nothing is left behind."""

import codecs
import os
import re
import shlex
import subprocess
import sys
import time

import bad_files
import pytest
from bad_edits import EDITS
from bad_names import NAMES
from bad_options import OPTIONS
from bad_values import VALUES
from bad_worlds import WORLDS

from dynode import cli
from dynode.cli import messages
from dynode.cli.commands import COMMANDS
from dynode.io import assets
from dynode.runtime import ROOT

MISTAKES = [line for group in (OPTIONS, NAMES, VALUES, WORLDS, EDITS) for line in group.splitlines() if line.strip()]
BAR = re.compile(r"\[\d\d:\d\d[,<]|: \d+\w* \[|\?\w+/s\]")  # of a progress bar
INSIDE = re.compile(
    r"<class|PosixPath\(|NoneType|[Tt]ensor\(|Traceback|\b[A-Z]\w+(Error|Settings)\b|\bdynode\.[a-z]+\."
)
SECONDS = 5  # of the processor, a sentence takes at most
ASSETS = (  # by one of each package
    "face-landmarks-manifest",
    "lpips-alexnet",
    "mobilefacenet-arcface",
    "mobilestylegan-mapping-xml",
    "no-face-video",
    "single-face-video",
    "transnetv2-weights",
)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    for name in ASSETS:  # mistakes are found behind them, and without a network each would be that they are not there
        assets.fetch(name)
    return bad_files.make(tmp_path_factory.mktemp("inputs"))


def words(typed: str, here) -> list[str]:
    r"""The words of a line; those with a backslash as bytes of a file name: "\n", "\xff"."""
    split = shlex.split(typed.format(here=here))
    return [
        os.fsdecode(codecs.decode(word, "unicode_escape").encode("latin1")) if "\\" in word else word for word in split
    ]


def files_in(*folders) -> list[str]:
    return sorted(str(path) for folder in folders for path in folder.rglob("*"))


def test_there_are_many_and_none_twice():
    typed = [line.rpartition(" | ")[0] for line in MISTAKES]
    assert len(typed) >= 200 and len({*typed}) == len(typed)


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_answered_by_one_sentence(line, here, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    typed, _, part = line.rpartition(" | ")
    before, started = files_in(here, tmp_path), time.process_time()
    assert cli.main(words(typed, here)) == 2
    assert time.process_time() - started < SECONDS
    out, err = capsys.readouterr()
    (sentence,) = (text for text in re.split(r"[\r\n]+", err) if text.strip() and not BAR.search(text))
    assert out == "" and files_in(here, tmp_path) == before
    assert sentence.startswith("dynode: ") and sentence.endswith(".") and sentence.isprintable()
    assert not INSIDE.search(sentence) and len(sentence.replace(str(here), "")) <= 300
    assert part in sentence


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
@pytest.mark.parametrize("typed", ["fit clip.safetensors", "render clip.fit", "invert clip.mp4"])
def test_a_file_that_may_not_be_read(typed, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / typed.split()[1]
    path.write_bytes(b"something")
    path.chmod(0)
    assert cli.main(typed.split()) == 2
    assert capsys.readouterr().err.count("\n") == 1


DEFECT = """
import sys
from dynode.cli import commands, dispatch
def broken(): raise RuntimeError("of ours")
commands.front_help = broken
sys.exit(dispatch.from_shell(["--help"]))
"""


def test_a_defect_is_a_short_traceback_and_a_sentence_with_the_version():
    done = subprocess.run([sys.executable, "-c", DEFECT], capture_output=True, text=True, cwd=ROOT)
    *trace, last = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == ""
    assert trace[-1] == "RuntimeError: of ours" and len(trace) <= 4 * messages.FRAMES
    assert last.startswith("dynode: This is a defect of dynode ") and last.endswith(".")


WARNING = """
import sys, warnings
from dynode.cli import commands, dispatch
from dynode.errors import Remark
def talkative():
    warnings.warn("Of a library.")
    warnings.warn("Half of it is missing.", Remark)
    return "help"
commands.front_help = talkative
sys.exit(dispatch.from_shell(["--help"]))
"""


def test_remarks_are_sentences_and_warnings_of_libraries_are_not_shown():
    done = subprocess.run([sys.executable, "-c", WARNING], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "help\n", "dynode: Half of it is missing.\n")


def test_a_message_is_one_line_whatever_is_typed():
    assert messages.one_line("a\nb\x1b[31m\udcff\u202e") == r"a\nb\x1b[31m\udcff\u202e"
    assert len(messages.one_line("There is no " + "x" * 5000)) < 200


def test_a_missing_library_is_said_with_what_to_do(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert cli.main(["fit", "single_face.warm", "-p", "seed=1"]) == 2
    assert "The package yaml is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["40", "80"])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_narrow_terminals(name, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as stopped:
        cli.main([*name.split(), "--help"])
    out, err = capsys.readouterr()
    table = out[out.rindex(" options ") :].splitlines()[1:]
    assert stopped.value.code == 0 and err == "" and table and max(map(len, table)) <= int(columns)


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}])
def test_help_prints_on_any_terminal(setting):
    command = [sys.executable, "-m", "dynode", "fit", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env=os.environ | setting)
    assert done.returncode == 0 and done.stderr == b"" and b"--stride" in done.stdout and b"\x1b" not in done.stdout
