"""Bands that a method draws around its path, axis by axis, and the share of codes that really lie in them."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import torch

LEVELS = (0.5, 0.9)


@dataclass(frozen=True)
class Fan:
    """Where a method expects a code: for a share (0 to 1) the band (low, high), each (T, K), K coordinates at T times.

    centre (T, K): the path in the middle, spread (T, K): standard deviations.  band: share -> (low, high), symmetric in
    probability.
    """

    centre: torch.Tensor
    spread: torch.Tensor
    band: Callable[[float], tuple[torch.Tensor, torch.Tensor]]

    @classmethod
    def of_samples(cls, samples: torch.Tensor) -> "Fan":
        """Between quantiles of paths (N, T, K)."""
        samples = samples.double()

        def band(share):
            return tuple(samples.quantile((1 + side * share) / 2, dim=0) for side in (-1, 1))

        return cls(samples.mean(0), samples.std(0), band)

    @classmethod
    def of_normal(cls, mean: torch.Tensor, std: torch.Tensor) -> "Fan":
        """Of a normal distribution at each time, mean (T, K), std (T, K) or (T, 1)."""
        mean, std = mean.double(), std.double().expand(mean.shape)

        def band(share):
            reach = NormalDist().inv_cdf((1 + share) / 2)
            return mean - reach * std, mean + reach * std

        return cls(mean, std, band)

    def coverage(self, true: torch.Tensor, share: float) -> torch.Tensor:
        """Share (K,) of the true coordinates (T, K) inside the band, ends included; right where it equals `share`."""
        low, high = self.band(share)
        return ((true >= low) & (true <= high)).double().mean(0)
