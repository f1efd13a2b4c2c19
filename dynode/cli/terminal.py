"""What a terminal's encoding lacks is written as the nearest plain signs, instead of an error in the middle of a table."""

import codecs
import io
import os
import sys
import unicodedata

from dynode.errors import UserError

# Of tqdm, which reads them while it is imported.
NUMBERS = ("DELAY", "INITIAL", "MAXINTERVAL", "MININTERVAL", "MINITERS", "NCOLS", "NROWS", "POSITION", "SMOOTHING")
ERRORS = "dynode.plain"
PLAIN = {
    "↓": "v",
    "↑": "^",
    "→": "->",
    "←": "<-",
    "±": "+-",
    "×": "x",
    "·": "*",
    "•": "*",
    "–": "-",
    "—": "-",
    "−": "-",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "─": "-",
    "│": "|",
    "█": "#",
}


def write_plainly() -> None:
    """Let stdout and stderr replace what they cannot encode."""
    codecs.register_error(ERRORS, plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a program without a console has none
            stream.reconfigure(errors=ERRORS)


def refuse_settings() -> None:
    """Raises UserError for a variable of the progress bars that is no number."""
    for name in (f"TQDM_{each}" for each in NUMBERS):
        try:
            float(os.environ.get(name) or 0)
        except ValueError:
            raise UserError(f"{name} must be a number, got {os.environ[name]!r}: unset it.") from None


def plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Plain signs for one sign that cannot be encoded, and where to go on; a byte of a file name stays that byte."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign, rest = error.object[error.start], error.start + 1
    if 0xDC80 <= ord(sign) <= 0xDCFF:  # of a name that is not in this encoding
        return bytes([ord(sign) - 0xDC00]), rest
    decomposed = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode("ascii")
    return PLAIN.get(sign) or decomposed or "?", rest
