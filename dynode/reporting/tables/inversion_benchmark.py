"""The table of `dynode bench inversion`."""

from collections.abc import Sequence

from dynode.evaluation.records import Row, select
from dynode.reporting.tables.cells import Table

COLUMNS = {
    "steps": ("steps", 0),
    "seconds": ("seconds", 1),
    "lpips_vgg": ("LPIPS-VGG", 4),
    "lpips_alex": ("LPIPS-Alex", 4),
    "mse": ("MSE", 4),
    "identity": ("identity cosine", 3),
    "dlib_distance": ("dlib distance", 3),
}


def inversion_table(rows: Sequence[Row]) -> Table:
    """A line for each clip, method and budget, of the rows that `dynode.experiments.inversion_benchmark` measured."""
    shown = {metric: column for metric, column in COLUMNS.items() if select(rows, metric=metric)}
    cells = []
    for clip, method, variant in dict.fromkeys((row.clip, row.method, row.variant) for row in rows):
        values = {row.metric: row.value for row in select(rows, clip=clip, method=method, variant=variant)}
        cells.append(
            [clip, method, variant, *(f"{values[metric]:.{digits}f}" for metric, (_, digits) in shown.items())]
        )
    return Table(["clip", "method", "budget a frame", *(name for name, _ in shown.values())], cells, {})
