"""The table of `dynode diagnose --methods`: errors of quick methods at observed frames that were left out."""

import math
from collections.abc import Mapping

from dynode.dynamics.leave_one_out import Comparison
from dynode.reporting.tables.cells import Table, ranks


def candidates_table(compared: Mapping[str, Comparison]) -> Table:
    """One line for each candidate, one column for each shot: its mean squared error over that of linear interpolation.

    compared: by the name of the shot.  Shots that are too short for a choice have no column; failed: a fit did.
    """
    shots = {name: each for name, each in compared.items() if each.errors}
    methods = list(dict.fromkeys(method for each in shots.values() for method in each.errors))
    cells, marks = [[method] for method in methods], {}
    for column, each in enumerate(shots.values(), 1):
        ratios = {(line, column): each.ratio(method) for line, method in enumerate(methods)}
        marks |= ranks(ratios, "lower")
        for line, ratio in zip(cells, ratios.values(), strict=True):
            line.append(f"{ratio:.2f}" if math.isfinite(ratio) else "failed")
    return Table(["method", *(f"{name}: error / linear" for name in shots)], cells, marks)
