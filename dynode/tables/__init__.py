"""Records -> tables: Markdown, LaTeX, CSV. Numbers are mean +- std over seeds, best bold, second underlined."""

from dynode.tables.bench import bench_table
from dynode.tables.between import bands_table, distances_table, variance_table
from dynode.tables.cells import SCALES, SPLITS, Table, crossed, methods_table, number, ranked
from dynode.tables.dynamics import categories_table, comparison_table, rivals_table, skill_table, table1
from dynode.tables.edited_worlds import edited_worlds_table
from dynode.tables.editors import editors_table, ladders_table
from dynode.tables.edits import PAPER_EDITS, clip_edits_table, edits_table

__all__ = [
    "PAPER_EDITS",
    "SCALES",
    "SPLITS",
    "Table",
    "bands_table",
    "bench_table",
    "categories_table",
    "comparison_table",
    "crossed",
    "distances_table",
    "edited_worlds_table",
    "clip_edits_table",
    "editors_table",
    "ladders_table",
    "edits_table",
    "methods_table",
    "number",
    "ranked",
    "rivals_table",
    "skill_table",
    "table1",
    "variance_table",
]
