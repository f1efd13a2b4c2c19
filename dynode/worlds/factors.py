"""Named quantities that decide a picture of a world."""

import math
from dataclasses import dataclass

import torch

from dynode.settings import choose

RADIUS = 1.2  # of the circle: a usual length of two normal numbers
END = 3e-3  # fractions of a range nearer to its ends are taken for this one


@dataclass(frozen=True)
class Factor:
    """One quantity in [low, high].

    moves: it may change within an episode.  circular: high is low again, as with hours of the day.
    count: how many evenly spaced values the world's grid has, 0 for a quantity that has no grid.
    """

    name: str
    low: float
    high: float
    unit: str = ""
    moves: bool = False
    circular: bool = False
    count: int = 0

    def at(self, fraction):
        """The value at a fraction in [0, 1] of the range; numbers or tensors."""
        return self.low + (self.high - self.low) * fraction

    def fraction(self, value):
        """Where in the range a value lies, 0 to 1; numbers or tensors."""
        return (value - self.low) / (self.high - self.low)


def index_of(factors: tuple[Factor, ...], name: str) -> int:
    """The index of a factor by its name; a UserError names the nearest legal one."""
    return choose("factor", name, {factor.name: k for k, factor in enumerate(factors)})


def uniform(factors: tuple[Factor, ...], n: int, seed: int = 0) -> torch.Tensor:
    """n independent draws (n, F), every factor uniform over its range."""
    fractions = torch.rand(n, len(factors), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.stack([factor.at(fractions[:, k]) for k, factor in enumerate(factors)], 1).float()


def normal_dim(factors: tuple[Factor, ...]) -> int:
    """How many normal numbers `from_normal` takes: two for a circular factor, one for each other."""
    return sum(2 if factor.circular else 1 for factor in factors)


def from_normal(factors: tuple[Factor, ...], z: torch.Tensor) -> torch.Tensor:
    """Factors (B, F) of standard normal numbers z (B, Z), uniform over their ranges and continuous in z.

    The normal CDF maps a number to a fraction; a circular factor takes the angle of two numbers. More columns are ignored.
    """
    columns, k = [], 0
    for factor in factors:
        if factor.circular:
            columns.append(factor.at(torch.atan2(z[:, k], z[:, k + 1]) / (2 * math.pi) % 1))
        else:
            columns.append(factor.at(torch.special.ndtr(z[:, k])))
        k += 2 if factor.circular else 1
    return torch.stack(columns, 1)


def to_normal(factors: tuple[Factor, ...], values: torch.Tensor) -> torch.Tensor:
    """Normal numbers (B, Z) that `from_normal` maps to factors (B, F).

    Those of a circular factor lie on a circle; the ends of a range, which no number maps to, are taken for fractions next to them.
    """
    columns = []
    for k, factor in enumerate(factors):
        fraction = factor.fraction(values[:, k].double())
        if factor.circular:
            angle = 2 * math.pi * fraction
            columns += [RADIUS * torch.sin(angle), RADIUS * torch.cos(angle)]
        else:
            columns.append(torch.special.ndtri(fraction.clamp(END, 1 - END)))
    return torch.stack(columns, 1).float()


def on_grid(factors: tuple[Factor, ...], index: torch.Tensor) -> torch.Tensor:
    """Factors (B, F) of numbers (B,) into the grid of all combinations, the last factor fastest (mixed radix)."""
    columns = []
    for factor in reversed(factors):
        digit = index % factor.count
        columns.append(factor.at(digit / (factor.count - 1)))
        index = index // factor.count
    return torch.stack(columns[::-1], 1).float()
