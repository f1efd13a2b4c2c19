"""What editors do, against their strength."""

import matplotlib.pyplot as plt

from dynode.plots.style import FULL_WIDTH, STYLE
from dynode.records import Row, select

PANELS = {
    "own_change": "change of its own (std)",
    "leakage": "others' change / its own",
    "identity": "identity (cosine)",
    "distance[dlib]": "identity[dlib] (distance)",
}


def editors(rows: list[Row]):
    """One panel for each measure, one line for each editor with its standard deviation over codes; strengths on x."""
    present = [name for name in PANELS if select(rows, metric=name)]
    methods = list(dict.fromkeys(row.method for row in rows))
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(1, len(present), figsize=(FULL_WIDTH, 1.9), squeeze=False)
        for axis, name in zip(axes[0], present, strict=True):
            for k, method in enumerate(methods):
                found = sorted(select(rows, metric=name, method=method), key=lambda row: float(row.variant))
                found = [row for row in found if name != "leakage" or float(row.variant)]  # nothing over nothing
                x, y = [float(row.variant) for row in found], [row.value for row in found]
                axis.errorbar(x, y, [row.std or 0 for row in found], color=f"C{k}", marker=".", label=method)
            axis.set(xlabel="strength", ylabel=PANELS[name])
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=min(len(methods), 4))
        return figure
