"""The table of a clip's methods on pixels and in latent space, and a summary of it."""

from collections.abc import Sequence

from dynode.evaluation.records import Row, averaged, select
from dynode.experiments.pixels.study import FADE, FLOOR, MEASURED
from dynode.metrics import METRICS
from dynode.reporting.tables import Table, cell, number, ranked

COLUMNS = [(split, name) for split in ("observed", "unobserved") for name in MEASURED]
COSTS = {"parameters": 0, "seconds": 1, "drawing": 0}  # with their digits


def pixel_table(rows: list[Row], methods: Sequence[str], clip: str) -> Table:
    """One row for each sampling and method of a clip: cost, errors against the ground truth, skill over the cross-fade."""
    rows = [row for row in averaged(select(rows, clip=clip)) if row.method in methods]
    header = ["sampling", "method", "parameters", "seconds", "drawing s"]
    header += [*(f"{split} {METRICS[name].heading()}" for split, name in COLUMNS), "skill over cross-fade"]
    cells, marks = [], {}
    for sampling in dict.fromkeys(row.sampling for row in rows):
        group = [row for row in rows if row.sampling == sampling and (row.reference == "truth" or not row.split)]
        others = [row for row in group if row.method != FLOOR]
        for column, (split, name) in enumerate(COLUMNS, start=5):
            marks |= ranked(others, split, name, methods, first=len(cells), column=column)
        cells += [[sampling, method, *method_cells(group, method)] for method in methods]
    return Table(header, cells, marks)


def method_cells(group: list[Row], method: str) -> list[str]:
    """Cost, errors and skill of one method."""
    own = {(row.split, row.metric): row for row in group if row.method == method}
    cost = [number(own.get(("", name)), 1, digits) for name, digits in COSTS.items()]
    return [*cost, *(cell(own.get(key)) for key in COLUMNS), number(own.get(("unobserved", "skill_fade")), 1, 2)]


def summary(rows: list[Row], methods: Sequence[str], clip: str, sampling: str) -> str:
    """The results of a clip in a few sentences of Markdown: means over seeds, at unobserved frames."""
    measured = averaged(select(rows, clip=clip, sampling=sampling, split="unobserved", reference="truth"))
    mse = {row.method: row.value * 1e3 for row in select(measured, metric="mse")}
    mse, floor = {name: mse[name] for name in methods if name in mse and name != FLOOR}, mse[FLOOR]
    lpips = {row.method: row.value for row in select(measured, metric="lpips_alex") if row.method in mse}
    ours = next(name for name in mse if name.startswith("dynode"))
    ahead = [name for name, value in mse.items() if value < mse[ours]]
    pixel = {name: value < mse[FADE] for name, value in mse.items() if name.startswith("pixel_ode")}
    worse, better = (", ".join(name for name, wins in pixel.items() if wins is each) for each in (False, True))
    listed = ", ".join(f"{name} {value:.2f}" for name, value in mse.items())
    return (
        f"**{clip}, {sampling} times.** MSE x 1e3 at unobserved frames: {listed}; the inversion's own error is "
        f"{floor:.2f} ({FLOOR}). Lowest MSE: {lowest(mse)}; lowest LPIPS: {lowest(lpips)}. Pixel models with a lower "
        f"MSE than the cross-fade: {better or 'none'}; with a higher one: {worse or 'none'}. With a lower MSE than "
        f"{ours}, which uses the GAN: {', '.join(ahead) or 'none'}."
    )


def lowest(values: dict[str, float]) -> str:
    """The name of the lowest value."""
    return min(values, key=lambda name: values[name])
