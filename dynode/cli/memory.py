"""Too little memory, as a sentence with what lets the command do with less."""

import contextlib
import re
from collections.abc import Iterator

from dynode import runtime
from dynode.errors import UserError

SMALLER = {
    "invert": "-p batch=1",
    "world invert": "-p batch=1",
    "fit": "-p training.batch=1",
    "choose-depth": "-p training.batch=1",
    "render": "--resolution 256",
    "train gan": "-p batch=1",
    "train encoder": "-p batch=1",
    "train factors": "-p batch=1",
    "train captions": "-p batch=16",
    "train transformer": "-p batch=1",
    "train flow": "-p batch=1",
    "train mapper": "-p batch=1",
}


@contextlib.contextmanager
def explained(command: str) -> Iterator[None]:
    """Raises UserError for an error that says memory ran out, of the machine or its GPU; others pass."""
    try:
        yield
    except Exception as error:
        if shortage := runtime.memory_shortage(error):
            raise UserError(sentence(shortage, command)) from None
        raise


def sentence(shortage: str, command: str) -> str:
    """What to do about a shortage of memory in a command, named as it is typed."""
    on_gpu = re.search(r"CUDA|CUBLAS|CUDNN|HIP|GPU", shortage)
    remedies = ["--device cpu"] if on_gpu else []
    remedies += [SMALLER[command]] if command in SMALLER else []
    tried = " or ".join(f"`{each}`" for each in remedies)
    room = "" if on_gpu else "end other programs or take a machine with more memory"
    remedy = f"try the same command with {tried}" if tried else ""
    return (
        f"`dynode {command}` ran out of memory ({shortage}): {', or '.join(filter(None, [room, remedy]))}; what was "
        "finished is kept."
    )
