"""Calls of the command line as documents have them: read as they would be when typed, and not run."""

import functools
import importlib

import tyro

from dynode.cli.dispatch import named


def parse(words: list[str]) -> None:
    """Read a call as the command line does, and run nothing.  Raises what the command line raises."""
    command, arguments = named(words)
    if not arguments:
        return  # a mention of the command
    module, name = command.function.split(":")
    function = getattr(importlib.import_module(f"dynode.cli.{module}"), name)
    tyro.cli(functools.wraps(function)(lambda *args, **options: None), args=arguments)
