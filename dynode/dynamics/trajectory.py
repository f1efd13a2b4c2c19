"""What every method returns: a path that gives codes at any time."""

from collections.abc import Callable, Iterator
from typing import Protocol

import torch


class Trajectory(Protocol):
    """trajectory(ts) -> codes (T, L, D) for times ts (T,) in seconds, in any order."""

    span: tuple[float, float]

    def __call__(self, ts) -> torch.Tensor: ...

    def derivative(self, ts) -> torch.Tensor:
        """dw/dt at times ts, per second, (T, L, D)."""
        ...


def numeric_derivative(path: Callable, span: tuple[float, float], ts) -> torch.Tensor:
    """dw/dt of a path that knows no derivative of its own: central differences over a thousandth of its span."""
    ts, half = torch.as_tensor(ts, dtype=torch.float64), 5e-4 * (span[1] - span[0])
    return (path(ts + half) - path(ts - half)) / (2 * half)


def in_parts(path: Callable, ts, chunk: int) -> Iterator[torch.Tensor]:
    """The codes of a path at times ts in parts of `chunk` frames, each asked for by itself."""
    for times in torch.as_tensor(ts, dtype=torch.float64).split(chunk):
        yield path(times)


class Shots:
    """One trajectory for each shot of a clip; half-way between two shots the next one takes over."""

    def __init__(self, shots: list[Trajectory]):
        self.shots = shots
        self.span = (shots[0].span[0], shots[-1].span[1])
        gaps = [(a.span[1] + b.span[0]) / 2 for a, b in zip(shots, shots[1:], strict=False)]
        self.cuts = torch.tensor(gaps, dtype=torch.float64)

    def __call__(self, ts):
        return self.each(ts, lambda shot, times: shot(times))

    def parts(self, ts, chunk: int) -> Iterator[torch.Tensor]:
        """The codes at times ts, in their order, in parts of at most `chunk` frames."""
        ts = torch.as_tensor(ts, dtype=torch.float64)
        which, runs = torch.bucketize(ts, self.cuts, right=True).unique_consecutive(return_counts=True)
        for k, times in zip(which, ts.split(runs.tolist()), strict=True):
            yield from self.shots[int(k)].parts(times, chunk)

    def derivative(self, ts):
        return self.each(ts, lambda shot, times: shot.derivative(times))

    def each(self, ts, ask) -> torch.Tensor:
        ts = torch.as_tensor(ts, dtype=torch.float64)
        which = torch.bucketize(ts, self.cuts, right=True)
        found = {int(k): ask(self.shots[k], ts[which == k]) for k in which.unique()} or {0: ask(self.shots[0], ts)}
        codes = next(iter(found.values()))
        result = codes.new_empty(len(ts), *codes.shape[1:])
        for k, part in found.items():
            result[which == k] = part
        return result
