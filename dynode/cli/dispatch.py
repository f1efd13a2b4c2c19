"""From what was typed to a command.  Mistakes of the user end in one sentence and exit code 2, never in a traceback."""

import errno
import importlib
import os
import sys

from dynode import __version__
from dynode.cli import commands
from dynode.cli.commands import GROUPS, HELP, Command
from dynode.errors import UserError

# What a machine refuses, as opposed to what we got wrong: a full disk or quota, no permission, a failing device.
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def main(arguments: list[str]) -> int:
    """Run a command; 0 when done, 2 for a mistake of the user or a refusal of the machine, 130 when interrupted, 141 when cut off.

    Raises SystemExit where tyro, which reads the options of one command, prints its help (0) or finds a mistake (2).
    """
    try:
        return start(arguments)
    except UserError as error:
        print(f"dynode: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        path = f" ({error.filename})" if error.filename else ""
        print(f"dynode: A file could not be read or written: {error.strerror}{path}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dynode: interrupted; finished frames are kept and the same command goes on from there.", file=sys.stderr)
        return 130


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


def named(arguments: list[str]) -> tuple[Command, list[str]]:
    """The command of that name and its own arguments.  Raises UserError with the nearest name for any other."""
    words = 2 if arguments[0] in GROUPS else 1
    typed = " ".join(arguments[:words])
    if typed in commands.COMMANDS:
        return commands.COMMANDS[typed], arguments[words:]
    if nearest := commands.suggestion(typed):
        raise UserError(f"There is no `dynode {typed}`: did you mean `dynode {nearest}`?")
    raise UserError(f"There is no `dynode {typed}`: `dynode --help` lists the commands.")


def run(command: Command, arguments: list[str]) -> None:
    """Read the options of a command and call it.  Raises UserError where the packages it needs are not installed."""
    module, name = command.function.split(":")
    try:
        import tyro

        function = getattr(importlib.import_module(f"dynode.cli.{module}"), name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"The package {error.name} is not installed for {sys.executable}: `python3 -m dynode setup` installs all "
            "into .venv, whose `.venv/bin/dynode` is this command."
        ) from None
    tyro.cli(function, args=arguments, prog=f"dynode {command.name}")
