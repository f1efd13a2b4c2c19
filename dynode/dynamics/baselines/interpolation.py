"""Rivals that need no learning: paths through the observed codes. All share `fit(clip, settings, seed)`.

Outside the observed span every path but `Hold` and `Slerp` goes on in a straight line, with its slope at the end.
"""

import numpy as np
import torch
from scipy.interpolate import CubicHermiteSpline, CubicSpline, PchipInterpolator

from dynode.clips import Clip


class Interpolation:
    """A path through codes ws (n, L, D) at times ts (n,), n >= 2."""

    def __init__(self, ts: torch.Tensor, ws: torch.Tensor):
        self.ts, self.ws = ts, ws
        self.span = (float(ts[0]), float(ts[-1]))

    @classmethod
    def fit(cls, clip: Clip, settings=None, seed: int = 0):
        """Through the observed codes of a clip; there is nothing to set and nothing random."""
        seen = clip.observations()
        return cls(seen.ts, seen.ws)

    def interval(self, ts: torch.Tensor) -> torch.Tensor:
        """Index of the observation at or before each time, at most the last but one."""
        return self.latest(ts).clamp(max=len(self.ts) - 2)

    def latest(self, ts: torch.Tensor) -> torch.Tensor:
        """Index of the observation at or before each time."""
        return (torch.searchsorted(self.ts.contiguous(), ts.contiguous(), right=True) - 1).clamp(min=0)


class Hold(Interpolation):
    """The last observed code, held until the next one."""

    def __call__(self, ts):
        ts = torch.as_tensor(ts, dtype=torch.float64)
        return self.ws[self.latest(ts)]

    def derivative(self, ts):
        return torch.zeros(len(ts), *self.ws.shape[1:])


class Linear(Interpolation):
    """Straight lines between observed codes: the paper's "latent morphing"."""

    def slopes(self) -> torch.Tensor:
        return self.ws.double().diff(dim=0) / self.ts.diff()[:, None, None]

    def __call__(self, ts):
        ts = torch.as_tensor(ts, dtype=torch.float64)
        k = self.interval(ts)
        return (self.ws[k] + (ts - self.ts[k])[:, None, None] * self.slopes()[k]).float()

    def derivative(self, ts):
        return self.slopes()[self.interval(torch.as_tensor(ts, dtype=torch.float64))].float()


class Slerp(Interpolation):
    """Spherical interpolation (Shoemake 1985), row by row: along the arc from one code's direction to the next's.

    Meaningful in Z; W is not centred at the origin.  Where two rows are (anti)parallel it is linear.  Outside the
    span the arcs go on.
    """

    def parts(self, ts):
        ts = torch.as_tensor(ts, dtype=torch.float64)
        k = self.interval(ts)
        a, b = self.ws[k].double(), self.ws[k + 1].double()
        length = (self.ts[k + 1] - self.ts[k])[:, None, None]
        share = (ts - self.ts[k])[:, None, None] / length
        cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1)[..., None]
        angle = cosine.clamp(-1, 1).acos()
        return a, b, share, length, angle, angle.sin() < 1e-6

    def __call__(self, ts):
        a, b, share, _, angle, straight = self.parts(ts)
        arc = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()
        return torch.where(straight, a + share * (b - a), arc).float()

    def derivative(self, ts):
        a, b, share, length, angle, straight = self.parts(ts)
        arc = angle * ((share * angle).cos() * b - ((1 - share) * angle).cos() * a) / angle.sin()
        return (torch.where(straight, b - a, arc) / length).float()


class Spline(Interpolation):
    """A piecewise cubic of scipy inside the span, straight lines outside."""

    def __init__(self, ts: torch.Tensor, ws: torch.Tensor):
        super().__init__(ts, ws)
        self.curve = self.make(ts.numpy(), ws.double().numpy())
        self.slope = self.curve.derivative()

    def __call__(self, ts):
        ts = torch.as_tensor(ts, dtype=torch.float64)
        inside = ts.clamp(*self.span)
        beyond = (ts - inside)[:, None, None] * torch.from_numpy(self.slope(inside.numpy()))
        return (torch.from_numpy(self.curve(inside.numpy())) + beyond).float()

    def derivative(self, ts):
        ts = torch.as_tensor(ts, dtype=torch.float64)
        return torch.from_numpy(self.slope(ts.clamp(*self.span).numpy())).float()


class Cubic(Spline):
    """The natural cubic spline: the interpolant of least bending; through two codes a line."""

    @staticmethod
    def make(ts, ws):
        return CubicSpline(ts, ws, bc_type="natural")


class Pchip(Spline):
    """Monotone cubics (Fritsch and Carlson 1980): smooth, never overshooting an observation."""

    @staticmethod
    def make(ts, ws):
        return PchipInterpolator(ts, ws)


class CatmullRom(Spline):
    """Cubic Hermite pieces whose slope at each observation is that from its predecessor to its successor (1974)."""

    @staticmethod
    def make(ts, ws):
        inner = (ws[2:] - ws[:-2]) / (ts[2:] - ts[:-2])[:, None, None]
        first, last = ((ws[k + 1] - ws[k]) / (ts[k + 1] - ts[k]) for k in (0, len(ts) - 2))
        return CubicHermiteSpline(ts, ws, np.concatenate([first[None], inner, last[None]]))
