"""Motions of a world: an episode gives the factors, and so the image, of any moment exactly."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from dynode.worlds.factors import Factor, index_of, uniform

Motion = Callable[[np.ndarray], np.ndarray]  # times (T,) in seconds -> values (T,)


@dataclass(frozen=True)
class Episode:
    """One seeded episode of a world: fixed factors (F,) and what moves, by the factor's name.

    `factors(ts)` holds for every real time, also before 0 and after `seconds`.
    """

    world: str
    kind: str
    seed: int
    seconds: float
    described: tuple[Factor, ...]
    fixed: torch.Tensor
    motions: dict[str, Motion]

    def factors(self, ts) -> torch.Tensor:
        """Factors (T, F) at times ts (T,) in seconds."""
        ts = np.asarray(ts, dtype=np.float64)
        result = self.fixed.expand(len(ts), -1).clone()
        for name, motion in self.motions.items():
            k = index_of(self.described, name)
            factor, values = self.described[k], motion(ts)
            if factor.circular:
                values = factor.low + (values - factor.low) % (factor.high - factor.low)
            result[:, k] = torch.from_numpy(np.asarray(values, dtype=np.float64)).float()
        return result

    def edited(self, name: str, value: float, t: float = 0.0) -> "Episode":
        """The same episode with one factor changed by the same amount at all times, so that it is `value` at time t.

        Values stay within the factor's range, where it is not circular.  Raises UserError for an unknown factor.
        """
        k = index_of(self.described, name)
        factor, before = self.described[k], self.motions.get(name)
        if before is None:
            fixed = self.fixed.clone()
            fixed[k] = value if factor.circular else min(max(value, factor.low), factor.high)
            return replace(self, fixed=fixed)
        amount = value - float(before(np.array([t]))[0])

        def motion(ts):
            return before(ts) + amount if factor.circular else np.clip(before(ts) + amount, factor.low, factor.high)

        return replace(self, motions=self.motions | {name: motion})


class Motions:
    """Draws the motions of one episode; the seed decides everything."""

    def __init__(self, described: tuple[Factor, ...], seed: int):
        self.described, self.rng = described, np.random.default_rng(seed)
        self.fixed = uniform(described, 1, seed)[0]

    def factor(self, name: str) -> Factor:
        return self.described[index_of(self.described, name)]

    def fix(self, name: str, value: float) -> None:
        self.fixed[index_of(self.described, name)] = value

    def wander(self, name: str, period: float, within: tuple[float, float] = (0.0, 1.0)) -> Motion:
        """Smooth and aperiodic within a part of the factor's range, (0, 1) for all of it; `period`: seconds of its slowest wave."""
        factor = self.factor(name)
        low, high = factor.at(within[0]), factor.at(within[1])
        phases, tones = self.rng.uniform(0, 2 * math.pi, 3), np.array([1.0, 1.618, 2.414])
        weights = np.array([0.55, 0.28, 0.17])

        def motion(ts):
            waves = np.sin(2 * math.pi * tones * ts[:, None] / period + phases) @ weights
            return (low + high) / 2 + (high - low) / 2 * waves

        return motion

    def sway(self, name: str, period: float, within: tuple[float, float] = (0.0, 1.0)) -> Motion:
        """To and fro within a part of the factor's range, one period after the other."""
        factor, phase = self.factor(name), self.rng.uniform(0, 2 * math.pi)
        low, high = factor.at(within[0]), factor.at(within[1])
        return lambda ts: (low + high) / 2 + (high - low) / 2 * np.sin(2 * math.pi * ts / period + phase)

    def advance(self, speed: float, start: float) -> Motion:
        """From `start` at a steady speed in units a second."""
        return lambda ts: start + speed * ts

    def cycle(self, tempo: float, varying: float, lasting: float) -> Motion:
        """An angle in radians that goes round `tempo` times a second, faster and slower by a fraction `varying` over `lasting`."""
        phase, slow = self.rng.uniform(0, 2 * math.pi, 2)
        turn = 2 * math.pi / lasting

        def motion(ts):
            return phase + 2 * math.pi * tempo * (ts + varying / turn * np.sin(turn * ts + slow))

        return motion

    def change(self, start: float, end: float, when: float, lasting: float) -> Motion:
        """From one value to another, smoothly (a logistic curve), around a moment."""
        return lambda ts: start + (end - start) / (1 + np.exp(-(ts - when) / (lasting / 8)))
