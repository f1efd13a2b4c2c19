"""Metrics by name. Each returns one number per frame; averaging over frames is the caller's.

`METRICS["psnr"](pred, true)` -> (T,).  `image_metrics(pred, true)` -> {name: (T,)}.
"""

from collections.abc import Callable
from dataclasses import dataclass

METRICS: dict[str, "Metric"] = {}


@dataclass(frozen=True)
class Metric:
    """A metric with what a table needs to know: its unit, which way is better, the space it lives in.

    network: the part of `dynode.perception` that it is computed with, handed to it as the third argument; "" for none.
    """

    name: str
    unit: str
    better: str
    space: str
    compute: Callable
    network: str = ""

    def __call__(self, *args):
        return self.compute(*args)


def metric(name: str, *, unit: str, better: str, space: str, network: str = ""):
    """Register a function as the metric of that name."""

    def register(function):
        METRICS[name] = Metric(name, unit, better, space, function, network)
        return METRICS[name]

    return register


from dynode.metrics import latent, networks, pixels  # noqa: E402, F401  (they register themselves)
