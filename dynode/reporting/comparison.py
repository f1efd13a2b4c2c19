"""`dynode.evaluate`: trajectories beside baselines on their clip, as an object that prints as a table."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import torch

from dynode import clips, runtime
from dynode.border import public
from dynode.clips import Clip
from dynode.dynamics import fit_files
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.evaluation import compare_fits
from dynode.evaluation.records import Row
from dynode.reporting import tables
from dynode.reporting.tables import Table

Fit = Trajectory | Path | str


@dataclass(frozen=True)
class FitComparison:
    """Every number of trajectories and baselines on a clip; prints as the table of `dynode evaluate`."""

    rows: list[Row] = field(repr=False)

    @property
    def table(self) -> Table:
        """Errors in images, unobserved frames first; the best of each split is marked."""
        return tables.short_comparison_table(self.rows)

    @property
    def full_table(self) -> Table:
        """All metrics, identity and codes included."""
        return tables.comparison_table(self.rows)

    def __str__(self) -> str:
        return self.table.markdown()

    __repr__ = _repr_markdown_ = __str__


@public
def evaluate(
    paths: Fit | Iterable[Fit],
    clip: Clip | Path | str,
    *,
    source: bool = False,
    tuning: Path | str = "",
    device: torch.device | str = "auto",
    progress: bool = False,
) -> FitComparison:
    """Compare trajectories, of any method, with their clip at unobserved, extrapolated and observed times.

    paths: one trajectory or fit file, or several of one clip.  clip: a clip, its file, or the name of a shipped clip.
    The observed frames are those that a trajectory was fitted to, or where it has no record of them those that the clip marks.
    source: also compare with the footage, where it is one of the assets, or with the ground truth of a world.
    tuning: the file of a tuning, "" for that of the clip or of the trajectories, if any, "none" for none.
    Raises UserError for a clip that a trajectory was not fitted to, or whose codes belong to other weights.
    """
    listed = [paths] if isinstance(paths, Trajectory | PathLike | str) else list(paths)
    if not listed:
        raise UserError("There is nothing to evaluate: give a trajectory or the file of a fit.")
    clip = clip if isinstance(clip, Clip) else clips.load(clip)
    chosen = runtime.device(str(device))
    choices = {"with_source": source, "tuning": tuning}
    rows = compare_fits.compare(named(listed), clip, **choices, device=chosen, progress=progress)
    return FitComparison(rows)


def named(paths: list[Fit]) -> dict[str, Trajectory]:
    """Trajectories by the name of their file or their method; equal names are numbered."""
    labels = [path.label or type(path).__name__ if isinstance(path, Trajectory) else Path(path).stem for path in paths]
    names = [
        f"{name} {labels[:k].count(name) + 1}" if labels.count(name) > 1 else name for k, name in enumerate(labels)
    ]
    loaded = [path if isinstance(path, Trajectory) else fit_files.load(path) for path in paths]
    return dict(zip(names, loaded, strict=True))
