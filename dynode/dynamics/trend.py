"""A trend through the observed states, a Gaussian process: the part of the velocity that needs no gradient descent."""

import math
import warnings
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from torch import nn

from dynode.dynamics.periodicity import kernel_parts, recurring_process

LENGTHS = (0.5, 30.0)  # length scales that the search allows, in mean intervals between observations
NOISE = (1e-6, 1.0)  # noise variances that it allows
SCALES = ("length", "lasting", "period", "shape")


class Trend(nn.Module):
    """Velocity of the mean of a Gaussian process (Matern 3/2 and white noise) through states u (n, R, K) at times (n,).

    Length scale and noise maximise the marginal likelihood (Rasmussen and Williams 2006, Eq. 5.8) and are shared by all
    coordinates: for noisy states the noise is large and the trend is slow.  Beyond the observations the velocity is that
    at the nearest one: the process itself would return to its mean there.

    noise: False models the states without noise.
    recurring: by a log-evidence margin of 10 (`dynode.dynamics.periodicity`) the process is a periodic one, of `period`
    in the field's time, with a smooth drift; heights[1] is 0 where it is not periodic.
    """

    knots: torch.Tensor  # (n,), the field's times
    weights: torch.Tensor  # (n, R, K)
    heights: torch.Tensor  # (2,), variances of the smooth and the periodic part
    jitter: torch.Tensor  # variance of the noise
    length: torch.Tensor
    lasting: torch.Tensor
    period: torch.Tensor
    shape: torch.Tensor

    def __init__(self, state_shape: tuple[int, int], knots: int, noise: bool = True, recurring: bool = False):
        super().__init__()
        self.noise, self.recurring = noise, recurring
        self.register_buffer("knots", torch.zeros(knots))
        self.register_buffer("weights", torch.zeros(knots, *state_shape))
        self.register_buffer("heights", torch.zeros(2))
        self.register_buffer("jitter", torch.zeros(()))
        for name in SCALES:
            self.register_buffer(name, torch.ones(()))

    def fit(self, taus: torch.Tensor, u: torch.Tensor) -> "Trend":
        """Fit the process to states u (n, R, K) at the field's times taus (n,)."""
        process: Any = fit_process(taus, u, self.noise)
        unit = mean_interval(taus)
        if self.recurring:
            times = ((taus - taus[0]) / unit).double().cpu().numpy()
            process = recurring_process(times, process.y_train_, process.log_marginal_likelihood_value_) or process
        parts = kernel_parts(process.kernel_)
        self.knots.copy_(taus)
        self.weights.copy_(torch.from_numpy(process.alpha_.reshape(u.shape)))
        self.heights.copy_(torch.tensor(parts.heights))
        self.jitter.fill_(process.kernel_.k2.noise_level)
        self.shape.fill_(parts.shape)
        for name in ("length", "lasting", "period"):
            getattr(self, name).copy_(getattr(parts, name) * unit)
        return self

    @property
    def recurs(self) -> bool:
        """Whether the fitted process is a periodic one."""
        return bool(self.heights[1])

    def denoised(self, u: torch.Tensor) -> torch.Tensor:
        """The posterior mean (n, R, K) at the knots, from the states u (n, R, K) that the process was fitted to."""
        return u - self.jitter * self.weights

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        """du/dt (..., R, K) at times t (...)."""
        slopes = slope(t.reshape(-1), self.knots, self.heights, *(getattr(self, name) for name in SCALES))
        return torch.einsum("tn,nrk->trk", slopes, self.weights).view(*t.shape, *self.weights.shape[1:])


def fit_process(taus: torch.Tensor, u: torch.Tensor, noise: bool = True) -> GaussianProcessRegressor:
    """The smooth process of highest marginal likelihood for states u (n, R, K) at times taus (n,), in mean intervals."""
    times = ((taus - taus[0]) / mean_interval(taus)).double().cpu().numpy()[:, None]
    white = WhiteKernel(1e-2, NOISE) if noise else WhiteKernel(NOISE[0], "fixed")
    kernel = ConstantKernel(1.0) * Matern(2.0, LENGTHS, nu=1.5) + white
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the optimum may lie on a bound
        return GaussianProcessRegressor(kernel).fit(times, u.flatten(1).double().cpu().numpy())


def noise_std(taus: torch.Tensor, u: torch.Tensor) -> float:
    """Standard deviation of the noise that a trend estimates in states u (n, R, K) at times taus (n,), in their units."""
    process: Any = fit_process(taus, u)
    return float(process.kernel_.k2.noise_level) ** 0.5


def mean_interval(taus: torch.Tensor) -> torch.Tensor:
    return (taus[-1] - taus[0]) / (len(taus) - 1)


def slope(
    t: torch.Tensor,
    knots: torch.Tensor,
    heights: torch.Tensor,
    length: torch.Tensor,
    lasting: torch.Tensor,
    period: torch.Tensor,
    shape: torch.Tensor,
) -> torch.Tensor:
    """The kernel's derivative with respect to the time t (..., T), for each of the knots (..., n): (..., T, n).

    k(d) = h0 (1 + s|d|) exp(-s|d|) + h1 exp(-d^2 / 2 lasting^2 - 2 sin^2(pi d / period) / shape^2), s = sqrt(3) / length;
    heights (..., 2), everything else (...).
    """
    length, lasting, period, shape = (value[..., None, None] for value in (length, lasting, period, shape))
    smooth, periodic = heights[..., None, None].unbind(-3)
    inside = t.clamp(knots[..., :1], knots[..., -1:])[..., None] - knots[..., None, :]
    rate = 3**0.5 / length
    slopes = -smooth * rate**2 * inside * (-rate * inside.abs()).exp()
    if not periodic.any():
        return slopes
    distance, turn = t[..., None] - knots[..., None, :], math.pi / period
    kernel = torch.exp(-0.5 * (distance / lasting).square() - 2 * (torch.sin(turn * distance) / shape).square())
    log_slope = distance / lasting.square() + 2 * turn * torch.sin(2 * turn * distance) / shape.square()
    return slopes - periodic * kernel * log_slope
