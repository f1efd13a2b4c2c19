"""Records -> tables: Markdown, LaTeX, CSV. Numbers are mean +- std over seeds, best bold, second underlined."""

import csv
import io
from dataclasses import dataclass

from dynode.metrics import METRICS
from dynode.records import Row, averaged

SCALES = {
    "mse": (1e3, "MSE x 1e3"),
    "ssim": (100.0, "SSIM %"),
    "lpips_alex": (1.0, "LPIPS-Alex"),
    "identity": (1.0, "identity"),
    "latent_mse": (1.0, "latent MSE"),
}


@dataclass(frozen=True)
class Table:
    """A header and cells as plain strings; `marks` (row, column) -> "best" or "second"."""

    header: list[str]
    cells: list[list[str]]
    marks: dict[tuple[int, int], str]

    def markdown(self) -> str:
        wrap = {"best": "**{}**", "second": "<u>{}</u>"}
        lines = [self.header, ["---"] * len(self.header), *self.marked(wrap)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"

    def latex(self) -> str:
        wrap = {"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}"}
        escaped = [[cell.replace("%", r"\%").replace("±", r"$\pm$") for cell in line] for line in self.marked(wrap)]
        head = " & ".join(self.header).replace("%", r"\%").replace("_", r"\_")
        body = " \\\\\n".join(" & ".join(line) for line in escaped)
        columns = "l" * 3 + "r" * (len(self.header) - 3)
        return f"\\begin{{tabular}}{{{columns}}}\n{head} \\\\\n\\hline\n{body} \\\\\n\\end{{tabular}}\n"

    def csv(self) -> str:
        text = io.StringIO()
        csv.writer(text).writerows([self.header, *self.cells])
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


def table1(rows: list[Row], metrics=("mse", "ssim"), methods=("hold", "linear", "dynode")) -> Table:
    """Table 1 of the paper for one category: sampling and stride down, observed and unobserved across.

    The last line is the paper's own number, as far as the rows carry one.
    """
    rows = [row for row in averaged(rows) if row.method in methods]
    columns = [(split, name) for split in ("observed", "unobserved") for name in metrics]
    header = ["sampling", "stride", "method", *(f"{split} {SCALES[name][1]}" for split, name in columns), "skill"]
    cells, marks = [], {}
    for sampling, stride in sorted({(r.sampling, r.stride) for r in rows}, key=lambda key: (key[0] != "regular", key)):
        group = [r for r in rows if (r.sampling, r.stride) == (sampling, stride)]
        for c, (split, name) in enumerate(columns):
            marks |= ranked(group, split, name, methods, first=len(cells), column=c + 3)
        for method in methods:
            found = {(r.split, r.metric): r for r in group if r.method == method}
            numbers = [number(found.get(key), SCALES[key[1]][0], 3 if key[1] == "mse" else 2) for key in columns]
            cells.append([sampling, str(stride), method, *numbers, number(found.get(("unobserved", "skill")), 1, 3)])
    cells.append(paper_line(rows, columns))
    return Table(header, cells, marks)


COMPARED = ("mse", "ssim", "lpips_alex", "identity", "latent_mse")


def comparison_table(rows: list[Row]) -> Table:
    """Fits and rivals down, metrics across, one line for each split and reference (`dynode evaluate`)."""
    header = ["fit", "split", "reference", "method", *(SCALES[name][1] for name in COMPARED), "skill"]
    cells: dict[tuple, dict[str, Row]] = {}
    for row in rows:
        if row.split:
            reference = row.reference if row.space == "image" else "code"
            cells.setdefault((row.variant, row.split, reference, row.method), {})[row.metric] = row
    lines = [
        [*key, *(number(found.get(name), SCALES[name][0], 3) for name in COMPARED), number(found.get("skill"), 1, 3)]
        for key, found in cells.items()
    ]
    return Table(header, lines, {})


def ranked(group: list[Row], split: str, name: str, methods, first: int, column: int) -> dict[tuple[int, int], str]:
    """Marks of the best and the second best method of one column."""
    values = {r.method: r.value for r in group if (r.split, r.metric) == (split, name)}
    levels = sorted({round(v, 9) for v in values.values()}, reverse=METRICS[name].better == "higher")
    ranks = dict(zip(levels, ("best", "second"), strict=False))  # equal values share their rank
    named = {method: ranks.get(round(value, 9)) for method, value in values.items()}
    return {(first + methods.index(method), column): rank for method, rank in named.items() if rank}


def paper_line(rows: list[Row], columns) -> list[str]:
    paper = {(r.split, r.metric): r.paper for r in rows if r.paper is not None}
    numbers = [f"{paper[key] * SCALES[key[1]][0]:.3f}" if key in paper else "" for key in columns]
    return ["(paper)", "not stated", "paper", *numbers, ""]
