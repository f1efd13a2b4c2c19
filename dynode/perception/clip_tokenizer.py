"""CLIP's tokenizer: byte-pair encoding with its published vocabulary (Sennrich et al. 2016).

The vocabulary is a text file, one merge a line, which OpenAI and several packages distribute.
"""

import functools
import gzip
import html
import re
from pathlib import Path

from dynode.errors import UserError

MERGES = 49152 - 256 - 2  # lines of the file that CLIP uses: its vocabulary less the bytes and the two marks
LENGTH = 77  # tokens of CLIP's input
END = "</w>"  # marks the end of a word
# CLIP splits texts by this pattern, with \p{L} and \p{N}: letters, one digit at a time, runs of anything else.
WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+", re.IGNORECASE)


def byte_letters() -> dict[int, str]:
    """A printable letter for each byte: itself where it is printable, else one from 256 on, in order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + k) for k, byte in enumerate(others)}


class CLIPTokenizer:
    """Texts -> token numbers, equal to CLIP's own tokenizer for plain text."""

    def __init__(self, path: Path):
        """path: bpe_simple_vocab_16e6.txt.gz.  Raises UserError for another file."""
        try:
            with gzip.open(path, "rt", encoding="utf-8") as file:
                lines = file.read().split("\n")[1 : MERGES + 1]
        except (OSError, UnicodeDecodeError):
            raise UserError(f"{path} cannot be read: bpe_simple_vocab_16e6.txt.gz was wanted.") from None
        pairs = [tuple(line.split()) for line in lines]
        if len(pairs) < MERGES or any(len(pair) != 2 for pair in pairs):
            raise UserError(f"{path} is no vocabulary of CLIP: bpe_simple_vocab_16e6.txt.gz was wanted.")
        self.letters = byte_letters()
        self.rank = {pair: k for k, pair in enumerate(pairs)}
        singles = list(self.letters.values())
        tokens = [*singles, *(letter + END for letter in singles), *map("".join, pairs), "<start>", "<end>"]
        self.number = {token: k for k, token in enumerate(tokens)}

    @functools.lru_cache(maxsize=4096)  # noqa: B019 (one object lives as long as the program)
    def parts(self, word: str) -> tuple[str, ...]:
        """The tokens of a word of byte letters: the earliest merge first, as long as one applies."""
        parts = (*word[:-1], word[-1] + END)
        while len(parts) > 1:
            pairs = list(zip(parts[:-1], parts[1:], strict=True))
            best = min(pairs, key=lambda pair: self.rank.get(pair, MERGES))
            if best not in self.rank:
                break
            parts = merged(parts, best)
        return parts

    def numbers(self, text: str) -> list[int]:
        """The token numbers of a text between the marks of start and end.

        Raises UserError for a text without tokens or with more than CLIP takes.
        """
        clean = " ".join(html.unescape(html.unescape(text)).split()).lower()
        words = ("".join(self.letters[byte] for byte in word.encode()) for word in WORD.findall(clean))
        tokens = [self.number[part] for word in words for part in self.parts(word)]
        if not 0 < len(tokens) <= LENGTH - 2:
            raise UserError(f"CLIP reads texts of 1 to {LENGTH - 2} tokens, got {len(tokens)} in {text[:40]!r}.")
        return [self.number["<start>"], *tokens, self.number["<end>"]]


def merged(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """The parts with every occurrence of a pair joined, from the left."""
    result, k = [], 0
    while k < len(parts):
        is_pair = parts[k : k + 2] == pair
        result.append("".join(pair) if is_pair else parts[k])
        k += 2 if is_pair else 1
    return tuple(result)
