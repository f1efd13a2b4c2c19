"""A trend through the observed states: the part of the velocity that needs no gradient descent."""

import math
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from torch import nn

from dynode.dynamics.periodicity import parts_of, recurring

LENGTHS = (0.5, 30.0)  # of the kernel, in mean intervals between observations
NOISE = (1e-6, 1.0)  # variance of what the trend leaves out, as a share of the states'
SCALES = ("length", "lasting", "period", "shape")


class Trend(nn.Module):
    """Velocity of the mean of a Gaussian process (Matern 3/2 and white noise) through states u (n, R, K) at times (n,).

    Length scale and noise are those of the highest marginal likelihood (Rasmussen and Williams 2006, Eq. 5.8), one for
    all coordinates: where states jump about, the noise is large and the trend is calm.  Beyond the observations the
    velocity stays what it was at the nearest: the process itself would turn back to its mean there.

    noise: False takes all of the states for motion.
    returning: where the states say so, `dynode.dynamics.periodicity`, the process is one that comes back after a
    `period` (in the field's time; its height is 0 where it does not), with a smooth drift beside it.
    """

    def __init__(self, state_shape: tuple[int, int], knots: int, noise: bool = True, returning: bool = False):
        super().__init__()
        self.noise, self.returning = noise, returning
        self.register_buffer("knots", torch.zeros(knots))
        self.register_buffer("weights", torch.zeros(knots, *state_shape))
        self.register_buffer("heights", torch.zeros(2))
        self.register_buffer("jitter", torch.zeros(()))  # variance of the noise
        for name in SCALES:
            self.register_buffer(name, torch.ones(()))

    def fit(self, taus: torch.Tensor, u: torch.Tensor) -> "Trend":
        """Follow the states u (n, R, K) at the field's times taus (n,)."""
        process = likeliest(taus, u, self.noise)
        unit = mean_interval(taus)
        if self.returning:
            times = ((taus - taus[0]) / unit).double().cpu().numpy()
            process = recurring(times, process.y_train_, process.log_marginal_likelihood_value_) or process
        parts = parts_of(process.kernel_)
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
        return bool(self.heights[1])

    def calmed(self, u: torch.Tensor) -> torch.Tensor:
        """What the process takes the states u (n, R, K) that it was fitted to for, without their noise."""
        return u - self.jitter * self.weights

    def forward(self, t):
        """du/dt (..., R, K) at times t (...)."""
        slopes = slope(t.reshape(-1), self.knots, self.heights, *(getattr(self, name) for name in SCALES))
        return torch.einsum("tn,nrk->trk", slopes, self.weights).view(*t.shape, *self.weights.shape[1:])


def likeliest(taus: torch.Tensor, u: torch.Tensor, noise: bool = True) -> GaussianProcessRegressor:
    """The process of highest marginal likelihood for states u (n, R, K) at times taus (n,), in mean intervals."""
    times = ((taus - taus[0]) / mean_interval(taus)).double().cpu().numpy()[:, None]
    white = WhiteKernel(1e-2, NOISE) if noise else WhiteKernel(NOISE[0], "fixed")
    kernel = ConstantKernel(1.0) * Matern(2.0, LENGTHS, nu=1.5) + white
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bound that is reached is an answer
        return GaussianProcessRegressor(kernel).fit(times, u.flatten(1).double().cpu().numpy())


def noise_of(taus: torch.Tensor, u: torch.Tensor) -> float:
    """What a trend through the states u (n, R, K) takes for noise: its standard deviation, in their units."""
    return float(likeliest(taus, u).kernel_.k2.noise_level) ** 0.5


def mean_interval(taus: torch.Tensor) -> torch.Tensor:
    return (taus[-1] - taus[0]) / (len(taus) - 1)


def slope(t, knots, heights, length, lasting, period, shape) -> torch.Tensor:
    """The kernel's derivative by the time t (..., T) that is asked for, at each of the knots (..., n): (..., T, n).

    k(d) = h0 (1 + s|d|) exp(-s|d|) + h1 exp(-d^2 / 2 lasting^2 - 2 sin^2(pi d / period) / shape^2), s = sqrt(3) / length;
    heights (..., 2), everything else (...).
    """
    length, lasting, period, shape = (value[..., None, None] for value in (length, lasting, period, shape))
    smooth, again = heights[..., None, None].unbind(-3)
    inside = t.clamp(knots[..., :1], knots[..., -1:])[..., None] - knots[..., None, :]
    rate = 3**0.5 / length
    slopes = -smooth * rate**2 * inside * (-rate * inside.abs()).exp()
    if not again.any():
        return slopes
    distance, turn = t[..., None] - knots[..., None, :], math.pi / period
    height = torch.exp(-0.5 * (distance / lasting).square() - 2 * (torch.sin(turn * distance) / shape).square())
    pull = distance / lasting.square() + 2 * turn * torch.sin(2 * turn * distance) / shape.square()
    return slopes - again * height * pull
