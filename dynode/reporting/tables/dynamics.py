"""Tables of learned dynamics: Table 1 of the paper, skill, rivals, and the comparison of fits."""

from dynode.evaluation.records import Row, averaged, pooled, select
from dynode.reporting.tables.cells import SCALES, SPLITS, Table, number, paper_numbers, ranked


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


def depth_table(found: list[Row]) -> Table:
    """A line for each clip, a column for each DEPTH: skill over linear where nobody but the judge looked."""
    rows = averaged(found)
    variants = list(dict.fromkeys(row.variant for row in rows))
    cells = []
    for clip in dict.fromkeys(row.clip for row in rows):
        values = {row.variant: row for row in rows if row.clip == clip}
        spread = {name: "" if row.std is None else f" ± {row.std:.3f}" for name, row in values.items()}
        cells.append([clip, *(f"{values[name].value:+.3f}{spread[name]}" for name in variants)])
    return Table(["codes", *variants], cells, {})
