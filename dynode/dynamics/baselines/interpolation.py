"""Interpolation of the observed codes: baselines without training.

Outside the observed span every path but `Hold`, `Damped` and `Slerp` is extrapolated linearly, with its slope at the end.
"""

from abc import abstractmethod

import numpy as np
import torch
from scipy.interpolate import CubicHermiteSpline, CubicSpline, PchipInterpolator, PPoly

from dynode.dynamics.registry import baseline
from dynode.dynamics.through_codes import ThroughCodes
from dynode.dynamics.trajectory import Times, double


class Interpolation(ThroughCodes):
    """A path through codes ws (n, L, D) at times ts (n,), n >= 2."""

    def interval(self, ts: torch.Tensor) -> torch.Tensor:
        """Index of the observation at or before each time, at most the last but one."""
        return self.latest(ts).clamp(max=len(self.ts) - 2)

    def latest(self, ts: torch.Tensor) -> torch.Tensor:
        """Index of the observation at or before each time."""
        return (torch.searchsorted(self.ts.contiguous(), ts.contiguous(), right=True) - 1).clamp(min=0)


@baseline("hold")
class Hold(Interpolation):
    """The last observed code, held until the next one."""

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.ws[self.latest(double(ts))]

    def derivative(self, ts: Times) -> torch.Tensor:
        return torch.zeros(len(double(ts)), *self.ws.shape[1:])


@baseline("linear")
class Linear(Interpolation):
    """Linear interpolation of the observed codes: the paper's "latent morphing"."""

    def slopes(self) -> torch.Tensor:
        """Of all intervals, (n - 1, L, D)."""
        return self.ws.double().diff(dim=0) / self.ts.diff()[:, None, None]

    def __call__(self, ts: Times) -> torch.Tensor:
        ts = double(ts)
        k = self.interval(ts)
        return (self.ws[k] + (ts - self.ts[k])[:, None, None] * self.slopes()[k]).float()

    def derivative(self, ts: Times) -> torch.Tensor:
        return self.slopes()[self.interval(double(ts))].float()


@baseline("damped")
class Damped(Linear):
    """Linear interpolation whose last slope dies away beyond the end, within a mean interval (a damped trend; Gardner 1985)."""

    def dying(self, ts: torch.Tensor) -> torch.Tensor:
        """What is left (T, 1, 1) of the slope at each time."""
        interval = (self.ts[-1] - self.ts[0]) / (len(self.ts) - 1)
        return (-(ts - self.ts[-1]).clamp(min=0) / interval).exp()[:, None, None]

    def __call__(self, ts: Times) -> torch.Tensor:
        ts = double(ts)
        interval = (self.ts[-1] - self.ts[0]) / (len(self.ts) - 1)
        gone = interval * (1 - self.dying(ts)) * self.slopes()[-1]
        return (super().__call__(ts.clamp(max=self.ts[-1])) + gone).float()

    def derivative(self, ts: Times) -> torch.Tensor:
        return super().derivative(ts) * self.dying(double(ts)).float()


@baseline("slerp")
class Slerp(Interpolation):
    """Spherical interpolation (Shoemake 1985), row by row: along the arc from one code's direction to the next's.

    Meaningful in Z; W is not centred at the origin.  Where two rows are (anti)parallel it is linear.  Outside the
    span the arcs are continued.
    """

    def arcs(self, ts: Times) -> tuple[torch.Tensor, ...]:
        """At each time: both ends a, b of the arc, the fraction of it, its seconds, its angle, and whether it is linear."""
        ts = double(ts)
        k = self.interval(ts)
        a, b = self.ws[k].double(), self.ws[k + 1].double()
        length = (self.ts[k + 1] - self.ts[k])[:, None, None]
        fraction = (ts - self.ts[k])[:, None, None] / length
        cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1)[..., None]
        angle = cosine.clamp(-1, 1).acos()
        return a, b, fraction, length, angle, angle.sin() < 1e-6

    def __call__(self, ts: Times) -> torch.Tensor:
        a, b, fraction, _, angle, linear = self.arcs(ts)
        arc = (((1 - fraction) * angle).sin() * a + (fraction * angle).sin() * b) / angle.sin()
        return torch.where(linear, a + fraction * (b - a), arc).float()

    def derivative(self, ts: Times) -> torch.Tensor:
        a, b, fraction, length, angle, linear = self.arcs(ts)
        arc = angle * ((fraction * angle).cos() * b - ((1 - fraction) * angle).cos() * a) / angle.sin()
        return (torch.where(linear, b - a, arc) / length).float()


class Spline(Interpolation):
    """A piecewise cubic of scipy inside the span, extrapolated linearly."""

    def __init__(self, ts: torch.Tensor, ws: torch.Tensor):
        super().__init__(ts, ws)
        self.curve = self.piecewise_cubic(ts.numpy(), ws.double().numpy())
        self.slope = self.curve.derivative()

    @staticmethod
    @abstractmethod
    def piecewise_cubic(ts: np.ndarray, ws: np.ndarray) -> PPoly:
        """Through codes ws (n, L, D) at times ts (n,), double precision."""

    def __call__(self, ts: Times) -> torch.Tensor:
        ts = double(ts)
        inside = ts.clamp(*self.span)
        beyond = (ts - inside)[:, None, None] * torch.from_numpy(self.slope(inside.numpy()))
        return (torch.from_numpy(self.curve(inside.numpy())) + beyond).float()

    def derivative(self, ts: Times) -> torch.Tensor:
        ts = double(ts)
        return torch.from_numpy(self.slope(ts.clamp(*self.span).numpy())).float()


@baseline("cubic")
class Cubic(Spline):
    """The natural cubic spline: the interpolant of least curvature; linear for two codes."""

    @staticmethod
    def piecewise_cubic(ts: np.ndarray, ws: np.ndarray) -> PPoly:
        return CubicSpline(ts, ws, bc_type="natural")


@baseline("pchip")
class Pchip(Spline):
    """Monotone cubics (Fritsch and Carlson 1980): smooth, without overshoot at the observations."""

    @staticmethod
    def piecewise_cubic(ts: np.ndarray, ws: np.ndarray) -> PPoly:
        return PchipInterpolator(ts, ws)


@baseline("catmull_rom")
class CatmullRom(Spline):
    """Cubic Hermite pieces (1974) whose slope at each observation is that from its predecessor to its successor."""

    @staticmethod
    def piecewise_cubic(ts: np.ndarray, ws: np.ndarray) -> PPoly:
        inner = (ws[2:] - ws[:-2]) / (ts[2:] - ts[:-2])[:, None, None]
        first, last = ((ws[k + 1] - ws[k]) / (ts[k + 1] - ts[k]) for k in (0, len(ts) - 2))
        return CubicHermiteSpline(ts, ws, np.concatenate([first[None], inner, last[None]]))
