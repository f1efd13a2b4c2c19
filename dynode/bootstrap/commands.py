"""The commands that work before anything is installed: setup, reproduce, test, test-all."""

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from dynode.bootstrap import environment
from dynode.bootstrap.children import call
from dynode.errors import UserError, ending

COMMANDS = (
    "tests/engine",
    "tests/cli",
)  # tests of the engine and of commands, which mostly wait for what they have started
TESTS = ("-m", "pytest", "-q", "tests", *(f"--ignore={folder}" for folder in ("tests/reference", *COMMANDS)))
COMMAND_TESTS = ("-m", "pytest", "-q", *COMMANDS)
SHORT = ("-m", "not long")
NOTEBOOK_TESTS = ("-m", "pytest", "-q", "--nbval-lax", "--nbval-current-env", "tests/reference", "notebooks/teach")
OUTPUT_TESTS = ("-m", "pytest", "-q", "tests/engine/outputs_of_smoke_runs.py")  # of what those notebooks left
USAGE = (
    "usage: python -m dynode setup | reproduce [ITEM ...] [--profile smoke|embedded|paper|recorded] [--slurm] [--dry-run] [--jobs N] "
    "[--device auto|cpu|cuda|cuda:N] | test | test-all"
)


def main(arguments: list[str]) -> int:
    """Run one of the four commands; returns the exit code: 2 for a mistake of the user, 130 when interrupted.

    Raises SystemExit with 128 + its number after a signal that was passed on to a child.
    """
    try:
        return run(arguments[0], arguments[1:])
    except UserError as error:
        print(f"dynode: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        path = f" ({error.filename})" if error.filename else ""
        print(f"dynode: A file could not be read or written: {error.strerror or error}{path}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(ending(signal.SIGINT, "the same command goes on from there."), file=sys.stderr)
        return 130


def run(command: str, rest: list[str]) -> int:
    if {"-h", "--help"} & set(rest):
        print(USAGE)
        return 0
    if not environment.LOCK.is_file():
        raise UserError(
            f"`{command}` works in a checkout of the repository, and {environment.ROOT} is none: clone it, or use the other "
            "commands of this installation, see `dynode --help`."
        )
    if command == "reproduce":
        return reproduce(rest)
    if rest:
        raise UserError(f"`{command}` takes no further arguments, got {' '.join(rest)}; {USAGE}.")
    if command == "setup":
        environment.setup()
        return 0
    return test(long=command == "test-all")


def reproduce(arguments: list[str]) -> int:
    """Run the command of that name in the environment: it makes what of the items is missing or stale."""
    python = str(environment.setup(dev=False))
    own = {
        "DYNODE_PARENT": str(os.getpid()),
        "DYNODE_READY": "1",
    }  # with whose process the command ends; it installs nothing
    return call([python, "-m", "dynode", "reproduce", *arguments], environment.variables() | own)


def test(*, long: bool) -> int:
    """pytest over tests/, without its long ones unless `long`, beside nbval over the reference notebooks (smoke profile).

    Tests of the engine and of commands, which mostly wait, run beside both.  Each has half of the cores.  Then what these
    notebooks left is compared with experiments.yaml.  Outputs go to a scratch folder.
    """
    python, chosen = str(environment.setup()), () if long else SHORT
    with tempfile.TemporaryDirectory() as scratch:
        threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // 2))}
        variables = threads | environment.variables() | own_kernel(python, Path(scratch))
        parts = {"tests": (*TESTS, *chosen), "notebooks": NOTEBOOK_TESTS, "commands": (*COMMAND_TESTS, *chosen)}
        own = {name: {"DYNODE_OUTPUT": f"{scratch}/{name}"} for name in parts}
        started = [([python, *arguments], own[name]) for name, arguments in parts.items()]
        code = call([python, "-m", "dynode.bootstrap.side_by_side", json.dumps(started)], variables)
        return max(code, call([python, *OUTPUT_TESTS], variables | own["notebooks"]))


def own_kernel(python: str, folder: Path) -> dict[str, str]:
    """The variables under which notebooks run in that Python, whatever kernels and settings the user has installed."""
    kernel = folder / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": command, "display_name": "dynode", "language": "python"}), encoding="utf-8")
    return {"JUPYTER_PATH": str(folder / "jupyter"), "IPYTHONDIR": str(folder / "ipython")}
