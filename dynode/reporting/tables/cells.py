"""What every table is made of: cells, numbers as text, ranks, and tables that cross any fields of rows."""

import csv
import io
from dataclasses import dataclass

from dynode.evaluation.records import Row
from dynode.metrics import METRICS

SPLITS = ("observed", "unobserved", "extrapolated")
SCALES = {
    "mse": (1e3, "MSE x 1e3"),
    "ssim": (100.0, "SSIM %"),
    "lpips_alex": (1.0, "LPIPS-Alex"),
    "identity": (1.0, "identity"),
    "latent_mse": (1.0, "latent MSE"),
    "code_distance": (1.0, "to the code of the time (steps)"),
    "curve_distance": (1.0, "to the curve (steps)"),
}


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


def number(row: Row | None, scale: float, digits: int) -> str:
    if row is None:
        return ""
    text = f"{row.value * scale:.{digits}f}"
    return text if row.std is None else f"{text} ± {row.std * scale:.{digits}f}"


def ranked(group: list[Row], split: str, name: str, methods, first: int, column: int) -> dict[tuple[int, int], str]:
    """Marks of the best and the second best method of one column."""
    values = {r.method: r.value for r in group if (r.split, r.metric) == (split, name)}
    higher = name not in METRICS or METRICS[name].better == "higher"  # skill is no metric of frames
    levels = sorted({round(v, 9) for v in values.values()}, reverse=higher)
    ranks = dict(zip(levels, ("best", "second"), strict=False))  # equal values share their rank
    named = {method: ranks.get(round(value, 9)) for method, value in values.items()}
    return {(first + methods.index(method), column): rank for method, rank in named.items() if rank}


def paper_numbers(rows: list[Row], columns) -> list[str]:
    paper = {(r.split, r.metric): r.paper for r in rows if r.paper is not None}
    return [f"{paper[key] * SCALES[key[1]][0]:.3f}" if key in paper else "" for key in columns]


def crossed(rows: list[Row], down: tuple[str, ...], across: tuple[str, ...], digits: int = 3) -> Table:
    """One line for each combination of the fields `down`, a column for each of the fields `across`, of rows that are means."""
    found = {tuple(getattr(row, name) for name in (*down, *across)): row for row in rows}
    lines, columns = (list(dict.fromkeys(key[p] for key in found)) for p in (slice(len(down)), slice(len(down), None)))
    told = [[SCALES.get(name, (1.0, name)) for name in column if name] for column in columns]
    scales = [next((scale for scale, _ in names if scale != 1), 1.0) for names in told]
    cells = [
        [*line, *(number(found.get(line + each), scale, digits) for each, scale in zip(columns, scales, strict=True))]
        for line in lines
    ]
    heads = [", ".join(str(name) for _, name in names) for names in told]
    return Table(["codes" if name == "clip" else name for name in down] + heads, cells, {})


def methods_table(rows: list[Row], metrics, split: str) -> Table:
    """One line for each method, one column for each metric, of one split."""
    rows = [row for row in rows if row.split == split and row.metric in metrics]
    found = {(row.method, row.metric): row for row in rows}
    names = list(dict.fromkeys(row.method for row in rows))
    cells = [[name, *(number(found.get((name, metric)), 1, 3) for metric in metrics)] for name in names]
    return Table(["method", *metrics], cells, {})
