"""A method beside the best of its baselines, by category and condition."""

from collections.abc import Sequence

from dynode.errors import UserError
from dynode.evaluation.paired_comparison import compare
from dynode.evaluation.records import Row, pooled, select
from dynode.reporting.tables.cells import Table, crossed


def sparsity_table(
    rows: Sequence[Row], baselines: Sequence[str], method: str = "dynode", control: str = "dynode[no z]"
) -> Table:
    """Image errors of a method over those of its best baseline, and of a control, with 95 % intervals over clips."""
    rows, cells = select(rows, metric="mse"), []
    for key in dict.fromkeys((row.category, row.split, row.sampling, row.stride, row.variant) for row in rows):
        category, split, sampling, stride, variant = key
        where = {"category": category, "split": split, "sampling": sampling, "stride": stride, "variant": variant}
        own = select(rows, **where)
        known = [name for name in baselines if any(row.method == name for row in own)]
        where |= {"reference": own[0].reference}
        try:
            best, other = compare(own, method, known, **where), compare(own, method, [control], **where)
        except UserError:
            continue  # a method did not run here
        observed = variant or f"{sampling}, stride {stride}"
        cells.append([category, observed, str(best.ratio.clips), best.baseline, str(best.ratio), str(other.ratio)])
    heads = ["category", "observed", "clips", "best baseline", f"{method} / best baseline", f"{method} / {control}"]
    return Table(heads, cells, {})


def errors_table(rows: Sequence[Row]) -> Table:
    """The mean image error of every method and its standard deviation over clips, by category and condition."""
    return crossed(
        pooled(select(rows, metric="mse")), ("category", "method"), ("metric", "sampling", "stride", "variant")
    )
