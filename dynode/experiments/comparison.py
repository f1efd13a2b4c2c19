"""A comparison of two implementations, timed in turn in one run, and the seconds of matrix products that are its lower bound."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from dynode.evaluation.records import Row

Product = tuple[int, int, int, int]  # a batch of matrix products: batch, m, k, n
Ours = TypeVar("Ours")
Other = TypeVar("Other")


@dataclass(frozen=True)
class Comparison:
    """Seconds of this package's implementation and of the other one, medians over `repeats`; the floor's, where the work
    was counted.

    difference: the largest absolute difference between the two results, in the unit named in `of`.
    unit: "s"; "GB" of peak memory instead of seconds.
    """

    name: str
    ours: float
    other: float
    other_name: str
    difference: float
    of: str
    floor: float | None = None
    repeats: int = 1
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return self.other / self.ours

    def rows(self) -> Iterator[Row]:
        """Every number as a row of a record."""
        identity: dict[str, Any] = {"category": "", "space": "", "variant": self.name, "n": self.repeats}
        metric = "seconds" if self.unit == "s" else "peak_memory"
        yield Row(metric, self.ours, method="ours", unit=self.unit, **identity)
        yield Row(metric, self.other, method=self.other_name, unit=self.unit, **identity)
        if self.floor is not None:
            yield Row("seconds", self.floor, method="floor", unit="s", **identity)
        yield Row("ratio", self.ratio, method="ours", **identity)
        yield Row("difference", self.difference, method="ours", unit=self.of, **identity)


def in_turn(ours: Callable[[], Ours], other: Callable[[], Other], repeats: int) -> tuple[float, float, Ours, Other]:
    """Median seconds of both, called in turn, and their last results; the first call of each is not timed."""
    first, second, results = [], [], [ours(), other()]
    for _ in range(repeats):
        for k, (call, seconds) in enumerate(((ours, first), (other, second))):
            began = time.perf_counter()
            results[k] = call()
            seconds.append(time.perf_counter() - began)
    return statistics.median(first), statistics.median(second), *results


def seconds_of_products(shapes: list[Product], repeats: int = 5) -> float:
    """Seconds that matrix products take here, each shape at its best of several, times the number of its occurrences."""
    total = 0.0
    for shape in dict.fromkeys(shapes):
        batch, m, k, n = shape
        a, b = torch.randn(batch, m, k), torch.randn(batch, k, n)
        best = min(timed(lambda a=a, b=b: torch.bmm(a, b)) for _ in range(repeats))
        total += best * shapes.count(shape)
    return total


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
