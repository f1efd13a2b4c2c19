"""Signs that word processors and web pages put where a shell wants others."""

import os
import re
from collections.abc import Sequence

from dynode.errors import UserError

DASHES = "‐‑‒–—―−﹘﹣－"
QUOTES = tuple("“”„‟«»‘’‚‛")


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
