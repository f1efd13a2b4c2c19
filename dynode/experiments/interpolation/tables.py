"""Tables of what methods put between their observations."""

from dynode.evaluation.records import Row, averaged, select
from dynode.reporting.tables.cells import SCALES, Table, number, ranked

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
