"""What every table is made of: cells, numbers as text, ranks, and tables that cross any fields of rows."""

import csv
import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dynode.evaluation.records import Row
from dynode.metrics import describe

Key = TypeVar("Key")
SPLITS = ("observed", "unobserved", "extrapolated")


@dataclass(frozen=True)
class Table:
    """A header and cells as plain strings; `marks` (row, column) -> "best" or "second"; a note below, or none."""

    header: list[str]
    cells: list[list[str]]
    marks: dict[tuple[int, int], str]
    note: str = ""

    def markdown(self) -> str:
        wrap = {"best": "**{}**", "second": "<u>{}</u>"}
        lines = [self.header, ["---"] * len(self.header), *self.marked(wrap)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n" + (self.note and f"\n{self.note}\n")

    def text(self, width: int = 80) -> str:
        """For a terminal: columns side by side, the last one wrapped to the width; a line of one cell takes all of it."""
        whole = [self.header, *(line for line in self.cells if any(line[1:]))]
        widths = [max(len(line[c]) for line in whole) for c in range(len(self.header) - 1)]
        last = max(12, width - sum(widths) - 2 * len(widths))
        right = [all(is_number(line[c]) for line in whole[1:]) for c in range(len(widths))]
        lines = []
        for line in (self.header, *self.cells):
            if not any(line[1:]):
                lines.append(line[0])
                continue
            first, *rest = textwrap.wrap(line[-1], last) or [""]
            columns = [each.rjust(w) if r else each.ljust(w) for each, w, r in zip(line, widths, right, strict=False)]
            lines += ["  ".join([*columns, first]).rstrip(), *(" " * (width - last) + each for each in rest)]
        notes = [each for note in self.note.splitlines() for each in textwrap.wrap(note, width)]
        return "\n".join([*lines, *notes]) + "\n"

    def latex(self) -> str:
        wrap = {"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}"}
        escaped = [[cell.replace("%", r"\%").replace("±", r"$\pm$") for cell in line] for line in self.marked(wrap)]
        head = " & ".join(self.header).replace("%", r"\%").replace("_", r"\_")
        body = " \\\\\n".join(" & ".join(line) for line in escaped)
        columns = "l" * min(4, len(self.header) - 1)
        columns += "r" * (len(self.header) - len(columns))
        note = self.note and f"\\multicolumn{{{len(self.header)}}}{{l}}{{{self.note}}} \\\\\n"
        return f"\\begin{{tabular}}{{{columns}}}\n{head} \\\\\n\\hline\n{body} \\\\\n{note}\\end{{tabular}}\n"

    def csv(self) -> str:
        text = io.StringIO()
        lines = [self.header, *self.cells]
        if self.note:  # a column: a line below would be taken for data
            lines = [[*line, "note" if line is self.header else self.note] for line in lines]
        csv.writer(text).writerows(lines)
        return text.getvalue()

    def marked(self, wrap: dict[str, str]) -> list[list[str]]:
        return [
            [wrap[self.marks[r, c]].format(cell) if (r, c) in self.marks else cell for c, cell in enumerate(line)]
            for r, line in enumerate(self.cells)
        ]


def is_number(text: str) -> bool:
    """Whether a cell is a number, perhaps a missing one."""
    return not text or text.lstrip("+-").replace(".", "", 1).isdecimal()


def number(row: Row | None, scale: float, digits: int) -> str:
    """A row's value, and its standard deviation if it has one, as text; "" for None."""
    if row is None:
        return ""
    text = f"{row.value * scale:.{digits}f}"
    return text if row.std is None else f"{text} ± {row.std * scale:.{digits}f}"


def cell(row: Row | None, digits: int | None = None) -> str:
    """A row in the scale and the digits of its metric, or in other digits; "" for None."""
    if row is None:
        return ""
    metric = describe(row.metric)
    return number(row, metric.scale, metric.digits if digits is None else digits)


def significant(value: float | None, scale: float = 1.0) -> str:
    """A number with three significant digits, "" for None: 15.1, 0.0912, 1234, 3.21e-07."""
    if value is None:
        return ""
    size = abs(value := value * scale)
    return f"{value:.0f}" if size == 0 or size >= 999.5 else f"{value:#.3g}".rstrip(".")


def ranks(values: Mapping[Key, float], better: str) -> dict[Key, str]:
    """ "best" and "second" of values; equal ones have the same rank.  better: "higher", "lower", or "" for no ranks."""
    levels = sorted({round(value, 9) for value in values.values()}, reverse=better == "higher")
    names = dict(zip(levels, ("best", "second"), strict=False)) if better else {}
    return {key: names[round(value, 9)] for key, value in values.items() if round(value, 9) in names}


def ranked(
    group: list[Row], split: str, name: str, methods: Sequence[str], first: int, column: int
) -> dict[tuple[int, int], str]:
    """Marks of the best and the second best method of one column; the methods' lines begin at `first`."""
    values = {row.method: row.value for row in group if (row.split, row.metric) == (split, name)}
    return {(first + methods.index(m), column): rank for m, rank in ranks(values, describe(name).better).items()}


def paper_numbers(rows: list[Row], columns: Iterable[tuple[str, str]]) -> list[str]:
    """The paper's numbers of columns (split, metric), "" where it has none."""
    paper = {(row.split, row.metric): row.paper for row in rows if row.paper is not None}
    return [f"{paper[key] * describe(key[1]).scale:.3f}" if key in paper else "" for key in columns]


def crossed(rows: list[Row], down: tuple[str, ...], across: tuple[str, ...], digits: int = 3) -> Table:
    """One line for each combination of the fields `down`, one column for each of the fields `across`, of rows that are means."""
    values = {tuple(getattr(row, name) for name in (*down, *across)): row for row in rows}
    lines, columns = (list(dict.fromkeys(key[p] for key in values)) for p in (slice(len(down)), slice(len(down), None)))
    scales = [describe(dict(zip(across, column, strict=True)).get("metric", "")).scale for column in columns]
    cells = [
        [*line, *(number(values.get(line + each), scale, digits) for each, scale in zip(columns, scales, strict=True))]
        for line in lines
    ]
    heads = ["codes" if name == "clip" else name for name in down]
    return Table(heads + [column_heading(across, column) for column in columns], cells, {})


def column_heading(fields: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """The values of a column's fields; metrics stand there by their labels."""
    named = zip(fields, values, strict=True)
    return ", ".join(describe(value).heading() if field == "metric" else str(value) for field, value in named if value)


def methods_table(rows: list[Row], metrics: Sequence[str], split: str) -> Table:
    """One line for each method, one column for each metric, of one split."""
    rows = [row for row in rows if row.split == split and row.metric in metrics]
    values = {(row.method, row.metric): row for row in rows}
    names = list(dict.fromkeys(row.method for row in rows))
    cells = [[name, *(number(values.get((name, metric)), 1, 3) for metric in metrics)] for name in names]
    return Table(["method", *metrics], cells, {})
