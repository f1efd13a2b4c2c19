"""Trajectories that are functions of the observed codes alone: no training; the codes are all that is stored."""

import json
from typing import Any, Self

import torch

from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory


class ThroughCodes(Trajectory):
    """A path made of codes ws (n, L, D) at times ts (n,), n >= 2, seconds; nothing is random.

    A subclass defines `__call__`, and `derivative` where there is a better one than central differences.
    """

    def __init__(self, ts: torch.Tensor, ws: torch.Tensor):
        self.ts, self.ws = ts, ws
        self.span = (float(ts[0]), float(ts[-1]))
        self.log: dict[str, Any] = {}
        self.meta: dict[str, Any] = {}

    @classmethod
    def fit(cls, clip: Clip) -> Self:
        """The path of the observed codes of a clip of one shot."""
        observed = clip.observations()
        return cls(observed.ts, observed.ws)

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        rest = {"kind": self.kind, "log": self.log, "meta": self.meta}
        return {"ts": self.ts, "ws": self.ws}, json.dumps(rest)

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> Self:
        path = cls(tensors["ts"], tensors["ws"])
        path.log, path.meta = rest["log"], rest["meta"]
        return path
