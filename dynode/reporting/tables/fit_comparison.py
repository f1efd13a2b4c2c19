"""The tables of `dynode evaluate`: fits beside baselines, in the metrics that are columns there."""

from collections.abc import Mapping, Sequence

from dynode.evaluation.records import Row, protocols
from dynode.metrics import Metric, columns
from dynode.reporting.tables.cells import Table, cell, ranks, significant

KEYS = ("fit", "split", "reference", "method")
SPLIT_ORDER = ("unobserved", "extrapolated", "observed")
Lines = Mapping[tuple[str, ...], Mapping[str, Row]]  # KEYS -> metric -> row


def comparison_table(rows: list[Row]) -> Table:
    """Fits and baselines down, all metrics across, one line for each split and reference (`dynode evaluate --all`)."""
    metrics = columns("short", "all")
    lines = lines_of([row for row in rows if row.split])
    cells = [[*key, *(cell(line.get(each.name), 3) for each in metrics)] for key, line in lines.items()]
    return Table([*KEYS, *(each.heading() for each in metrics)], cells, {}, legend(metrics, rows))


def short_comparison_table(rows: list[Row]) -> Table:
    """Fits and baselines in images, unobserved frames first, with three significant digits (`dynode evaluate`).

    One line per fit, split, reference and method; of fits and references only where there are several.  The best of
    every split and reference is marked, across fits.
    """
    measured = {row.metric for row in rows}
    metrics = [each for each in columns("short") if each.name in measured]
    kept = [row for row in rows if row.split and row.space == "image" and row.metric in {m.name for m in metrics}]
    lines = lines_of(sorted(kept, key=lambda row: SPLIT_ORDER.index(row.split)))
    numbers = [[value_of(line.get(each.name), each) for each in metrics] for line in lines.values()]
    varied = [c for c, name in enumerate(KEYS) if name in ("split", "method") or len({key[c] for key in lines}) > 1]
    cells = [[*(key[c] for c in varied), *values] for key, values in zip(lines, numbers, strict=True)]
    marks = {(r, len(varied) + c): "best" for r, c in best_cells(lines, metrics)}
    return Table(
        [*(KEYS[c] for c in varied), *(each.heading() for each in metrics)], cells, marks, legend(metrics, rows)
    )


def legend(metrics: Sequence[Metric], rows: Sequence[Row]) -> str:
    """How the columns are read, in a line: what is better, what a skill of 0 and of 1 is, and how the codes were made."""
    better = {side: [each.heading() for each in metrics if each.better == side] for side in ("lower", "higher")}
    read = [f"{', '.join(names)}: {side} is better" for side, names in better.items() if names]
    skill = ["skill 0 is linear interpolation, 1 no error"] * any(each.name.startswith("skill") for each in metrics)
    codes = [f"codes: {named}"] if (named := protocols(rows)) else []
    return "; ".join([*read, *skill, *codes]) + "." if read else ""


def lines_of(rows: list[Row]) -> dict[tuple[str, ...], dict[str, Row]]:
    """The rows of every line, by the metric; what is measured in codes stands beside the images of the codes."""
    lines: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        reference = row.reference if row.space == "image" else "code"
        lines.setdefault((row.variant, row.split, reference, row.method), {})[row.metric] = row
    return lines


def value_of(row: Row | None, metric: Metric) -> str:
    """A value in the metric's scale, with three significant digits."""
    return "" if row is None else significant(row.value, metric.scale)


def best_cells(lines: Lines, metrics: Sequence[Metric]) -> list[tuple[int, int]]:
    """(line, metric) by number, of the best of each split and reference; none where all are equal."""
    best = []
    for c, metric in enumerate(metrics):
        for group in dict.fromkeys(key[1:3] for key in lines):
            values = {
                r: line[metric.name].value
                for r, (key, line) in enumerate(lines.items())
                if key[1:3] == group and metric.name in line
            }
            marked = ranks(values, metric.better)
            best += [(r, c) for r, rank in marked.items() if rank == "best" and "second" in marked.values()]
    return best
