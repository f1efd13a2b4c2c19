"""The table of `dynode score`: attributes of a face, and how much of each is much."""

from collections.abc import Mapping

import torch

from dynode.reporting.tables.cells import Table


def scores_table(
    scores: Mapping[str, torch.Tensor], units: Mapping[str, str], random: Mapping[str, torch.Tensor], note: str = ""
) -> Table:
    """One line for each attribute: its mean over the frames, the middle half of random faces, and the part of them below.

    scores: attribute -> those of some frames (T,), with their standard deviation beside it where there are several.
    random: attribute -> scores (N,) of random faces; NaN is left out of both.
    """
    several = max(map(len, scores.values())) > 1
    cells = []
    for name, values in scores.items():
        values, others = values[~values.isnan()].double(), random[name][~random[name].isnan()].double()
        low, high = others.quantile(torch.tensor([0.25, 0.75], dtype=torch.float64)).tolist()
        below = float((others < values.mean()).double().mean())
        std = [f"{values.std():.2f}" if len(values) > 1 else ""] * several
        numbers = [f"{values.mean():.2f}", *std] if len(values) else ["", *std]
        compared = [f"{low:.2f} to {high:.2f}", f"{below:.0%}" if len(values) else ""]
        cells.append([name, *numbers, units[name], *compared])
    header = [
        "attribute",
        "mean" if several else "value",
        *["std"] * several,
        "unit",
        "middle half",
        "are below",
    ]
    return Table(header, cells, {}, note)
