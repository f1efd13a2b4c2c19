"""Tables of editors: change of their own attribute, of the others beside it, preservation of identity."""

from dynode.evaluation.records import Row, select
from dynode.reporting.tables.cells import Table, number

COLUMNS = {
    "own_change": ("its own attribute (std)", 2),
    "leakage": ("others / its own ↓", 2),
    "identity": ("identity ↑", 2),
    "lowest_identity": ("lowest", 2),
    "distance[dlib]": ("identity[dlib], distance ↓", 2),
}


def editors_table(rows: list[Row]) -> Table:
    """One line for each editor and strength; mean ± std over codes, and which other attribute moves most."""
    present = {name: column for name, column in COLUMNS.items() if select(rows, metric=name)}
    header = ["codes", "editor", "strength", "n", *(title for title, _ in present.values()), "most changed beside it"]
    cells = []
    graded = [row for row in rows if row.variant]
    for clip, category, method, strength in dict.fromkeys((r.clip, r.category, r.method, r.variant) for r in graded):
        group = select(graded, clip=clip, category=category, method=method, variant=strength)
        values = {row.metric: row for row in group}
        numbers = [number(values.get(name), 1.0, digits) for name, (_, digits) in present.items()]
        cells.append([clip or category, method, strength, str(values["own_change"].n), *numbers, beside(group)])
    return Table(header, cells, {})


def ladders_table(rows: list[Row]) -> Table:
    """One line for each editor of `editor_quality.ladder_rows`: its change from rung to rung, and the rest at the strength used.

    Own change: means over codes in standard deviations of random samples, at each strength behind its colon.
    """
    header = ["codes", "editor", "its own attribute", "strength used", "own change at each strength", "one way"]
    header += ["smallest step", "others / its own ↓", "identity ↑", "lowest identity", "most changed beside it"]
    cells = []
    for used in select(rows, metric="strength_used"):
        mine = select(rows, category=used.category, method=used.method)
        at_used = select(mine, variant=f"{used.value:+g}")
        values = {row.metric: row for row in at_used}
        rungs = "; ".join(f"{row.variant}: {row.value:.2f}" for row in select(mine, metric="own_change") if row.value)
        (step,) = select(mine, metric="smallest_step")
        numbers = [number(values.get(name), 1.0, 2) for name in ("leakage", "identity", "lowest_identity")]
        line = [used.category, used.method, used.reference, f"{used.value:g}", rungs]
        cells.append([*line, "yes" if step.value > 0 else "no", f"{step.value:.3f}", *numbers, beside(at_used)])
    return Table(header, cells, {})


def beside(group: list[Row]) -> str:
    """The attribute, not its own, that moves most at one strength, and by how many standard deviations."""
    own = select(group, metric="own_change")[0].reference
    changes = [row for row in group if row.metric.startswith("change[") and row.metric != f"change[{own}]"]
    most = max(changes, key=lambda row: abs(row.value), default=None)
    return f"{most.metric[7:-1]} {most.value:+.2f}" if most and most.value else ""
