"""The table of face fidelity: measures of reconstructions beside their controls."""

from dynode.evaluation.records import Row
from dynode.metrics import describe
from dynode.reporting.tables.cells import Table, cell


def fidelity_table(rows: list[Row]) -> Table:
    """One line for each measure with its direction, one column for each method; rows: of `FaceFidelity.rows` of one clip."""
    values = {(row.metric, row.method): row for row in rows}
    measures, methods = (list(dict.fromkeys(getattr(row, name) for row in rows)) for name in ("metric", "method"))
    cells = [
        [describe(name).heading(arrow=True), *(cell(values.get((name, each))) for each in methods)] for name in measures
    ]
    return Table(["measure", *methods], cells, {})
