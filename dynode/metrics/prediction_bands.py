"""Prediction bands of a method around its path, and their coverage of the true codes.

A `PredictionBand` is an interval on each axis by itself, at any level; `PredictionEllipses` are regions in a plane, at
one level.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import torch

LEVELS = (0.5, 0.9)  # nominal coverage at which bands are compared
HELD = 0.95  # probability of a normal distribution in the plane that an ellipse holds
REACH = math.sqrt(-2 * math.log(1 - HELD))  # semi-axes in standard deviations: the Rayleigh distribution's quantile


@dataclass(frozen=True)
class PredictionBand:
    """Where a method expects a code, K coordinates at T times.

    centre (T, K): the path in the middle.  std (T, K): standard deviations.
    band: level (0 to 1) -> (low, high), each (T, K), symmetric in probability.
    """

    centre: torch.Tensor
    std: torch.Tensor
    band: Callable[[float], tuple[torch.Tensor, torch.Tensor]]

    @classmethod
    def of_samples(cls, samples: torch.Tensor) -> "PredictionBand":
        """Between quantiles of paths (N, T, K)."""
        samples = samples.double()

        def band(level: float) -> tuple[torch.Tensor, torch.Tensor]:
            return samples.quantile((1 - level) / 2, dim=0), samples.quantile((1 + level) / 2, dim=0)

        return cls(samples.mean(0), samples.std(0), band)

    @classmethod
    def of_normal(cls, mean: torch.Tensor, std: torch.Tensor) -> "PredictionBand":
        """Of a normal distribution at each time, mean (T, K), std (T, K) or (T, 1)."""
        mean, std = mean.double(), std.double().expand(mean.shape)

        def band(level: float) -> tuple[torch.Tensor, torch.Tensor]:
            reach = NormalDist().inv_cdf((1 + level) / 2)
            return mean - reach * std, mean + reach * std

        return cls(mean, std, band)

    def coverage(self, true: torch.Tensor, level: float) -> torch.Tensor:
        """Fraction (K,) of the true coordinates (T, K) inside the band, ends included; calibrated where it equals `level`."""
        low, high = self.band(level)
        return ((true >= low) & (true <= high)).double().mean(0)


@dataclass(frozen=True)
class PredictionEllipses:
    """Where a method expects codes in a plane: at each time an ellipse that holds HELD of a normal distribution.

    centre (T, 2), covariance (T, 2, 2): mean and covariance at each time.
    """

    centre: torch.Tensor
    covariance: torch.Tensor

    @classmethod
    def of_samples(cls, members: torch.Tensor) -> "PredictionEllipses":
        """Of the members (M, T, 2) of an ensemble, M >= 2."""
        left = members - members.mean(0)
        return cls(members.mean(0), torch.einsum("mti,mtj->tij", left, left) / (len(members) - 1))

    @classmethod
    def of_normal(cls, centre: torch.Tensor, std: torch.Tensor) -> "PredictionEllipses":
        """Of standard deviations (T,) that are the same in all directions, as a Gaussian process of one kernel has."""
        return cls(centre, std.square()[:, None, None] * torch.eye(2, dtype=std.dtype))

    def inside(self, points: torch.Tensor) -> torch.Tensor:
        """Whether points (T, 2) lie in the ellipses of their times, (T,) bool."""
        left = (points - self.centre)[..., None]
        floor = 1e-9 * self.covariance.diagonal(dim1=1, dim2=2).sum(1).max().clamp(min=1e-12)  # a band of no width
        covariance = self.covariance + floor * torch.eye(2, dtype=self.covariance.dtype)
        return (left.mT @ torch.linalg.solve(covariance, left)).flatten() <= REACH**2

    def outlines(self, corners: int = 48) -> torch.Tensor:
        """The ellipses as polygons (T, corners, 2)."""
        values, directions = torch.linalg.eigh(self.covariance)
        angles = torch.linspace(0, 2 * math.pi, corners + 1, dtype=values.dtype)[:-1]
        circle = torch.stack([angles.cos(), angles.sin()], 1)
        axes = REACH * values.clamp(min=0).sqrt()[:, None] * directions
        return self.centre[:, None] + circle @ axes.mT

    def radius(self) -> torch.Tensor:
        """Radius (T,) of the circle of the same area."""
        return REACH * torch.linalg.det(self.covariance).clamp(min=0).pow(0.25)
