"""From what was typed to a command.  Mistakes of the user end in one sentence and exit code 2, never in a traceback."""

import contextlib
import errno
import importlib
import os
import sys

from dynode import __version__
from dynode.cli import commands, memory, signals, terminal
from dynode.cli.commands import GROUPS, HELP, Command
from dynode.cli.messages import hide_foreign_warnings, missing_package, remarks_said, say, show_defect
from dynode.errors import REFUSALS, NotebookError, UserError
from dynode.experiments import children


def from_shell(arguments: list[str]) -> int:
    """`main`, for a process that ends with it."""
    terminal.write_plainly()
    sys.excepthook = show_defect
    hide_foreign_warnings()
    code = main(arguments)
    signals.outlast(code)
    return code


def main(arguments: list[str]) -> int:
    """Run a command; 0 when done, 1 for a defect in a notebook, 2 for a mistake of the user or a refusal of the machine,
    141 when cut off, and 128 with the number of the signal that ended it: 130 when interrupted, 143, 129.

    Raises SystemExit(0) where tyro prints the help of one command.
    """
    stop = signals.Stop()
    children.end_with_parent()
    with stop.listening(), remarks_said():
        try:
            try:
                return start(arguments)
            finally:
                sys.stdout.flush()  # here, where a reader that went away is expected, and not when Python ends
        except BaseException as error:
            if not stop.number and not isinstance(error, KeyboardInterrupt):
                return answered(error)
            kept = " ".join(getattr(error, "__notes__", []))  # long work notes what it keeps
        with contextlib.suppress(OSError):  # the terminal may be gone
            say(stop.sentence(kept))
        return stop.code


def answered(raised: BaseException) -> int:
    """The exit code of what a command raised, which is printed; raised again where it is a defect of ours."""
    try:
        raise raised
    except UserError as error:
        say(f"dynode: {error}")
        return 2
    except NotebookError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno == errno.ENOENT and error.filename is None:  # of `tempfile`
            say(f"dynode: {error.strerror}: name a folder that can be written in TMPDIR.")
            return 2
        if error.errno not in REFUSALS:
            raise
        path = f" ({error.filename})" if error.filename else ""
        say(f"dynode: A file could not be read or written: {error.strerror}{path}.")
        return 2


def start(arguments: list[str]) -> int:
    """Print help or the version, or run the command; a call that names none prints the help and is a mistake (2)."""
    first, *rest = arguments or [""]
    if first in ("", *HELP):
        print(commands.front_help())
        return 0 if first else 2
    if first in GROUPS and (not rest or rest[0] in HELP):
        print(commands.group_help(first))
        return 0 if rest else 2
    if first == "--version":
        print(__version__)
        return 0
    run(*named(arguments))
    return 0


def typed_name(arguments: list[str]) -> str:
    """A command's name, as typed."""
    return " ".join(arguments[: 2 if arguments[:1] and arguments[0] in GROUPS else 1])


def named(arguments: list[str]) -> tuple[Command, list[str]]:
    """The command of that name and its own arguments.  Raises UserError with the nearest name for any other."""
    typed = typed_name(arguments)
    if typed in commands.COMMANDS:
        return commands.COMMANDS[typed], arguments[len(typed.split()) :]
    if nearest := commands.suggestion(typed):
        raise UserError(
            f"There is no `dynode {typed}`, did you mean `dynode {nearest}`; `dynode --help` lists the commands."
        )
    listing = f"dynode {arguments[0]}" if arguments[0] in GROUPS else "dynode --help"
    raise UserError(f"There is no `dynode {typed}`: `{listing}` lists the commands.")


def require_working_folder() -> None:
    """Raises UserError where it was deleted: torch's libraries end the process there."""
    if not children.here():
        raise UserError('The working folder was deleted: change to another one, or to a new one there by `cd "$PWD"`.')


def run(command: Command, arguments: list[str]) -> None:
    """Read the options of a command and call it.  Raises UserError where the packages it needs are not installed."""
    module, name = command.function.split(":")
    terminal.refuse_settings()
    try:
        from dynode.cli.options_read import bound

        with memory.explained(command.name):
            function = getattr(importlib.import_module(f"dynode.cli.{module}"), name)
            call = bound(command, function, ["--help"] if {*HELP} & {*arguments} else arguments)
            require_working_folder()
            call()
    except ModuleNotFoundError as error:
        if (error.name or "dynode").partition(".")[0] == "dynode":
            raise
        raise UserError(missing_package(error)) from None
