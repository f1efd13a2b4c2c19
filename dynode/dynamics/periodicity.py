"""Motion that comes back: whether the observed states say so, and after how long."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, ExpSineSquared, Matern, Product, Sum, WhiteKernel

PERIODS = (1.5, 12.0)  # in mean intervals between observations
SHAPES = (0.3, 10.0)  # length scale within a period: small for a motion with sharp turns
LASTING = (5.0, 200.0)  # after which no period is like the one before, in mean intervals
LENGTHS = (0.5, 30.0)  # of the drift beside it, in mean intervals
NOISE = (1e-6, 1.0)
EVIDENCE = 10.0  # how much higher its log marginal likelihood must be than the smooth process's: odds of 20,000 to 1
SCREENED = 160  # periods that are looked at first
LOOKED_AT = ((0.5, 1.2), (0.0, 0.3, 3.0), (0.05, 0.3))  # with these shapes, drifts and noises
MIDDLING = (20.0, 4.0)  # how long it lasts and the drift's length there


def kernel(period: float, shape: float, drift: float, noise: float):
    """Locally periodic, a drift where there is one, and noise (Rasmussen and Williams 2006, Eq. 5.16)."""
    lasting, length = MIDDLING
    whole = ConstantKernel(1.0) * (RBF(lasting, LASTING) * ExpSineSquared(shape, period, SHAPES, PERIODS))
    if drift:
        whole = whole + ConstantKernel(drift) * Matern(length, LENGTHS, nu=1.5)
    return whole + WhiteKernel(noise, NOISE)


def screened(times: np.ndarray, y: np.ndarray) -> tuple[float, list[float]]:
    """The highest log marginal likelihood of states y (n, K) at `times` (n,) over a grid, and what it is reached at:
    period, shape, and the heights of drift and noise beside the recurring part's.

    The height of all is the likeliest for each; all processes are factorised at once, in single precision, which their
    noise allows.
    """
    apart, y = (torch.from_numpy(each).float() for each in (np.subtract.outer(times, times), y))
    shapes, drifts, noises = map(torch.tensor, LOOKED_AT)
    periods = torch.from_numpy(np.geomspace(*PERIODS, SCREENED)).float()
    looked = torch.cartesian_prod(periods, shapes, drifts, noises)
    lasting, rate = apart / MIDDLING[0], 3**0.5 / MIDDLING[1]
    turns = torch.sin(math.pi * apart / periods[:, None, None])[:, None] / shapes[:, None, None]
    again = torch.exp(-2 * turns.square() - 0.5 * lasting.square())  # (periods, shapes, n, n)
    drift = drifts[:, None, None] * (1 + rate * apart.abs()) * torch.exp(-rate * apart.abs())
    noise = noises[:, None, None] * torch.eye(len(times))
    beside = (drift[:, None] + noise).flatten(0, 1)
    factors = torch.linalg.cholesky((again[:, :, None] + beside).flatten(0, 2))
    whitened = torch.linalg.solve_triangular(factors, y.expand(len(looked), -1, -1), upper=False)
    height = whitened.square().mean((1, 2))
    spread = 2 * factors.diagonal(dim1=1, dim2=2).log().sum(1)
    evidence = -0.5 * y.numel() * (height.log() + 1 + math.log(2 * math.pi)) - 0.5 * y.shape[1] * spread
    best = int(evidence.argmax())
    return float(evidence[best]), looked[best].tolist()


def recurring(times: np.ndarray, y: np.ndarray, smooth: float) -> GaussianProcessRegressor | None:
    """The recurring process of highest marginal likelihood for states y (n, K) at times (n,) in mean intervals.

    None where it is not far likelier than a smooth process of log marginal likelihood `smooth`.
    """
    if len(times) < 5 or not y.any():
        return None
    evidence, found = screened(times, y)
    if evidence < smooth + EVIDENCE:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bound that is reached is an answer
        process = GaussianProcessRegressor(kernel(*found)).fit(times[:, None], y)
    return process if process.log_marginal_likelihood_value_ > smooth + EVIDENCE else None


@dataclass(frozen=True)
class Parts:
    """A fitted process taken apart: heights of its smooth and recurring parts, and their scales in mean intervals."""

    heights: tuple[float, float]
    length: float = 1.0
    lasting: float = 1.0
    period: float = 1.0
    shape: float = 1.0


def parts_of(kernel) -> Parts:
    """Of a fitted kernel: of a smooth process, or one of `kernel` above."""
    signal = kernel.k1  # beside the noise
    if isinstance(signal, Product) and isinstance(signal.k2, Matern):
        return Parts((signal.k1.constant_value, 0.0), signal.k2.length_scale)
    again, drift = (signal.k1, signal.k2) if isinstance(signal, Sum) else (signal, None)
    height, length = (drift.k1.constant_value, drift.k2.length_scale) if drift else (0.0, 1.0)
    lasting, turning = again.k2.k1, again.k2.k2
    scales = (length, lasting.length_scale, turning.periodicity, turning.length_scale)
    return Parts((height, again.k1.constant_value), *scales)
