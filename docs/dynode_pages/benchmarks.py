"""What the records of `dynode bench` say, as tables."""

from dynode.evaluation.records import select
from dynode.reporting import tables
from dynode_pages.answers import answers, table
from dynode_pages.measurements import KNOWN, mean

FLOOR, OURS = "floor", "ours"
COSTS = ("seconds", "passes", "frames_inverted", "optimiser_steps")


@answers
def timed(*records: str) -> str:
    """This package beside reference implementations: seconds of both, how many times as long the other takes, and the floor."""
    rows, lines = [row for record in records for row in KNOWN.rows(record)], []
    for name in dict.fromkeys(row.variant for row in rows):
        own = {row.method: row.value for row in select(rows, variant=name, metric="seconds")}
        others = [method for method in own if method not in (OURS, FLOOR)]
        ratio = mean(select(rows, variant=name, metric="ratio"))
        floor = [f"{own[FLOOR]:.3g}", f"{own[OURS] / own[FLOOR]:.1f}"] if FLOOR in own else ["", ""]
        lines += [[name, f"{own[OURS]:.3g}", each, f"{own[each]:.3g}", ratio, *floor] for each in others]
    return table(["what", "ours, s", "the other", "the other, s", "ratio", "floor, s", "ours to floor"], lines)


@answers
def inversions(record: str) -> str:
    """Quality of an inversion against seconds a frame, by a record."""
    return tables.inversion_table(KNOWN.rows(record)).markdown()


@answers
def tunings() -> str:
    """Quality of a tuned generator against minutes."""
    return tables.tuning_table(KNOWN.rows("bench_tuning")).markdown()


@answers
def edited_films() -> str:
    """What an edited film takes, by system."""
    rows = KNOWN.rows("bench_editing")
    methods = dict.fromkeys(row.method for row in rows)
    lines = [[f"`{each}`", *(mean(select(rows, method=each, metric=name)) for name in COSTS)] for each in methods]
    return table(["method", *(name.replace("_", " ") for name in COSTS)], lines)
