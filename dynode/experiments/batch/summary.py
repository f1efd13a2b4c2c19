"""What a batch has measured so far, as one table: a row for each number, and one for each job that has none."""

import csv
import io
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path

from dynode.evaluation import compare_fits, records
from dynode.evaluation.records import Row
from dynode.experiments.batch.plan import Job, Plan
from dynode.io import files
from dynode.metrics.registry import Metric, columns
from dynode.reporting.pages.view_data import AGAINST
from dynode.reporting.tables.cells import Table, significant

FIELDS: tuple[str, ...] = (
    "clip",
    "job",
    "name",
    "method",
    "metric",
    "split",
    "reference",
    "mean",
    "std",
    "n",
    "protocol",
    "file",
    "error",
)
LEGEND = (
    f"Frames that were held out, against {AGAINST['code']}, as on the pages; mean ± standard deviation over seeds, of which "
    "a page shows the first."
)
NOT_YET, NOT_BEGUN = "not computed yet", "not begun, it reads what a failed job leaves"
Line = dict[str, object]


def lines(plan: Plan, folder: Path, failed: Mapping[str, str]) -> list[Line]:
    """Rows as dictionaries.  failed: job -> the sentence that it ended with."""
    rows: list[Line] = []
    lost: set[str] = set()  # what jobs that failed, and those behind them, would have left
    for job in plan.jobs.values():
        kind, source, *rest = job.name.split("/", 2)
        head: Line = {"clip": source, "job": kind, "name": rest[0] if rest else "", "file": job.leaves[0]}
        behind = NOT_BEGUN if lost.intersection(job.reads) else ""
        if error := failed.get(job.name) or behind or undone(folder, job):
            lost |= {*job.leaves} if error != NOT_YET else set()
            rows.append(head | {"error": error})
        elif kind == "evaluate":
            rows += [head | line for line in measured(records.read(folder / job.leaves[0])[0])]
        else:
            rows.append(head)
    return without_repetition(rows)


def remarks(plan: Plan, folder: Path) -> list[str]:
    """A sentence for each clip whose errors are no test, since held-out frames had a part in its observed codes or its generator."""
    evaluated = [job for job in plan.jobs.values() if job.kind == "evaluate" and not undone(folder, job)]
    rows = {job.name.split("/")[1]: records.read(folder / job.leaves[0])[0] for job in evaluated}
    return [f"{clip}: {remark}" for clip, each in rows.items() if (remark := compare_fits.not_held_out(each))]


def undone(folder: Path, job: Job) -> str:
    """Why a job has no result, "" where it has."""
    return "" if all((folder / path).is_file() for path in job.leaves) else NOT_YET


def measured(rows: Iterable[Row]) -> list[Line]:
    """Means and standard deviations over seeds, of every method, metric, split and reference.

    A preset that is a baseline as well comes twice for a fit, and counts once.
    """
    groups: dict[tuple[str, ...], dict[str, float]] = {}
    protocols: dict[str, None] = {}  # of the clip's codes, and whether its generator is tuned
    known = {each.name for each in columns("short", "all")}
    for row in rows:
        if row.metric in known and row.split:
            groups.setdefault((row.method, row.metric, row.split, row.reference), {})[row.variant] = row.value
            protocols[row.protocol] = None
    made: Line = {"protocol": " / ".join(protocols)}
    return [
        made | dict(zip(("method", "metric", "split", "reference"), key, strict=True)) | spread([*values.values()])
        for key, values in groups.items()
    ]


def spread(values: list[float]) -> Line:
    std = statistics.stdev(values) if len(values) > 1 else ""
    return {"mean": statistics.fmean(values), "std": std, "n": len(values)}


def without_repetition(rows: list[Line]) -> list[Line]:
    """Baselines come with every preset: those of a clip's first are kept."""
    kept: dict[tuple, Line] = {}
    for row in rows:
        keys = ("clip", "job", "method", "metric", "split", "reference")
        kept.setdefault(tuple(row.get(key) for key in keys) if "metric" in row else (id(row),), row)
    return list(kept.values())


def write(folder: Path, rows: list[Line]) -> Path:
    """summary.csv, whole."""
    text = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(text, FIELDS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return files.write(folder / "summary.csv", lambda part: part.write_text(text.getvalue(), encoding="utf-8"))


def table(rows: list[Line]) -> str:
    """Unobserved frames in images against the codes' own, a line for each clip and method, and a sentence for what has failed."""
    shown: dict[tuple[str, str], dict[str, Line]] = {}
    for row in rows:
        if (row.get("split"), row.get("reference")) == ("unobserved", "code"):
            shown.setdefault((str(row["clip"]), str(row["method"])), {})[str(row["metric"])] = row
    used = [each for each in columns("short") if any(each.name in line for line in shown.values())]
    cells = [[*key, *(cell(each, line.get(each.name)) for each in used)] for key, line in shown.items()]
    head = ["clip", "method", *(each.heading(arrow=True) for each in used)]
    text = [Table(head, cells, {}).markdown().rstrip(), LEGEND] if shown else []
    failed = [row for row in rows if row.get("error", NOT_YET) not in (NOT_YET, NOT_BEGUN)]
    return "\n".join([*text, *(f"{title(row)}: {row['error']}" for row in failed)])


def title(row: Line) -> str:
    return " ".join(str(row[field]) for field in ("job", "clip", "name") if row[field])


def cell(metric: Metric, row: Line | None) -> str:
    """A mean with three digits, and its standard deviation where there are several seeds."""
    if row is None:
        return ""
    mean, std = significant(float(str(row["mean"])), metric.scale), row["std"]
    return mean if std == "" else f"{mean} ± {significant(float(str(std)), metric.scale)}"
