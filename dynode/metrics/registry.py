"""Metrics by name.  Each one owns its label, scale, digits and direction, so that no table or figure keeps a list of its own.

`METRICS["psnr"](pred, true)` -> (T,), one number per frame; averaging over frames is the caller's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from dynode.border import described, numbers, ordinary_numbers
from dynode.errors import UserError
from dynode.lazy import Registry

T = TypeVar("T")
ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}


@dataclass(frozen=True)
class Metric:
    """A quantity, with what a table, a figure and an evaluation need to know of it.

    unit: of its values.  better: "higher", "lower", or "" where neither is.
    space: what is compared: "image", "latent" (codes), "identity" (vectors of an identity network), or "" for others.
    label, scale, digits: how a table prints it: the heading, by how much values are multiplied, decimal places.
    compute: (pred, true) -> (T,), one number per frame; None for a number that is not one per frame, such as skill.
    features: images -> a list of tensors (T, ...), computed once for each image; `compute` then compares two of these.
    network: the network that both take as an additional argument, as "module:class" ("dynode.perception.lpips:LPIPS").
    categories: what the metric has a meaning for, such as ("face",); () for everything.
    evaluated: it is measured for every method by default.
    column: in which table it is one: "short" of `dynode evaluate`, "all" of the one with --all, "edits" of
    `dynode evaluate-edit`, "" of none.
    order: where it stands among others in rows and columns, low numbers first.
    """

    name: str
    unit: str = ""
    better: str = ""
    space: str = ""
    compute: Callable[..., torch.Tensor] | None = None
    label: str = ""
    scale: float = 1.0
    digits: int = 3
    features: Callable[..., Sequence[torch.Tensor]] | None = None
    network: str = ""
    categories: tuple[str, ...] = ()
    evaluated: bool = False
    column: str = ""
    order: int = 100

    def __reduce__(self) -> tuple:
        """In another process a metric is that of the same name: its function is not sent."""
        return METRICS.__getitem__, (self.name,)

    @ordinary_numbers
    def __call__(self, pred: Any, true: Any, *network: Any) -> torch.Tensor:
        """The values (T,) of what is compared with `true`, with the metric's network if it has one.

        Raises UserError for frames of different shapes.
        """
        pred, true = (
            x if isinstance(x, torch.Tensor) else numbers(x, f"What {self.name} compares") for x in (pred, true)
        )
        if pred.shape[1:] != true.shape[1:] or not pred.dim():  # a metric may compare other numbers of frames
            shapes = f"{tuple(pred.shape)} and {tuple(true.shape)}"
            raise UserError(f"The metric {self.name} compares frames of one shape, got {shapes}.")
        if self.features is not None:
            pred, true = self.features(pred, *network), self.features(true, *network)
        return self.compare(pred, true, *network)

    @ordinary_numbers
    def compare(self, pred: Any, true: Any, *network: Any) -> torch.Tensor:
        """The same of what `features` made of both.

        Raises UserError for a metric that is not one number per frame, or whose function returns other than that.
        """
        if self.compute is None:
            raise UserError(f"The metric {self.name} is not one number per frame: it cannot be computed of two videos.")
        values, frames = self.compute(pred, true, *network), len(pred if isinstance(pred, torch.Tensor) else pred[0])
        if not isinstance(values, torch.Tensor) or values.shape != (frames,):
            got = f"numbers of shape {tuple(values.shape)}" if isinstance(values, torch.Tensor) else described(values)
            raise UserError(f"The metric {self.name} must return one number for each of {frames} frames, got {got}.")
        return values

    def heading(self, arrow: bool = False) -> str:
        """The heading of its column, on demand with an arrow to what is better."""
        return (self.label or self.name) + (ARROWS[self.better] if arrow else "")


METRICS: Registry[Metric] = Registry("dynode.metrics", "dynode.metrics")


def metric(
    name: str, *, unit: str, better: str, space: str, evaluated: bool = True, column: str = "short", **described: Any
) -> Callable[[Callable[..., torch.Tensor]], Metric]:
    """Register the function below as the metric of that name; see `Metric` for what else describes it.

    By default it is measured for every method, and is a column of the tables of `dynode evaluate`.
    """
    described |= {"evaluated": evaluated, "column": column if evaluated else ""}

    def register(function: Callable[..., torch.Tensor]) -> Metric:
        return METRICS.add(name, Metric(name, unit, better, space, function, **described))

    return register


def quantity(name: str, *, better: str = "", **described: Any) -> Callable[[T], T]:
    """Register a number that is not one per frame.  May stand above the function that computes it, which stays as it is."""
    METRICS.add(name, Metric(name, better=better, **described))
    return lambda function: function


def describe(name: str) -> Metric:
    """The metric of that name; of an unknown one its raw numbers, under the name itself, with no direction."""
    return METRICS.get(name) or Metric(name)


def evaluated_for(category: str, space: str = "image") -> list[Metric]:
    """The metrics of a space that are measured for every method on clips of that category, in their order."""
    suiting = (each for each in ordered() if each.evaluated and each.space == space)
    return [each for each in suiting if not each.categories or category in each.categories]


def columns(*kinds: str) -> list[Metric]:
    """The metrics that are columns of tables of these kinds, in their order; see `Metric.column`."""
    return [each for each in ordered() if each.column in kinds]


def ordered() -> list[Metric]:
    """All metrics in the order of rows and columns; equals by their names."""
    return sorted(METRICS.values(), key=lambda each: (each.order, each.name))
