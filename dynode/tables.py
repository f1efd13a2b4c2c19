"""Records -> tables: Markdown, LaTeX, CSV. Numbers are mean +- std over seeds, best bold, second underlined."""

import csv
import io
from dataclasses import dataclass

from dynode.metrics import METRICS
from dynode.records import Row, averaged, pooled, select

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


def table1(
    rows: list[Row], metrics=("mse", "ssim"), methods=("hold", "linear", "dynode"), reference: str = "code"
) -> Table:
    """Table 1 of the paper for one category, against the images of the clips' own codes, or another reference.

    Codes, sampling and stride down; observed, unobserved and (where frames were hidden at the end) extrapolated across.
    The last line is the paper's own number, as far as the rows carry one.
    """
    rows = [
        row for row in averaged(rows) if row.method in methods and (row.reference == reference or row.metric == "skill")
    ]
    splits = [split for split in SPLITS if any(row.split == split and row.metric in metrics for row in rows)]
    columns = [(split, name) for split in splits for name in metrics]
    header = [
        "codes",
        "sampling",
        "stride",
        "method",
        *(f"{split} {SCALES[name][1]}" for split, name in columns),
        "skill",
    ]
    cells, marks = [], {}
    for key in conditions(rows):
        group = [r for r in rows if (r.clip, r.sampling, r.stride) == key]
        for c, (split, name) in enumerate(columns):
            marks |= ranked(group, split, name, methods, first=len(cells), column=c + 4)
        for method in methods:
            found = {(r.split, r.metric): r for r in group if r.method == method}
            numbers = [number(found.get(key), SCALES[key[1]][0], 3 if key[1] == "mse" else 2) for key in columns]
            cells.append([*map(str, key), method, *numbers, number(found.get(("unobserved", "skill")), 1, 3)])
    cells.append(["(paper)", "not stated", "", "paper", *paper_numbers(rows, columns), ""])
    return Table(header, cells, marks)


def categories_table(
    rows: list[Row],
    metrics=("mse", "ssim", "lpips_alex"),
    methods=("hold", "linear", "dynode"),
    *,
    reference: str = "code",
    sampling: str = "regular",
    stride: int = 4,
) -> Table:
    """Table 1 of the paper: every category at one sampling and stride, mean ± std over its clips.

    The last line of a category is the paper's own number, as far as the rows carry one.
    """
    named = {"sampling": sampling, "stride": stride}
    rows = [row for row in pooled(select(rows, **named)) if row.method in methods]
    rows = [row for row in rows if row.metric == "skill" or row.reference == reference]
    columns = [(split, name) for split in SPLITS for name in metrics]
    columns = [key for key in columns if any((row.split, row.metric) == key for row in rows)]
    header = ["category", "clips", "method", *(f"{split} {SCALES[name][1]}" for split, name in columns), "skill"]
    cells, marks = [], {}
    for category in dict.fromkeys(row.category for row in rows if row.metric != "skill"):
        group = select(rows, category=category)
        for c, (split, name) in enumerate(columns):
            marks |= ranked(group, split, name, methods, first=len(cells), column=c + 3)
        for method in methods:
            found = {(r.split, r.metric): r for r in group if r.method == method}
            numbers = [number(found.get(key), SCALES[key[1]][0], 3 if key[1] == "mse" else 2) for key in columns]
            clips = str(max((row.n for row in found.values()), default=0))
            cells.append([category, clips, method, *numbers, number(found.get(("unobserved", "skill")), 1, 3)])
        cells.append([category, "", "paper", *paper_numbers(group, columns), ""])
    return Table(header, cells, marks)


def conditions(rows: list[Row]) -> list[tuple[str, str, int]]:
    """(clip, sampling, stride) in the order of the clips, regular before irregular."""
    clips = list(dict.fromkeys(row.clip for row in rows))
    found = {(row.clip, row.sampling, row.stride) for row in rows}
    return sorted(found, key=lambda key: (clips.index(key[0]), key[1] != "regular", key[2]))


def skill_table(rows: list[Row], methods) -> Table:
    """Skill over linear at unobserved times, in images and in codes, and the path's length and roughness."""
    columns = (("skill", "unobserved"), ("skill_latent", "unobserved"), ("path_length", ""), ("roughness", ""))
    header = ["codes", "sampling", "stride", "method", "skill", "skill in codes", "path length", "roughness"]
    cells = []
    for key in conditions(rows):
        group = [r for r in rows if (r.clip, r.sampling, r.stride) == key]
        for method in methods:
            found = {(r.metric, r.split): r for r in group if r.method == method}
            cells.append([*map(str, key), method, *(number(found.get(column), 1, 3) for column in columns)])
    return Table(header, cells, {})


def rivals_table(rows: list[Row], methods, metric: str = "skill", digits: int = 2) -> Table:
    """One line for each method: its cost, and a metric at unobserved times, mean ± std over the clips of a category.

    Clips count once, as the mean over their seeds; samplings stand apart.
    """
    across = pooled([row for row in rows if (row.metric, row.split) == (metric, "unobserved")])
    order = list(dict.fromkeys(row.category for row in across))
    columns = {(row.category, row.sampling) for row in across}
    columns = sorted(columns, key=lambda key: (order.index(key[0]), key[1] != "regular"))
    found = {(row.method, row.category, row.sampling): row for row in across}
    cells, marks = [], {}
    for method in methods:
        cost = [select(rows, method=method, metric=name) for name in ("parameters", "seconds")]
        told = [
            f"{sum(r.value for r in each) / len(each):.{d}f}" if each else ""
            for each, d in zip(cost, (0, 1), strict=True)
        ]
        cells.append([method, *told, *(number(found.get((method, *key)), 1, digits) for key in columns)])
    for c, (category, sampling) in enumerate(columns):
        group = [
            row for row in across if (row.category, row.sampling) == (category, sampling) and row.method in methods
        ]
        marks |= ranked(group, "unobserved", metric, list(methods), first=0, column=c + 3)
    return Table(["method", "parameters", "seconds a fit", *(f"{c}, {s}" for c, s in columns)], cells, marks)


BETWEEN = ("code_distance", "curve_distance", "mse", "lpips_alex")


def distances_table(rows: list[Row], methods) -> Table:
    """What methods put between observations: distances of codes and errors of images, mean ± std over seeds.

    Below the methods of each clip stand what no path among the observed codes can pass, and the images of its own codes.
    No rank to the curve: who never leaves it may still be at the wrong place.
    """
    rows, methods = averaged(rows), list(methods)
    cells, marks = [], {}
    for clip in dict.fromkeys(row.clip for row in rows):
        own = select(rows, clip=clip)
        for sampling in sorted({row.sampling for row in own if row.sampling}, reverse=True):
            group = select(own, sampling=sampling, split="unobserved")
            for c, name in enumerate(BETWEEN):
                told = [row for row in group if row.method in methods]
                marks |= (
                    ranked(told, "unobserved", name, methods, len(cells), c + 3) if name != "curve_distance" else {}
                )
            cells += [[clip, sampling, *line(group, method)] for method in [*methods, "nearest in the span"]]
        if select(own, method="own codes"):
            cells.append([clip, "", *line(own, "own codes")])
    return Table(["codes", "sampling", "method", *(SCALES[name][1] for name in BETWEEN)], cells, marks)


def line(group: list[Row], method: str) -> list[str]:
    """The method's name and its numbers between observations."""
    found = {row.metric: row for row in group if row.method == method}
    return [method, *(number(found.get(name), SCALES[name][0], 3) for name in BETWEEN)]


def bands_table(rows: list[Row]) -> Table:
    """Each ensemble's share of hidden codes inside its band, and the band's radius."""
    cells = []
    for row in select(rows, metric="band_coverage"):
        (radius,) = select(rows, metric="band_radius", clip=row.clip, method=row.method)
        cells.append([row.clip, row.method, f"{100 * row.value:.0f}", f"{radius.value:.2f}"])
    header = ["codes", "band of", "hidden codes inside, % (95 expected)", "mean radius (steps)"]
    return Table(header, cells, {})


def variance_table(rows: list[Row]) -> Table:
    """How much of a path its first components show, and what the span of the observed codes leaves out of it."""
    names = ["component 1", "component 2", "component 3", "first two", "to 90 %", "to 99 %", "outside the span"]
    cells = []
    for clip in dict.fromkeys(row.clip for row in rows):
        found = {row.variant: row for row in select(rows, clip=clip)}
        told = [f"{found[name].value:.0f}" if "to" in name else f"{100 * found[name].value:.1f}" for name in names]
        cells.append([clip, *told])
    wide = [*(f"{name}, %" for name in names[:4]), *(f"components {name}" for name in names[4:6])]
    return Table(["codes", *wide, "outside the span of the observed codes, %"], cells, {})


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


def bench_table(found) -> Table:
    """One line for each comparison: seconds of both ways, of the floor, and the ratios."""
    header = [
        "what",
        "ours s",
        "other way",
        "its s",
        "times faster",
        "floor s",
        "times the floor",
        "largest difference",
    ]
    cells = []
    for one in found:
        floor = ["", ""] if one.floor is None else [f"{one.floor:.3g}", f"{one.ours / one.floor:.1f}"]
        told = [one.name, f"{one.ours:.3g}", one.other_name, f"{one.other:.3g}", f"{one.ratio:.1f}"]
        cells.append([*told, *floor, f"{one.difference:.1e} {one.of}"])
    return Table(header, cells, {})


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
    higher = name not in METRICS or METRICS[name].better == "higher"  # skill is no metric of frames
    levels = sorted({round(v, 9) for v in values.values()}, reverse=higher)
    ranks = dict(zip(levels, ("best", "second"), strict=False))  # equal values share their rank
    named = {method: ranks.get(round(value, 9)) for method, value in values.items()}
    return {(first + methods.index(method), column): rank for method, rank in named.items() if rank}


def paper_numbers(rows: list[Row], columns) -> list[str]:
    paper = {(r.split, r.metric): r.paper for r in rows if r.paper is not None}
    return [f"{paper[key] * SCALES[key[1]][0]:.3f}" if key in paper else "" for key in columns]
