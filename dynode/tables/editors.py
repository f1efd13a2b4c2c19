"""The table of editors: what they change, what else changes with it, who is still seen."""

from dynode.records import Row, select
from dynode.tables.cells import Table, number

COLUMNS = {
    "own_change": ("its own attribute (std)", 2),
    "leakage": ("others / its own ↓", 2),
    "identity": ("identity ↑", 2),
    "distance[dlib]": ("identity[dlib], distance ↓", 2),
}


def editors_table(rows: list[Row]) -> Table:
    """One line for each editor and strength; mean ± std over codes, and which other attribute moves most."""
    present = {name: told for name, told in COLUMNS.items() if select(rows, metric=name)}
    header = ["codes", "editor", "strength", "n", *(told for told, _ in present.values()), "most changed beside it"]
    cells = []
    for clip, method, strength in dict.fromkeys((row.clip, row.method, row.variant) for row in rows):
        group = select(rows, clip=clip, method=method, variant=strength)
        found = {row.metric: row for row in group}
        told = [number(found.get(name), 1.0, digits) for name, (_, digits) in present.items()]
        cells.append([clip, method, strength, str(found["own_change"].n), *told, beside(group)])
    return Table(header, cells, {})


def beside(group: list[Row]) -> str:
    """The attribute, not its own, that moves most at one strength, and by how many standard deviations."""
    own = select(group, metric="own_change")[0].value
    changes = [row for row in group if row.metric.startswith("change[") and row.value != own]
    most = max(changes, key=lambda row: abs(row.value), default=None)
    return f"{most.metric[7:-1]} {most.value:+.2f}" if most and most.value else ""
