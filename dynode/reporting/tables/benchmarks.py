"""The table of `dynode bench`."""

from collections.abc import Sequence
from typing import Any

from dynode.reporting.tables.cells import Table

HEADER = [
    "what", "ours s", "other way", "its s", "times faster", "floor s", "times the floor", "largest difference",
]  # fmt: skip


def bench_table(comparisons: Sequence[Any]) -> Table:
    """One line for each comparison of `dynode.experiments.benchmarks`: seconds of both, of the floor, and the ratios."""
    cells = []
    for one in comparisons:
        floor = ["", ""] if one.floor is None else [f"{one.floor:.3g}", f"{one.ours / one.floor:.1f}"]
        times = [one.name, f"{one.ours:.3g}", one.other_name, f"{one.other:.3g}", f"{one.ratio:.1f}"]
        cells.append([*times, *floor, f"{one.difference:.1e} {one.of}"])
    return Table(HEADER, cells, {})
