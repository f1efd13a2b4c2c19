"""The table of edited clips of worlds, whose true edit is known."""

from dynode.evaluation.records import Row, averaged, select
from dynode.metrics import METRICS
from dynode.reporting.tables import Table, number

ERRORS = {
    "mse": (METRICS["mse"].scale, METRICS["mse"].heading(), 2),
    "lpips_alex": (METRICS["lpips_alex"].scale, METRICS["lpips_alex"].heading(), 3),
    "factor_error": (100.0, "edited factor, %", 1),
    "others_error": (100.0, "other factors, %", 1),
}
NOTE = (
    "Ranks are those of edits propagated from the first frame; own codes are known at every frame, unedited is no edit."
)


def edited_worlds_table(rows: list[Row]) -> Table:
    """Edited clips of worlds against the true edited episode: one line for each variant of propagation.

    Errors of factors are fractions of their ranges, as a network reads them.  Drift: the largest distance of the propagated
    edit from that of the first frame, relative to its length.
    """
    rows = averaged(rows)
    cells, marks = [], {}
    edits = dict.fromkeys((row.clip, row.variant.partition(", ")[0]) for row in rows if row.metric in ERRORS)
    for clip, factor in edits:
        group = [row for row in select(rows, clip=clip) if row.variant.startswith(f"{factor}, ")]
        variants = list(dict.fromkeys((row.method, row.variant) for row in group if row.metric in ERRORS))
        propagated = [each for each in variants if select(group, method=each[0], variant=each[1], metric="edit_drift")]
        marks |= lowest(group, [(len(cells) + variants.index(each), *each) for each in propagated])
        cells += [[clip, factor, *line(group, *each)] for each in variants]
    heads = ["codes", "factor", "method", "edit", *(title for _, title, _ in ERRORS.values()), "drift"]
    return Table(heads, cells, marks, NOTE)


def lowest(group: list[Row], lines: list[tuple[int, str, str]]) -> dict[tuple[int, int], str]:
    """Marks of the lowest and the second lowest error of each kind among lines (line, method, variant)."""
    marks = {}
    for column, name in enumerate(ERRORS, start=4):
        values = {line: select(group, method=m, variant=v, metric=name)[0].value for line, m, v in lines}
        levels = sorted({float(f"{value:.3g}") for value in values.values()})
        ranks = dict(zip(levels, ("best", "second"), strict=False))
        marks |= {(k, column): ranks[x] for k, value in values.items() if (x := float(f"{value:.3g}")) in ranks}
    return marks


def line(group: list[Row], method: str, variant: str) -> list[str]:
    known = {row.metric: row for row in select(group, method=method, variant=variant)}
    numbers = [number(known.get(name), scale, digits) for name, (scale, _, digits) in ERRORS.items()]
    return [method, variant.partition(", ")[2], *numbers, number(known.get("edit_drift"), 1, 3)]
