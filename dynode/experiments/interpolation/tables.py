"""Tables of interpolation errors, uncertainty bands and explained variance."""

from collections.abc import Iterable

from dynode.evaluation.records import Row, averaged, select
from dynode.metrics import METRICS
from dynode.reporting.tables import Table, cell, ranked

BETWEEN = ("code_distance", "curve_distance", "mse", "lpips_alex")


def distances_table(rows: list[Row], methods: Iterable[str]) -> Table:
    """Interpolation errors of methods: distances of codes and errors of images, mean ± std over seeds.

    Below the methods of each clip: the bound for paths in the span of the observed codes, and the images of the clip's own
    codes.  Distances to the curve have no rank: a path on the curve may still be at the wrong place.
    """
    rows, methods = averaged(rows), list(methods)
    cells, marks = [], {}
    for clip in dict.fromkeys(row.clip for row in rows):
        own = select(rows, clip=clip)
        for sampling in sorted({row.sampling for row in own if row.sampling}, reverse=True):
            group = select(own, sampling=sampling, split="unobserved")
            marks |= marks_of(group, methods, len(cells))
            cells += [[clip, sampling, *method_cells(group, method)] for method in [*methods, "nearest in the span"]]
        if select(own, method="own codes"):
            cells.append([clip, "", *method_cells(own, "own codes")])
    return Table(["codes", "sampling", "method", *(METRICS[name].heading() for name in BETWEEN)], cells, marks)


def marks_of(group: list[Row], methods: list[str], first: int) -> dict[tuple[int, int], str]:
    """Ranks of the methods in each column, the first method in row `first` of the table."""
    group, marks = [row for row in group if row.method in methods], {}
    for column, name in enumerate(BETWEEN, start=3):
        marks |= ranked(group, "unobserved", name, methods, first, column) if name != "curve_distance" else {}
    return marks


def method_cells(group: list[Row], method: str) -> list[str]:
    """The method's name and its errors between observations."""
    values = {row.metric: row for row in group if row.method == method}
    return [method, *(cell(values.get(name)) for name in BETWEEN)]


def bands_table(rows: list[Row]) -> Table:
    """Coverage of the unobserved codes by each ensemble's band, and the band's mean radius."""
    cells = []
    for row in select(rows, metric="band_coverage"):
        (radius,) = select(rows, metric="band_radius", clip=row.clip, method=row.method)
        cells.append([row.clip, row.method, f"{100 * row.value:.0f}", f"{radius.value:.2f}"])
    header = ["codes", "band of", "coverage of unobserved codes, % (95 expected)", "mean radius (steps)"]
    return Table(header, cells, {})


def variance_table(rows: list[Row]) -> Table:
    """Variance of a path explained by its first components, and the part outside the span of the observed codes."""
    names = ["component 1", "component 2", "component 3", "first two", "to 90 %", "to 99 %", "outside the span"]
    cells = []
    for clip in dict.fromkeys(row.clip for row in rows):
        values = {row.variant: row.value for row in select(rows, clip=clip)}
        numbers = (f"{values[name]:.0f}" if "to" in name else f"{100 * values[name]:.1f}" for name in names)
        cells.append([clip, *numbers])
    header = [*(f"{name}, %" for name in names[:4]), *(f"components {name}" for name in names[4:6])]
    return Table(["codes", *header, "outside the span of the observed codes, %"], cells, {})
