"""Ablation tables: one row per variant, one column per clip."""

from collections.abc import Mapping
from dataclasses import replace

from dynode.evaluation.records import Row, averaged, select
from dynode.experiments.ablations.variants import FIELD, OBSERVATIONS, Ablation
from dynode.metrics import METRICS
from dynode.reporting.tables import Table, number

IN_IMAGES = {
    name: (METRICS[name].scale, digits, METRICS[name].heading())
    for name, digits in (("mse", 3), ("lpips_alex", 4), ("skill", 3))
}
OF_SOLVERS = {"nfe": (1.0, 0, "NFE"), "solver_error": (1e6, 1, "error x 1e6"), "seconds": (1e3, 1, "ms")}
OF_GRADIENTS = {
    "gradient_error": (1e6, 1, "gradient's error x 1e6"),
    "seconds": (1e3, 0, "ms"),
    "megabytes": (1.0, 2, "MB kept for the backward pass"),
}
ON_KNOWN_PATHS = {
    "missed": (100.0, 4, "error at observations, % of variance"),
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


def over_clips(rows: list[Row]) -> list[Row]:
    """One row for all clips: mean over clips, each the mean over its seeds, std over clips, n of them."""
    return averaged([replace(row, clip="", category="", std=None, n=1) for row in averaged(rows)])


def by_clip(name: str, rows: list[Row], variants: dict[str, str], metric: str, *, ranked: bool = True) -> Table:
    """One metric of every variant (label -> the `variant` of its rows): mean ± std over seeds, in all clips over clips.

    For learned variants also the solves' error at the observations, % of the codes' variance, and seconds of a fit.
    ranked: the highest value of every column is bold.
    """
    clips = list(dict.fromkeys(row.clip for row in rows if row.variant in variants.values()))
    cost = any(row.metric == "missed" and row.variant in variants.values() for row in rows)
    cells, values = [], []
    for label, variant in variants.items():
        own = [replace(row, method="") for row in rows if row.variant == variant]
        means = means_of(select(own, metric=metric), clips)
        cells.append([label, *(number(mean, 1, 3) for mean in means), *(cost_cells(own) if cost else [])])
        values.append([None if mean is None else round(mean.value, 3) for mean in means])
    header = [name, *clips, "all clips"] + (["missed, %", "seconds a fit"] if cost else [])
    return Table(header, cells, best_of(values) if ranked else {})


def means_of(rows: list[Row], clips: list[str]) -> list[Row | None]:
    """The mean over seeds of each clip, and that over all clips; None where nothing was measured."""
    means = {row.clip: row for row in averaged(rows)}
    return [*map(means.get, clips), next(iter(over_clips(rows)), None)]


def cost_cells(rows: list[Row]) -> list[str]:
    """Error at the observations and seconds of a fit, means over clips."""
    missed, seconds = (next(iter(over_clips(select(rows, metric=key))), None) for key in ("missed", "seconds"))
    return [number(missed, 100, 2), "" if seconds is None else f"{seconds.value:.2f}"]


def best_of(values: list[list[float | None]]) -> dict[tuple[int, int], str]:
    """Marks the highest value of each column; the table's first column is the label."""
    marks = {}
    for c, column in enumerate(zip(*values, strict=True), start=1):
        best = max((value for value in column if value is not None), default=None)
        marks |= {(r, c): "best" for r, value in enumerate(column) if value is not None and value == best}
    return marks


def by_metric(
    name: str, rows: list[Row], variants: dict[str, str], metrics: Mapping[str, tuple[float, int, str]]
) -> Table:
    """Several metrics (name -> scale, digits, header) of every clip and variant: mean ± std over seeds."""
    rows, cells = averaged(rows), []
    for clip in dict.fromkeys(row.clip for row in rows if row.variant in variants.values()):
        for label, variant in variants.items():
            means = {row.metric: row for row in select(rows, clip=clip, variant=variant)}
            numbers = [number(means.get(metric), scale, digits) for metric, (scale, digits, _) in metrics.items()]
            cells += [[clip, label, *numbers]] if means else []
    return Table(["codes", name, *(header for *_, header in metrics.values())], cells, {})


def ablation_tables(ablations: dict[str, Ablation], rows: list[Row], metric: str = "skill_latent") -> dict[str, Table]:
    """A table for each ablation; variants that are evaluated under several conditions are not ranked."""
    return {
        name: by_clip(name, rows, ablation.row_variants(name), metric, ranked=len(ablation.conditions) == 1)
        for name, ablation in ablations.items()
    }


def markdown(ablations: dict[str, Ablation], tables: dict[str, Table]) -> str:
    """Tables as Markdown, each below its ablation's name and description."""
    parts = (f"**{name}.** {ablations[name].description}\n\n{table.markdown()}" for name, table in tables.items())
    return "\n\n".join(parts)


def row_variants(rows: list[Row], name: str) -> dict[str, str]:
    """Label -> the `variant` of its rows, of all rows of an ablation that is not declared."""
    start = f"{name}: "
    return {row.variant.removeprefix(start): row.variant for row in rows if row.variant.startswith(start)}


def recorded(rows: list[Row]) -> list[Row]:
    """The rows of the record: scores, and the errors on known paths, where no score is defined.

    Means over seeds of every clip; for ablations of the field and of the observations means over clips.  The variant
    identifies the method, which is left out.
    """
    pooled = tuple(f"{name}: " for name in FIELD | OBSERVATIONS)
    rows = [replace(row, method="") for row in rows]
    known = [row for row in rows if row.variant.startswith("known paths: ")]
    many = [row for row in rows if row.variant.startswith(pooled) and row.metric == "skill_latent"]
    kept = [row for row in rows if row.metric in MEANS and row not in known + many]
    on_known_paths = averaged([row for row in known if row.metric in ON_KNOWN_PATHS])
    return rounded([*averaged(kept), *over_clips(many), *on_known_paths])


def rounded(rows: list[Row], digits: int = 3) -> list[Row]:
    """The same rows with `digits` significant digits: a record of many rows stays small."""
    short = [(row, "" if row.std is None else f"{row.std:.{digits}g}") for row in rows]
    return [replace(row, value=float(f"{row.value:.{digits}g}"), std=float(std) if std else None) for row, std in short]
