"""Tables of learned dynamics: Table 1 of the paper, skill, baselines, and the choice of DEPTH."""

from collections.abc import Sequence
from dataclasses import replace

from dynode.evaluation.records import Row, averaged, pooled, select
from dynode.metrics import describe
from dynode.reporting.tables.cells import SPLITS, Table, cell, number, paper_numbers, ranked

METHODS = ("hold", "linear", "dynode")


def table1(
    rows: list[Row],
    metrics: Sequence[str] = ("mse", "lpips_alex", "ssim"),
    methods: Sequence[str] = METHODS,
    reference: str = "code",
) -> Table:
    """Table 1 of the paper for one category, against the images of the clips' own codes, or another reference.

    Codes, sampling and stride down; observed, unobserved and (where frames at the end were held out) extrapolated across.
    The skill is that of the errors in the table.  The last line is the paper's own number, as far as the rows carry one.
    """
    rows = [row for row in averaged(with_own_skills(rows, reference)) if row.method in methods]
    columns = columns_of(rows, metrics)
    cells, marks = [], {}
    for key in conditions(rows):
        group = [row for row in rows if (row.clip, row.sampling, row.stride) == key]
        marks |= column_marks(group, columns, methods, first=len(cells), left=4)
        for method in methods:
            numbers, _ = method_cells(group, columns, method)
            cells.append([*map(str, key), method, *numbers])
    cells.append(["(paper)", "not stated", "", "paper", *paper_numbers(rows, columns), ""])
    return Table(["codes", "sampling", "stride", "method", *headings(columns)], cells, marks)


def categories_table(
    rows: list[Row],
    metrics: Sequence[str] = ("mse", "lpips_alex", "ssim"),
    methods: Sequence[str] = METHODS,
    *,
    reference: str = "code",
    sampling: str = "regular",
    stride: int = 4,
) -> Table:
    """Table 1 of the paper: every category at one sampling and stride, mean ± std over its clips.

    The skill is that of the errors in the table.  The last line of a category is the paper's own number, as far as the rows
    carry one.
    """
    rows = with_own_skills(select(rows, sampling=sampling, stride=stride), reference)
    rows = [row for row in pooled(rows) if row.method in methods]
    columns = columns_of(rows, metrics)
    cells, marks = [], {}
    for category in dict.fromkeys(row.category for row in rows if row.metric != "skill"):
        group = select(rows, category=category)
        marks |= column_marks(group, columns, methods, first=len(cells), left=3)
        for method in methods:
            numbers, clips = method_cells(group, columns, method)
            cells.append([category, str(clips), method, *numbers])
        cells.append([category, "", "paper", *paper_numbers(group, columns), ""])
    return Table(["category", "clips", "method", *headings(columns)], cells, marks)


def with_own_skills(rows: list[Row], reference: str) -> list[Row]:
    """The rows against one reference, with the skill over linear interpolation that follows from their own errors.

    Recorded skills belong to one reference each and are left out: beside errors against another they would contradict them.
    """
    rows = [row for row in select(rows, reference=reference) if row.metric != "skill"]
    errors = [row for row in select(rows, metric="mse") if row.split != "observed"]
    linear = {same_frames(row): row.value for row in select(errors, method="linear")}
    once = {replace(frames, seed=None): value for frames, value in linear.items() if frames.sampling != "irregular"}
    skills = []
    for row in errors:
        frames = same_frames(row)
        if known := linear.get(frames) or once.get(replace(frames, seed=None)):
            skills.append(replace(row, metric="skill", value=1 - row.value / known, unit="", paper=None))
    return rows + skills


def same_frames(row: Row) -> Row:
    """What rows of all methods on the same frames have in common; at regular times one seed may stand for all."""
    return replace(row, method="", value=0.0, paper=None)


def columns_of(rows: list[Row], metrics: Sequence[str]) -> list[tuple[str, str]]:
    """(split, metric) of the columns of Table 1: of every split that any of the metrics was measured on."""
    splits = [split for split in SPLITS if any(row.split == split and row.metric in metrics for row in rows)]
    measured = {(row.split, row.metric) for row in rows}
    return [(split, name) for split in splits for name in metrics if (split, name) in measured]


def headings(columns: list[tuple[str, str]]) -> list[str]:
    """The headings of columns (split, metric), and that of the skill behind them."""
    return [*(f"{split} {describe(name).heading()}" for split, name in columns), "skill"]


def column_marks(
    group: list[Row], columns: list[tuple[str, str]], methods: Sequence[str], first: int, left: int
) -> dict[tuple[int, int], str]:
    """Marks of the best and the second best method of every column; `left` columns stand before them."""
    marks = {}
    for c, (split, name) in enumerate(columns, start=left):
        marks |= ranked(group, split, name, methods, first, c)
    return marks


def method_cells(group: list[Row], columns: list[tuple[str, str]], method: str) -> tuple[list[str], int]:
    """The cells of one method, its skill last; and of how many clips or seeds they are."""
    values = {(row.split, row.metric): row for row in group if row.method == method}
    numbers = [cell(values.get(key)) for key in columns]
    return [*numbers, cell(values.get(("unobserved", "skill")))], max((row.n for row in values.values()), default=0)


def conditions(rows: list[Row]) -> list[tuple[str, str, int]]:
    """(clip, sampling, stride) in the order of the clips, regular before irregular."""
    clips = list(dict.fromkeys(row.clip for row in rows))
    keys = {(row.clip, row.sampling, row.stride) for row in rows}
    return sorted(keys, key=lambda key: (clips.index(key[0]), key[1] != "regular", key[2]))


def skill_table(rows: list[Row], methods: Sequence[str]) -> Table:
    """Skill over linear interpolation at unobserved times, in images and in codes; length and roughness of the path."""
    columns = (("skill", "unobserved"), ("skill_latent", "unobserved"), ("path_length", ""), ("roughness", ""))
    cells = []
    for key in conditions(rows):
        group = [row for row in rows if (row.clip, row.sampling, row.stride) == key]
        for method in methods:
            values = {(row.metric, row.split): row for row in group if row.method == method}
            cells.append([*map(str, key), method, *(cell(values.get(column)) for column in columns)])
    return Table(["codes", "sampling", "stride", "method", *(describe(m).heading() for m, _ in columns)], cells, {})


def baselines_table(rows: list[Row], methods: Sequence[str], metric: str = "skill", digits: int = 2) -> Table:
    """One line for each method: its cost, and a metric at unobserved times, mean ± std over the clips of a category.

    Clips count once, as the mean over their seeds; samplings stand apart.
    """
    across = pooled([row for row in rows if (row.metric, row.split) == (metric, "unobserved")])
    order = list(dict.fromkeys(row.category for row in across))
    columns = {(row.category, row.sampling) for row in across}
    columns = sorted(columns, key=lambda key: (order.index(key[0]), key[1] != "regular"))
    values = {(row.method, row.category, row.sampling): row for row in across}
    cells, marks = [], {}
    for method in methods:
        numbers = [number(values.get((method, *key)), 1, digits) for key in columns]
        cells.append([method, *mean_costs(rows, method), *numbers])
    for c, (category, sampling) in enumerate(columns, start=3):
        group = [row for row in select(across, category=category, sampling=sampling) if row.method in methods]
        marks |= ranked(group, "unobserved", metric, list(methods), first=0, column=c)
    return Table(["method", "parameters", "seconds a fit", *(f"{c}, {s}" for c, s in columns)], cells, marks)


def mean_costs(rows: list[Row], method: str) -> list[str]:
    """Trained parameters and seconds of a method's fits, means over all of them; "" for what is not trained."""
    costs = [[row.value for row in select(rows, method=method, metric=name)] for name in ("parameters", "seconds")]
    return [f"{sum(each) / len(each):.{d}f}" if each else "" for each, d in zip(costs, (0, 1), strict=True)]


def depth_table(rows: list[Row]) -> Table:
    """One line for each clip, one column for each DEPTH: skill over linear interpolation at held-out observed frames."""
    rows = averaged(rows)
    variants = list(dict.fromkeys(row.variant for row in rows))
    cells = []
    for clip in dict.fromkeys(row.clip for row in rows):
        values = {row.variant: row for row in rows if row.clip == clip}
        stds = {name: "" if row.std is None else f" ± {row.std:.3f}" for name, row in values.items()}
        cells.append([clip, *(f"{values[name].value:+.3f}{stds[name]}" for name in variants)])
    return Table(["codes", *variants], cells, {})
