"""The table of `dynode bench`."""

from dynode.reporting.tables.cells import Table


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
