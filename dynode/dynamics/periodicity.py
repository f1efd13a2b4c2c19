"""Periodic motion: whether the observed states give evidence of it, and its period."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    ExpSineSquared,
    Kernel,
    Matern,
    Product,
    Sum,
    WhiteKernel,
)

PERIODS = (1.5, 12.0)  # in mean intervals between observations
SHAPES = (0.3, 10.0)  # length scale within a period: small for a motion with sharp turns
LASTING = (5.0, 200.0)  # time over which periods stay alike, in mean intervals
LENGTHS = (0.5, 30.0)  # length scale of the drift, in mean intervals
NOISE = (1e-6, 1.0)
EVIDENCE = 10.0  # margin in log marginal likelihood over the smooth process: odds of 20,000 to 1
GRID_PERIODS = 160  # periods of the grid search
GRID = ((0.5, 1.2), (0.0, 0.3, 3.0), (0.05, 0.3))  # its shapes, heights of drift, heights of noise
GRID_SCALES = (20.0, 4.0)  # its `lasting` and the drift's length scale


def kernel(period: float, shape: float, drift: float, noise: float) -> Kernel:
    """Locally periodic, plus a drift unless its height is 0, plus noise (Rasmussen and Williams 2006, Eq. 5.16)."""
    lasting, length = GRID_SCALES
    total = ConstantKernel(1.0) * (RBF(lasting, LASTING) * ExpSineSquared(shape, period, SHAPES, PERIODS))
    if drift:
        total = total + ConstantKernel(drift) * Matern(length, LENGTHS, nu=1.5)
    return total + WhiteKernel(noise, NOISE)


def grid_search(times: np.ndarray, states: np.ndarray) -> tuple[float, list[float]]:
    """The highest log marginal likelihood of states (n, K) at `times` (n,) over a grid, and its arguments of `kernel`.

    Each process has its likeliest overall height; all are factorised at once, in single precision, which their noise
    allows.
    """
    distance, y = (torch.from_numpy(each).float() for each in (np.subtract.outer(times, times), states))
    shapes, drifts, noises = map(torch.tensor, GRID)
    periods = torch.from_numpy(np.geomspace(*PERIODS, GRID_PERIODS)).float()
    candidates = torch.cartesian_prod(periods, shapes, drifts, noises)
    lasting, rate = distance / GRID_SCALES[0], 3**0.5 / GRID_SCALES[1]
    turns = torch.sin(math.pi * distance / periods[:, None, None])[:, None] / shapes[:, None, None]
    periodic = torch.exp(-2 * turns.square() - 0.5 * lasting.square())  # (periods, shapes, n, n)
    drift = drifts[:, None, None] * (1 + rate * distance.abs()) * torch.exp(-rate * distance.abs())
    noise = noises[:, None, None] * torch.eye(len(times))
    others = (drift[:, None] + noise).flatten(0, 1)
    factors = torch.linalg.cholesky((periodic[:, :, None] + others).flatten(0, 2))
    whitened = torch.linalg.solve_triangular(factors, y.expand(len(candidates), -1, -1), upper=False)
    height = whitened.square().mean((1, 2))
    log_determinant = 2 * factors.diagonal(dim1=1, dim2=2).log().sum(1)
    evidence = -0.5 * y.numel() * (height.log() + 1 + math.log(2 * math.pi)) - 0.5 * y.shape[1] * log_determinant
    best = int(evidence.argmax())
    return float(evidence[best]), candidates[best].tolist()


def recurring_process(times: np.ndarray, states: np.ndarray, smooth_evidence: float) -> GaussianProcessRegressor | None:
    """The periodic process of highest marginal likelihood for states (n, K) at times (n,) in mean intervals.

    None unless its log marginal likelihood exceeds that of a smooth process, `smooth_evidence`, by EVIDENCE.
    """
    if len(times) < 5 or not states.any():
        return None
    evidence, arguments = grid_search(times, states)
    if evidence < smooth_evidence + EVIDENCE:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the optimum may lie on a bound
        process: Any = GaussianProcessRegressor(kernel(*arguments)).fit(times[:, None], states)
    return process if process.log_marginal_likelihood_value_ > smooth_evidence + EVIDENCE else None


@dataclass(frozen=True)
class Parts:
    """Parameters of a fitted process: heights of its smooth and periodic parts, and their scales in mean intervals."""

    heights: tuple[float, float]
    length: float = 1.0
    lasting: float = 1.0
    period: float = 1.0
    shape: float = 1.0


def kernel_parts(kernel: Any) -> Parts:
    """The parameters of a fitted kernel: that of a smooth process, or one made by `kernel` above."""
    signal = kernel.k1  # k2 is the noise
    if isinstance(signal, Product) and isinstance(signal.k2, Matern):
        return Parts((signal.k1.constant_value, 0.0), signal.k2.length_scale)
    periodic, drift = (signal.k1, signal.k2) if isinstance(signal, Sum) else (signal, None)
    height, length = (drift.k1.constant_value, drift.k2.length_scale) if drift else (0.0, 1.0)
    lasting, turning = periodic.k2.k1, periodic.k2.k2
    scales = (length, lasting.length_scale, turning.periodicity, turning.length_scale)
    return Parts((height, periodic.k1.constant_value), *scales)
