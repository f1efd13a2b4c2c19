"""Too little memory ends a command in one sentence that names what needs less of it."""

import pytest
import torch

from dynode import cli
from dynode.cli import commands, memory, options_read

OOM = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 8 GiB")
CPU = RuntimeError("[enforce fail] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


@pytest.mark.parametrize(
    "error, typed, advice",
    [
        (OOM, "fit clip", "(CUDA out of memory): try the same command with `--device cpu` or `-p training.batch=1`;"),
        (OOM, "train gan bird", "with `--device cpu` or `-p batch=1`;"),
        (CPU, "invert talk.mp4", "with more memory, or try the same command with `-p batch=1`;"),
        (MemoryError(), "score talk.mp4", "(MemoryError): end other programs or take a machine with more memory;"),
    ],
)
def test_too_little_memory_is_one_sentence(error, typed, advice, monkeypatch, capsys):
    def fail():
        raise error

    monkeypatch.setattr(options_read, "bound", lambda *_: fail)
    assert cli.main(typed.split()) == 2
    err = capsys.readouterr().err
    assert advice in err and err.endswith("; what was finished is kept.\n") and err.count("\n") == 1


def test_other_errors_are_defects_and_keep_their_traceback(monkeypatch):
    def fail():
        raise RuntimeError("a shape is wrong")

    monkeypatch.setattr(options_read, "bound", lambda *_: fail)
    with pytest.raises(RuntimeError, match="a shape"):
        cli.main(["fit", "clip"])


@pytest.mark.parametrize("command", memory.SMALLER)
def test_what_is_advised_is_legal(command, capsys):
    """Every advice is read, and the command goes on to the next mistake: inputs that are not there."""
    words = ["nowhere"] * {"train mapper": 2, "train flow": 2, "train transformer": 2, "world invert": 2}.get(
        command, 1
    )
    assert command in commands.COMMANDS
    assert cli.main([*command.split(), *words, *memory.SMALLER[command].split()]) == 2
    err = capsys.readouterr().err
    assert "nowhere" in err and "batch" not in err and "resolution" not in err
