"""What the command line prints on stderr: one line for a mistake, the end of a traceback and one line for a defect."""

import contextlib
import platform
import re
import sys
import traceback
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from dynode import __version__
from dynode.errors import Remark

FRAMES = 6  # of a traceback, from its end


def say(text: str) -> None:
    """Print a line below the progress bars that are still open."""
    bars = sys.modules.get("tqdm")
    for bar in [*getattr(bars and bars.tqdm, "_instances", ())]:
        bar.close()
    print(one_line(text), file=sys.stderr)


def one_line(text: str) -> str:
    """A text as one line: what a terminal would not print is escaped, of words beyond 160 characters the middle is left out."""
    line = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
    return re.sub(r"\S{161,}", lambda word: f"{word[0][:60]}...{word[0][-60:]}", line)


def hide_foreign_warnings() -> None:
    """Show remarks of ours alone, unless the interpreter was given -W or PYTHONWARNINGS."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", Remark)


@contextlib.contextmanager
def remarks_said() -> Iterator[None]:
    """A context in which remarks of ours are printed as a sentence, other warnings as before."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, Remark):
                say(f"dynode: {message}")
            else:
                usual(message, category, *where, **more)

        warnings.showwarning = show
        yield


def show_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The end of a traceback, and whose fault it is: a hook of the interpreter, which exits with 1 after it."""
    if not issubclass(kind, Exception):
        sys.__excepthook__(kind, error, trace)
        return
    lines = traceback.format_exception(kind, error, trace, limit=-FRAMES, chain=False)
    sys.stderr.write("".join(lines))
    say(
        f"dynode: This is a defect of dynode {__version__} (Python {platform.python_version()}, {platform.system()}), not of "
        "what was typed: report it with the command and the lines above."
    )


# The packages that come with an extra, by the modules that commands import.
EXTRAS = {
    "notebooks": {
        "papermill",
        "nbformat",
        "nbclient",
        "nbconvert",
        "ipykernel",
        "IPython",
        "jupyter_client",
        "snakemake",
    }
    | {"grimp", "latex2mathml"},
    "clip": {"open_clip"},
}


def missing_package(error: ModuleNotFoundError) -> str:
    """What to do about a package that is not installed."""
    from dynode.runtime import ROOT

    module = (error.name or "").partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if module in modules), "")
    missing = f"The package {error.name} is not installed for {sys.executable}"
    if extra and not (ROOT / "pyproject.toml").is_file():
        return f"{missing}: `pip install 'dynode[{extra}]'` brings it."
    return f"{missing}: `python3 -m dynode setup` installs all into .venv, whose `.venv/bin/dynode` is this command" + (
        f", or `pip install -e '.[{extra}]'` what this one needs." if extra else "."
    )
