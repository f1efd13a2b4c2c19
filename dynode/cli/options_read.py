"""What was typed after a command, read by tyro.  A mistake among it is one sentence with the nearest legal option."""

import contextlib
import dataclasses
import functools
import inspect
import os
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import tyro
from tyro import _errors as mistakes  # the hook that says what was wrong; without it tyro draws a box
from tyro.conf import UseAppendAction

from dynode import runtime
from dynode.cli import help_pages
from dynode.cli.commands import Command
from dynode.cli.options import Deterministic
from dynode.errors import UserError
from dynode.settings import LARGEST, closest

NUMBERS = {"INT": "a whole number", "FLOAT": "a number"}
OPTION = re.compile(r"--?[A-Za-z]")
# Signs that word processors and web pages put where a shell wants others.
DASHES = "‐‑‒–—―−﹘﹣－"
QUOTES = tuple("“”„‟«»‘’‚‛")


def bound(command: Command, function: Callable[..., None], arguments: Sequence[str]) -> Callable[[], None]:
    """The function of a command with what was typed, ready to be called.

    Raises UserError for a mistake, SystemExit(0) after printing the help.
    """
    refuse_typography(arguments)
    refuse_single_dashes(function, arguments)
    refuse_repetitions(function, arguments)
    refuse_other_shells(arguments)

    def refuse(event: mistakes.ParseErrorEvent) -> NoReturn:
        fault = sentence(event, command, function, arguments)
        raise UserError(f"{fault}; `dynode {command.name} --help` lists what can be given.")

    page = help_pages.wrapped() if "--help" in arguments else contextlib.nullcontext()
    with mistakes.on_parse_error(refuse), page:
        call = tyro.cli(postponed(function, command), args=arguments, prog=f"dynode {command.name}")
    refuse_huge_numbers(call.keywords)
    return call


def refuse_typography(arguments: Sequence[str]) -> None:
    """Raises UserError for a word that begins with a dash or a quote copied from a page, unless a file has that name.

    Also for a NUL, which no name and no value has.
    """
    for typed in arguments:
        if "\0" in typed:
            raise UserError(f"{typed!r} holds a NUL character, which no name and no value has: leave it out.")
        word = typed.lstrip(DASHES + "-")
        if typed.startswith(QUOTES) and not os.path.lexists(typed):
            raise UserError(f"{typed} begins with a typographic quote, which shells do not read: type ' or \" instead.")
        if re.match(rf"-?[{DASHES}]", typed) and word and not os.path.lexists(typed):
            plain = ("--" if len(word) > 1 and word[0].isalpha() else "-") + word
            raise UserError(f"{typed} begins with a typographic dash, as web pages have it: type {plain}.")


def postponed(function: Callable[..., None], command: Command) -> Callable[..., functools.partial[None]]:
    """A function with the options of another, and its help with an example, which only gathers what was typed."""
    kept = functools.wraps(function)(lambda *values, **options: functools.partial(called, function, *values, **options))
    text, named, options = (function.__doc__ or "").partition("Args:")
    kept.__doc__ = help_pages.unbroken(
        f"{text.rstrip()}\n\n    Example: `dynode {command.example}`\n\n    {named}{options}"
    )
    vars(kept)["__signature__"] = signature_of(function)
    kept.__annotations__ = {name: each.annotation for name, each in signature_of(function).parameters.items()}
    del vars(kept)["__wrapped__"]  # whose docstring tyro would read
    return kept


def signature_of(function: Callable[..., None]) -> inspect.Signature:
    """The signature of a command; one that takes a device has the option --deterministic too."""
    signature = inspect.signature(function)
    if "device" not in signature.parameters:
        return signature
    option = inspect.Parameter("deterministic", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Deterministic)
    return signature.replace(parameters=[*signature.parameters.values(), option])


def called(function: Callable[..., None], *values: Any, deterministic: bool = False, **options: Any) -> None:
    """Call a command.  deterministic: as the option says; raises UserError for an operation that cannot be so."""
    if not deterministic:
        return function(*values, **options)
    try:
        with runtime.deterministic():
            function(*values, **options)
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        operation = str(error).partition(" ")[0]
        raise UserError(
            f"--deterministic cannot be met here, {operation} has no deterministic form on this device: leave it out, or add --device cpu."
        ) from None


def refuse_single_dashes(function: Callable[..., None], arguments: Sequence[str]) -> None:
    """Raises UserError for a long option with one dash: `-output` would be -o with the value "utput"."""
    for typed in arguments:
        name = typed.partition("=")[0]
        if re.match(r"-[a-z][a-z-]", name) and f"-{name}" in options_of(function):
            raise UserError(f"{name} is written with two dashes: -{name}.")


def refuse_repetitions(function: Callable[..., None], arguments: Sequence[str]) -> None:
    """Raises UserError for an option that is given twice and takes one value."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    names = ["--output" if each == "-o" else each.partition("=")[0].replace("_", "-") for each in before]
    for name in {*options_of(function)} - repeatable(function):
        if names.count(name) > 1:
            raise UserError(f"{name} is given {names.count(name)} times: give it once.")


def refuse_huge_numbers(values: Mapping[str, Any]) -> None:
    """Raises UserError for whole numbers beyond those that a double holds exactly; seeds have a check of their own."""
    for name, value in values.items():
        if dataclasses.is_dataclass(value):
            refuse_huge_numbers(vars(value))
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, int) and abs(each) > LARGEST and name != "seed":
                raise UserError(f"--{name.replace('_', '-')} wants a whole number of at most {LARGEST}, got {each}.")


def refuse_other_shells(arguments: Sequence[str]) -> None:
    """Raises UserError where tyro is to print completions for a shell that it does not know."""
    first, shell = (*arguments, "", "")[:2]
    if first.startswith("--tyro-") and shell not in ("bash", "zsh", "tcsh", "fish"):
        raise UserError(f"{first} wants bash, zsh, tcsh or fish, got {shell!r}.")


def options_of(function: Callable[..., None]) -> list[str]:
    """The long options of a command: its keywords, those of the groups among them by their own names."""
    names = []
    extra = {"deterministic": bool} if "device" in signature_of(function).parameters else {}
    for name, kind in (typing.get_type_hints(function) | extra).items():
        parts = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else [name]
        names += [f"--{part.replace('_', '-')}" for part in parts if part != "return"]
    return [*names, "--help"]


def repeatable(function: Callable[..., None]) -> set[str]:
    """The long options of a command that add a value each time, those of the groups among them."""
    hints = typing.get_type_hints(function, include_extras=True)
    for group in filter(dataclasses.is_dataclass, typing.get_type_hints(function).values()):
        hints |= typing.get_type_hints(group, include_extras=True)
    return {f"--{name}" for name, kind in hints.items() if UseAppendAction in getattr(kind, "__metadata__", ())}


def sentence(event: Any, command: Command, function: Callable[..., None], arguments: Sequence[str]) -> str:
    """What is wrong, without its full stop."""
    if isinstance(event, mistakes.MissingArgs):
        wanted = " and ".join(name_of(each.arg) for each in event.missing_arguments)
        return f"`dynode {command.name}` wants {wanted}, as in `dynode {command.example}`"
    if isinstance(event, mistakes.UnrecognizedArgs):
        return unknown(event.tokens, command, function, arguments)
    if isinstance(event, mistakes.InvalidChoice):
        legal = [choice for choice in event.choices if choice]
        return f"{name_of(event.argument)} must be one of {', '.join(legal)}, got {event.value!r}"
    argument = getattr(event, "argument", None)
    if argument and isinstance(event, mistakes.BadValue):
        return f"{name_of(argument)} is given without its value{comma(wanted_by(argument))}"
    if argument:
        return f"{name_of(argument)} wants {wanted_by(argument)}, got {value_of(argument, arguments)!r}"
    return f"What was typed after `dynode {command.name}` cannot be read"


def unknown(tokens: Sequence[str], command: Command, function: Callable[..., None], arguments: Sequence[str]) -> str:
    """The first option that a command does not have, else the first word too many."""
    legal = options_of(function)
    options = [token.partition("=")[0] for token in tokens if OPTION.match(token)]
    if options and "--" not in arguments:
        near = closest(options[0].lstrip("-").lower(), [each.lstrip("-") for each in legal], cutoff=0.7)
        meant = f"did you mean --{near}" if near else other_means(options[0].lstrip("-"), function, legal)
        return f"`dynode {command.name}` has no option {options[0]}{comma(meant)}"
    token = tokens[0]
    if switch := switch_before(token, arguments):
        by_name = ", name the footage by --footage" if switch == "--source" and "--footage" in legal else ""
        return f"{switch} is a switch and takes no value, got {token!r}{by_name}"
    by_o = ", and an output is named by -o" if "--output" in legal else ""
    return f"{token!r} is one word too many for `dynode {command.name}`: a name with spaces needs quotes{by_o}"


def other_means(name: str, function: Callable[..., None], legal: Sequence[str]) -> str:
    """What sets that which no option of the name does, "" where nothing does."""
    if name == "frames" and {"--seconds", "--fps"} <= {*legal}:
        return "its frames are --seconds times --fps"
    is_setting = "--p" in legal and name.replace("-", "_") in {*setting_names(), *documented_settings(function)}
    return "a setting of the method is changed by -p NAME=VALUE" if is_setting else ""


def documented_settings(function: Callable[..., None]) -> list[str]:
    """The settings that the help of -p of a command shows in its examples."""
    return [name.rpartition(".")[2] for name in re.findall(r"([\w.]+)=", (function.__doc__ or "").partition(" p: ")[2])]


def setting_names() -> set[str]:
    """The last parts of the names of all settings of a projection and of the dynamics."""
    from dynode.dynamics.presets import preset
    from dynode.inversion.projection_settings import ProjectionSettings

    groups = [dataclasses.asdict(each) for each in (ProjectionSettings(), preset("dynode"))]
    inner = [value for group in groups for value in group.values() if isinstance(value, dict)]
    return {name for group in (*groups, *inner) for name in group}


def switch_before(token: str, arguments: Sequence[str]) -> str:
    """The option that a word was meant for, attached to it or before it, or ""."""
    attached = [each.partition("=")[0] for each in arguments if OPTION.match(each) and each.endswith(f"={token}")]
    at = arguments.index(token) if token in arguments else 0
    return attached[0] if attached else arguments[at - 1] if at and OPTION.match(arguments[at - 1]) else ""


def name_of(argument: Any) -> str:
    """An option as it is documented, or what stands for its value where it has none: CLIP."""
    if not argument.is_positional():
        return min(argument.lowered.name_or_flags, key=len)
    metavar = argument.lowered.metavar or ""
    return metavar if metavar not in ("", "STR", "PATH") else argument.display_name().upper()


def wanted_by(argument: Any) -> str:
    """What an option is to be followed by, "" where anything will do."""
    metavar = argument.lowered.metavar or ""
    kind = next((words for name, words in NUMBERS.items() if name in metavar), "")
    if kind and "..." in metavar:
        return f"{kind.removeprefix('a ')}s with spaces between"
    return kind or ("" if metavar == "STR" or metavar.startswith("{") else metavar)


def value_of(argument: Any, arguments: Sequence[str]) -> str:
    """What was typed after an option, the last time."""
    for k, typed in reversed([*enumerate(arguments)]):
        name, equals, value = typed.partition("=")
        if name.replace("_", "-") in argument.lowered.name_or_flags:
            return value if equals else " ".join(following(arguments[k + 1 :], argument.lowered.nargs))
    return ""


def following(words: Sequence[str], count: int | str | None) -> Sequence[str]:
    """The words that belong to an option: as many as it takes, or all before the next option."""
    if isinstance(count, int):
        return words[:count]
    return words[: next((k for k, word in enumerate(words) if OPTION.match(word)), len(words))]


def comma(text: str) -> str:
    return f", {text}" if text else ""
