"""A smooth trend through the observed states: the part of the velocity that needs no gradient descent."""

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from torch import nn

LENGTHS = (0.5, 30.0)  # of the kernel, in mean intervals between observations
NOISE = (1e-6, 1.0)  # variance of what the trend leaves out, as a share of the states'


class Trend(nn.Module):
    """Velocity of the mean of a Gaussian process (Matern 3/2 and white noise) through states u (n, R, K) at times (n,).

    Length scale and noise are those of the highest marginal likelihood (Rasmussen and Williams 2006, Eq. 5.8), one for
    all coordinates: where states jump about, the noise is large and the trend is calm.  Beyond the observations the
    velocity stays what it was at the nearest: the process itself would turn back to its mean there.
    """

    def __init__(self, state_shape: tuple[int, int], knots: int):
        super().__init__()
        self.register_buffer("knots", torch.zeros(knots))
        self.register_buffer("weights", torch.zeros(knots, *state_shape))
        self.register_buffer("length", torch.ones(()))

    def fit(self, taus: torch.Tensor, u: torch.Tensor) -> "Trend":
        """Follow the states u (n, R, K) at the field's times taus (n,)."""
        mean_interval = (taus[-1] - taus[0]) / (len(taus) - 1)
        times = ((taus - taus[0]) / mean_interval).double().cpu().numpy()[:, None]
        kernel = ConstantKernel(1.0) * Matern(2.0, LENGTHS, nu=1.5) + WhiteKernel(1e-2, NOISE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a bound that is reached is an answer
            process = GaussianProcessRegressor(kernel).fit(times, u.flatten(1).double().cpu().numpy())
        scale, matern = process.kernel_.k1.k1.constant_value, process.kernel_.k1.k2
        self.knots.copy_(taus)
        self.weights.copy_(torch.from_numpy(scale * process.alpha_.reshape(u.shape)))
        self.length.copy_(matern.length_scale * mean_interval)
        return self

    def forward(self, t):
        """du/dt (..., R, K) at times t (...): the derivative of k(d) = (1 + s|d|) exp(-s|d|), s = sqrt(3) / length."""
        distance = t.clamp(self.knots[0], self.knots[-1])[..., None] - self.knots
        return torch.einsum("...n,nrk->...rk", slope(distance, self.length), self.weights)


def slope(distance: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """The kernel's derivative by the time that is asked for, at signed distances from the observations."""
    rate = 3**0.5 / length
    return -(rate**2) * distance * (-rate * distance.abs()).exp()
