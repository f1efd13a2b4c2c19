"""Tables of a report: ours beside the paper's from the records, and the tables that the runs wrote, also as CSV and LaTeX."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dynode.evaluation.records import Row
from dynode.experiments.report.sources import Source
from dynode.io import files
from dynode.metrics import describe
from dynode.reporting import paths
from dynode.reporting.tables import Table
from dynode.reporting.tables.cells import significant

TABLE1 = "table1"  # the item that has the rows of Table 1 of all categories
POOLED = "pooled"  # the variant of its means over clips
METHODS = ("hold", "linear", "cubic", "dynode")


def tables_page(all_sources: Sequence[Source], profile: str, folder: Path) -> dict[str, Any]:
    """The values of the template `tables`; writes every table as CSV and LaTeX into a folder."""
    made = [
        written(
            beside_the_paper(source.rows),
            "ours_beside_the_paper",
            f"Ours beside the paper's, Table 1 ({source.origin})",
            folder,
        )
        for source in all_sources
        if source.item.name == TABLE1
    ]
    own = sorted((paths.root() / "reports" / "tables").glob(f"*.{profile}.csv"))
    return {"tables": [each for each in made if each["rows"]] + [copied(path, folder) for path in own]}


def beside_the_paper(rows: Iterable[Row]) -> Table:
    """The means over clips that have a number of the paper's, by category, sampling, stride, split and metric."""
    means = [row for row in rows if row.paper is not None and row.method in METHODS and row.variant == POOLED]
    keys = list(dict.fromkeys(key_of(row) for row in means))
    values = {(key_of(row), row.method): row for row in means}
    cells = []
    for key in sorted(keys, key=lambda each: [str(part) for part in each]):
        *where, metric = key
        scale = describe(metric).scale
        numbers = [values.get((key, method)) for method in METHODS]
        paper = next(row.paper for row in numbers if row is not None)
        ours = [significant(row and row.value, scale) for row in numbers]
        cells.append([*map(str, where), describe(metric).heading(), significant(paper, scale), *ours])
    return Table(["category", "times", "stride", "frames", "measured against", "metric", "paper", *METHODS], cells, {})


def key_of(row: Row) -> tuple:
    return (row.category, row.sampling, row.stride, row.split, row.reference, row.metric)


def written(table: Table, name: str, caption: str, folder: Path) -> dict[str, Any]:
    """One table of ours on the page; writes its files."""
    for suffix, text in (("csv", table.csv()), ("tex", table.latex())):
        files.write(folder / f"{name}.{suffix}", lambda part, text=text: part.write_text(text, encoding="utf-8"))
    return {"name": name, "caption": caption, "header": table.header, "rows": table.cells, "note": table.note} | linked(
        name
    )


def copied(path: Path, folder: Path) -> dict[str, Any]:
    """One table that a run wrote; copies its files."""
    name = path.name.removesuffix(".csv")
    for each in (path, path.with_suffix(".tex")):
        if each.is_file():
            files.write(folder / each.name, lambda part, each=each: part.write_bytes(each.read_bytes()))
    with open(path, encoding="utf-8", newline="") as text:
        header, *rows = csv.reader(text)
    noted = header[-1:] == ["note"]
    note = rows[0][-1] if noted and rows else ""
    cells = [row[:-1] for row in rows] if noted else rows
    shown = {"header": header[:-1] if noted else header, "rows": cells, "note": note}
    return {"name": name, "caption": name.replace("_", " "), **shown} | linked(name)


def linked(name: str) -> dict[str, str]:
    return {"csv": f"tables/{name}.csv", "tex": f"tables/{name}.tex"}
