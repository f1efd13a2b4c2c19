"""Rivals that need no learning: paths through the observed codes. All share `fit(clip, settings, seed)`."""

import torch

from dynode.clips import Clip


class Hold:
    """The last observed code, held until the next one."""

    def __init__(self, ts: torch.Tensor, ws: torch.Tensor):
        self.ts, self.ws = ts, ws
        self.span = (float(ts[0]), float(ts[-1]))

    def interval(self, ts: torch.Tensor) -> torch.Tensor:
        """Index of the observation at or before each time, at most the last but one."""
        ts = torch.as_tensor(ts, dtype=torch.float64)
        return (torch.searchsorted(self.ts, ts, right=True) - 1).clamp(0, len(self.ts) - 2)

    def __call__(self, ts):
        ts = torch.as_tensor(ts, dtype=torch.float64)
        return self.ws[(torch.searchsorted(self.ts, ts, right=True) - 1).clamp(min=0)]

    def derivative(self, ts):
        return torch.zeros(len(ts), *self.ws.shape[1:])


class Linear(Hold):
    """Straight lines between observed codes (the paper's "latent morphing"); the end lines go on outside."""

    def slopes(self) -> torch.Tensor:
        return self.ws.double().diff(dim=0) / self.ts.diff()[:, None, None]

    def __call__(self, ts):
        ts, k = torch.as_tensor(ts, dtype=torch.float64), self.interval(ts)
        return (self.ws[k] + (ts - self.ts[k])[:, None, None] * self.slopes()[k]).float()

    def derivative(self, ts):
        return self.slopes()[self.interval(ts)].float()


def fit_hold(clip: Clip, settings=None, seed: int = 0) -> Hold:
    seen = clip.observations()
    return Hold(seen.ts, seen.ws)


def fit_linear(clip: Clip, settings=None, seed: int = 0) -> Linear:
    seen = clip.observations()
    return Linear(seen.ts, seen.ws)
