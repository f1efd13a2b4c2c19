"""Gaussian-process regression of the observed codes: with a smooth kernel, and with a locally periodic one."""

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, ExpSineSquared, Kernel, WhiteKernel

from dynode.dynamics.registry import baseline
from dynode.dynamics.through_codes import ThroughCodes
from dynode.dynamics.trajectory import Times, double, numeric_derivative

NOISE = WhiteKernel(1e-2, (1e-6, 1.0))  # variance, relative to the codes'
LENGTHS = (0.5, 30.0)  # length scales of the smooth kernel, in mean intervals between observations
PERIODS = (1.5, 12.0)  # in mean intervals
STARTS = 6  # initial periods of the search


@baseline("gp")
class GaussianProcess(ThroughCodes):
    """The mean of a process with a smooth kernel and white noise (Rasmussen and Williams 2006, Eqs. 2.25 and 2.26).

    One kernel for all coordinates; its length scale and noise maximise the marginal likelihood (Eq. 5.8).
    Far beyond the observations the path returns to the mean code.  `std` is its predictive uncertainty.
    """

    def __init__(self, ts: torch.Tensor, ws: torch.Tensor):
        super().__init__(ts, ws)
        self.shape = ws.shape[1:]
        self.interval = (self.span[1] - self.span[0]) / (len(ts) - 1)
        codes = ws.double().flatten(1).numpy()
        self.mean = codes.mean(0)
        rotated, lengths, self.axes = np.linalg.svd(codes - self.mean, full_matrices=False)
        states = rotated * lengths  # far fewer numbers, with the same maximum of the likelihood
        self.scale = max(float(np.sqrt((states**2).mean())), 1e-8)
        self.code_std = self.scale * len(self.axes) ** 0.5 / codes.shape[1] ** 0.5  # RMS of a code's own numbers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the optimum may lie on a bound
            fits: list[Any] = [
                GaussianProcessRegressor(kernel).fit(self.times(ts), states / self.scale) for kernel in self.kernels()
            ]
        self.process = max(fits, key=lambda process: process.log_marginal_likelihood_value_)

    def kernels(self) -> list[Kernel]:
        """Initial kernels of the search for the highest likelihood."""
        return [ConstantKernel(1.0) * RBF(2.0, LENGTHS) + NOISE]

    def times(self, ts: Times) -> np.ndarray:
        """Seconds -> mean intervals, (T, 1)."""
        return (double(ts).numpy()[:, None] - self.span[0]) / self.interval

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.double_codes(ts).float()

    def double_codes(self, ts: Times) -> torch.Tensor:
        """Codes (T, L, D) in double precision."""
        ts = double(ts)
        if not len(ts):
            return torch.zeros(0, *self.shape, dtype=torch.float64)
        states = self.process.predict(self.times(ts)).reshape(len(ts), -1)  # (T,) where states have one number
        return torch.from_numpy(self.mean + self.scale * states @ self.axes).unflatten(1, self.shape)

    def std(self, ts: Times) -> torch.Tensor:
        """Standard deviation (T,) of a code's numbers, without the noise of an observation."""
        _, std = self.process.predict(self.times(ts), return_std=True)
        std = std.reshape(len(std), -1)[:, 0]
        return torch.from_numpy(self.code_std * np.sqrt(np.maximum(std**2 - self.noise, 0.0)))

    @property
    def noise(self) -> float:
        """Variance of an observation's noise, relative to the codes'."""
        return float(self.process.kernel_.k2.noise_level)

    def derivative(self, ts: Times) -> torch.Tensor:
        return numeric_derivative(self.double_codes, self.span, ts).float()


@baseline("gp_periodic")
class PeriodicProcess(GaussianProcess):
    """The baseline for periodic motion: a locally periodic kernel (RBF times ExpSineSquared).

    Its period maximises the marginal likelihood, searched from several initial periods.
    """

    def kernels(self) -> list[Kernel]:
        periods = np.geomspace(*PERIODS, STARTS + 2)[1:-1]
        return [
            ConstantKernel(1.0) * RBF(20.0, (2.0, 200.0)) * ExpSineSquared(1.0, period, (0.3, 10.0), PERIODS) + NOISE
            for period in periods
        ]

    @property
    def period(self) -> float:
        """The period of the motion in seconds."""
        return float(self.process.kernel_.k1.k2.periodicity) * self.interval
