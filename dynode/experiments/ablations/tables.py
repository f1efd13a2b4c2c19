"""Answers as tables: a line for each way, a column for each clip."""

from dataclasses import replace

from dynode.evaluation.records import Row, averaged, select
from dynode.experiments.ablations.variants import FIELD, OBSERVATIONS, Question
from dynode.reporting.tables import Table, number

IN_IMAGES = {"mse": (1e3, 3, "MSE x 1e3"), "lpips_alex": (1.0, 4, "LPIPS-Alex"), "skill": (1.0, 3, "skill")}
OF_SOLVERS = {"nfe": (1.0, 0, "NFE"), "solver_error": (1e6, 1, "error x 1e6"), "seconds": (1e3, 1, "ms")}
OF_GRADIENTS = {
    "gradient_error": (1e6, 1, "gradient's error x 1e6"),
    "seconds": (1e3, 0, "ms"),
    "megabytes": (1.0, 2, "MB kept for the way back"),
}
ON_KNOWN_PATHS = {
    "missed": (100.0, 4, "missed at observations, % of variance"),
    "share_of_variance": (100.0, 4, "between them, %"),
}
COST = {"seconds": (1.0, 1, "seconds a fit")}
MEANS = (
    "skill_latent",
    "mse",
    "lpips_alex",
    "skill",
    "nfe",
    "solver_error",
    "gradient_error",
    "megabytes",
    "noise_found",
)


def across(rows: list[Row]) -> list[Row]:
    """One row for all clips: mean over clips, each the mean over its seeds, std over clips, n of them."""
    return averaged([replace(row, clip="", category="", std=None, n=1) for row in averaged(rows)])


def by_clip(name: str, rows: list[Row], variants: dict[str, str], metric: str, *, ranked: bool = True) -> Table:
    """One metric of every variant (label -> what its rows say): mean ± std over seeds, in all clips over clips.

    Of learned ways also what the solves miss at the observations, % of the codes' variance, and seconds of a fit.
    ranked: the highest of every column stands bold.
    """
    clips = list(dict.fromkeys(row.clip for row in rows if row.variant in variants.values()))
    cells, extra = [], any(row.metric == "missed" and row.variant in variants.values() for row in rows)
    for label, variant in variants.items():
        own = [replace(row, method="") for row in rows if row.variant == variant]
        found = {row.clip: row for row in averaged(select(own, metric=metric))}
        (overall,) = across(select(own, metric=metric)) or [None]
        line = [label, *(number(found.get(clip), 1, 3) for clip in clips), number(overall, 1, 3)]
        if extra:
            missed, seconds = (next(iter(across(select(own, metric=key))), None) for key in ("missed", "seconds"))
            line += [number(missed, 100, 2), "" if seconds is None else f"{seconds.value:.2f}"]
        cells.append(line)
    header = [name, *clips, "all clips"] + (["missed, %", "seconds a fit"] if extra else [])
    return Table(header, cells, best_of(cells, len(clips) + 2) if ranked else {})


def best_of(cells: list[list[str]], columns: int) -> dict[tuple[int, int], str]:
    """Marks the highest number of each of the first columns after the label."""
    marks = {}
    for c in range(1, columns):
        values = {r: float(line[c].split(" ")[0]) for r, line in enumerate(cells) if line[c]}
        marks |= {(r, c): "best" for r, value in values.items() if value == max(values.values())}
    return marks


def by_metric(name: str, rows: list[Row], variants: dict[str, str], metrics: dict[str, tuple]) -> Table:
    """Several metrics (name -> scale, digits, header) of every clip and variant: mean ± std over seeds."""
    rows, cells = averaged(rows), []
    for clip in dict.fromkeys(row.clip for row in rows if row.variant in variants.values()):
        for label, variant in variants.items():
            found = {row.metric: row for row in select(rows, clip=clip, variant=variant)}
            numbers = [number(found.get(metric), *how[:2]) for metric, how in metrics.items()]
            cells += [[clip, label, *numbers]] if found else []
    return Table(["codes", name, *(how[2] for how in metrics.values())], cells, {})


def tables_of(questions: dict[str, Question], rows: list[Row], metric: str = "skill_latent") -> dict[str, Table]:
    """A table for each question; ways that are judged under several conditions are not ranked."""
    return {
        name: by_clip(name, rows, q.variants(name), metric, ranked=len(q.conditions) == 1)
        for name, q in questions.items()
    }


def told(questions: dict[str, Question], tables: dict[str, Table]) -> str:
    """Markdown: what is asked above each table."""
    return "\n\n".join(f"**{name}.** {questions[name].asks}\n\n{table.markdown()}" for name, table in tables.items())


def labels(rows: list[Row], question: str) -> dict[str, str]:
    """label -> variant, of all rows of a question that is not declared."""
    start = f"{question}: "
    return {row.variant.removeprefix(start): row.variant for row in rows if row.variant.startswith(start)}


def recorded(rows: list[Row]) -> list[Row]:
    """What a record keeps of all rows: scores, and the errors on known paths, which no score tells.

    Means over seeds of every clip; of questions about the field and the observations means over clips.  The variant
    names the way, so that no method need.
    """
    pooled = tuple(f"{name}: " for name in FIELD | OBSERVATIONS)
    rows = [replace(row, method="") for row in rows]
    known = [row for row in rows if row.variant.startswith("known paths: ")]
    many = [row for row in rows if row.variant.startswith(pooled) and row.metric == "skill_latent"]
    kept = [row for row in rows if row.metric in MEANS and row not in known + many]
    return rounded([*averaged(kept), *across(many), *averaged([row for row in known if row.metric in ON_KNOWN_PATHS])])


def rounded(rows: list[Row], digits: int = 3) -> list[Row]:
    """The same rows with so many significant digits: a record of many stays small."""
    short = [(row, "" if row.std is None else f"{row.std:.{digits}g}") for row in rows]
    return [replace(row, value=float(f"{row.value:.{digits}g}"), std=float(std) if std else None) for row, std in short]
