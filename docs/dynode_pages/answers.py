"""What pages may ask for by name, and Markdown tables."""

from collections.abc import Callable, Iterable, Sequence

ANSWERS: dict[str, Callable[..., str]] = {}


def answers(function: Callable[..., str]) -> Callable[..., str]:
    """Register a function of words as the answer to the query of its name: `{{ name word word }}`."""
    ANSWERS[function.__name__] = function
    return function


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, whose cells may hold any text."""
    lines = [[cell(each) for each in row] for row in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", r"\|")


def numbered(items: Iterable[str]) -> str:
    return "\n".join(f"{k}. {item}" for k, item in enumerate(items, 1))


def sentence(text: str) -> str:
    """A text with a capital at its beginning and a full stop at its end."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


def page_of(name: str) -> str:
    """The name of the page of a method: `dynode[no z]` has dynode-no-z, `trend+mlp` trend-mlp."""
    return "".join(letter if letter.isalnum() or letter == "_" else "-" for letter in name).strip("-")
