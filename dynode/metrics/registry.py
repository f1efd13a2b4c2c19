"""Metrics by name. Each returns one number per frame; averaging over frames is the caller's.

`METRICS["psnr"](pred, true)` -> (T,).  `image_metrics(pred, true)` -> {name: (T,)}.
"""

from collections.abc import Callable
from dataclasses import dataclass

from dynode.lazy import Registry

METRICS: Registry["Metric"] = Registry("dynode.metrics", "dynode.metrics")


@dataclass(frozen=True)
class Metric:
    """A metric with what a table needs to know: its unit, which way is better, the space it lives in.

    network: the part of `dynode.perception` that it is computed with, handed to it as the third argument; "" for none.
    look: images, network if any -> what is seen in each, a list of tensors (T, ...); `compute` compares two of these.
    """

    name: str
    unit: str
    better: str
    space: str
    compute: Callable
    network: str = ""
    look: Callable | None = None

    def __call__(self, pred, true, *network):
        if self.look is not None:
            pred, true = self.look(pred, *network), self.look(true, *network)
        return self.compute(pred, true, *network)


def metric(name: str, *, unit: str, better: str, space: str, network: str = "", look: Callable | None = None):
    """Register a function as the metric of that name."""

    def register(function):
        return METRICS.add(name, Metric(name, unit, better, space, function, network, look))

    return register
