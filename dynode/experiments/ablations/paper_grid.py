"""Where the settings of the paper's text train: a grid over what the text leaves open.

Literal in every cell: an MLP of (z, t), Adam at a constant learning rate of 0.01, dopri5, the sum of squared errors of roll-outs
through frames drawn at random (latent loss alone).  Left open by the text, and varied: DEPTH, the unit of time, the first
weights, the scale of codes, and the width of the field's layers.
"""

import contextlib
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from dynode.clips import Clip
from dynode.dynamics.fitting.single import PreparedFit
from dynode.dynamics.fitting.trainer import STEEP_NFE
from dynode.dynamics.presets import DynamicsSettings, latent_only, preset
from dynode.dynamics.solvers.rollout import SolverError
from dynode.evaluation.records import Row, select
from dynode.experiments.ablations.run import category_of
from dynode.reporting.tables import Table
from dynode.settings import changed

CODES = {"raw codes": "wplus", "mean and RMS": "standardised", "RMS of each entry": "entrywise"}
TIMES = {"frames": "frame", "[0, 1]": "unit"}
STARTS = {"default": False, "last layer zero": True}
MAX_NFE = STEEP_NFE  # of one solve: a field that needs more is as good as lost, and takes seconds an iteration


@dataclass(frozen=True)
class Reading:
    """One cell of the grid."""

    hidden: int
    codes: str
    time: str
    start: str
    depth: int

    @property
    def variant(self) -> str:
        """The field `variant` of its rows, which the figure reads."""
        return f"paper grid: {self.hidden} wide; {self.codes}; {self.time}; {self.start}; DEPTH {self.depth}"

    def settings(self, iterations: int) -> DynamicsSettings:
        """The preset `paper`, read so."""
        changes = {
            "space": CODES[self.codes],
            "clock": TIMES[self.time],
            "field.hidden": self.hidden,
            "field.zero_init": STARTS[self.start],
            "field.depth": self.depth,
            "solver.max_nfe": MAX_NFE,
            "training.iterations": iterations,
            "training.check_every": iterations,
        }
        return changed(latent_only(preset("paper")), changes)


def readings(depths: Iterable[int], widths: Iterable[int]) -> list[Reading]:
    """Every cell."""
    return [Reading(*each) for each in itertools.product(widths, CODES, TIMES, STARTS, depths)]


def grid_rows(
    observed: Clip,
    depths: Sequence[int] = (1, 2, 3, 4, 5),
    widths: Sequence[int] = (512, 64),
    iterations: int = 100,
    seed: int = 0,
) -> list[Row]:
    """Rows of every cell, for the observed frames of a clip: iterations that it survived, error at the observed codes over
    their variance at the end (no row where no path can be solved)."""
    cells = tqdm(readings(depths, widths), desc="the paper's settings", unit="cell", mininterval=2)
    return [row for reading in cells for row in reading_rows(reading, observed, iterations, seed)]


def reading_rows(reading: Reading, observed: Clip, iterations: int, seed: int) -> Iterator[Row]:
    """Rows of one cell.  An iteration is survived where its solve comes to an end."""
    settings = reading.settings(iterations)
    prepared = PreparedFit.of(observed, settings, seed)
    trainer = prepared.trainer
    with warnings.catch_warnings(), contextlib.suppress(SolverError):
        warnings.simplefilter("ignore")  # that a field becomes steep is what the rows say
        while trainer.iteration < iterations:
            trainer.step(trainer.full_loss(trainer.subset()))
            trainer.iteration += 1
    identity: dict[str, Any] = {"category": category_of(observed), "clip": observed.name, "method": settings.label}
    identity |= {"variant": reading.variant, "space": "latent", "split": "observed", "seed": seed}
    yield Row("iterations_survived", float(trainer.iteration), **identity)
    error = error_at_observed(prepared, observed)
    if math.isfinite(error):
        yield Row("share_of_variance", error, unit="ratio", **identity)


def error_at_observed(prepared: PreparedFit, observed: Clip) -> float:
    """The mean squared error at the observed codes over their variance; infinite where the path cannot be solved."""
    own = observed.observations()
    try:
        error = (prepared.finished()(own.ts) - own.ws).square().mean()
    except SolverError:
        return math.inf
    return float(error / own.ws.var(0, unbiased=False).mean().clamp(min=1e-12))


def trains(rows: Sequence[Row], iterations: int) -> dict[str, bool]:
    """Whether each cell, by its `variant`, survives all iterations and then predicts the observed codes better than their
    mean would."""
    survived = {row.variant: row.value >= iterations for row in select(rows, metric="iterations_survived")}
    errors = {row.variant: row.value for row in select(rows, metric="share_of_variance")}
    return {variant: whole and errors.get(variant, math.inf) < 1 for variant, whole in survived.items()}


def grid_table(rows: Sequence[Row], iterations: int) -> Table:
    """A line for each width, scale, unit of time and start, a column for each DEPTH: the error at the observed codes as a
    share of their variance, bold where it trains, or how many iterations were survived."""
    verdicts, cells, marks = trains(rows, iterations), [], {}
    names = {variant: variant.partition(": ")[2].rpartition("; ")[::2] for variant in verdicts}
    depths = [*dict.fromkeys(depth for _, depth in names.values())]
    for r, line in enumerate(dict.fromkeys(line for line, _ in names.values())):
        cells.append(line.split("; "))
        for variant in (variant for variant, (own, _) in names.items() if own == line):
            if verdicts[variant]:
                marks[r, len(cells[r])] = "best"
            cells[r].append(cell(rows, variant, iterations))
    note = f"Error after {iterations} iterations as a share of the codes' variance, or the iterations survived; bold: it trains."
    return Table(["width", "codes", "time", "first weights", *depths], cells, marks, note)


def cell(rows: Sequence[Row], variant: str, iterations: int) -> str:
    """The error of a cell that survived, or "stops at N"."""
    own = {row.metric: row.value for row in select(rows, variant=variant)}
    if own["iterations_survived"] < iterations:
        return f"stops at {own['iterations_survived']:.0f}"
    return f"{own['share_of_variance']:.3g}" if "share_of_variance" in own else "no path"
