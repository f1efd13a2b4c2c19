"""The neural ODE of a clip as a trajectory, solved at any time (paper Sec. 3). `dynode.dynamics.fitting` fits it."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from dynode.clips import Clip, frame_rate
from dynode.dynamics.fields import MLPField
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.solvers.rollout import Field, rollout
from dynode.dynamics.state_spaces import SPACES, StateSpace
from dynode.dynamics.trajectory import Times, Trajectory, double
from dynode.io.training_state import part
from dynode.settings import choose, from_json, to_json

BATCH = 4096  # times that are solved in parallel, at most
CLOCKS = ("unit", "frame", "index")


@dataclass(frozen=True)
class Clock:
    """The map from seconds to the field's time: linear interpolation of (seconds, times), extrapolated linearly."""

    seconds: tuple[float, ...]
    times: tuple[float, ...]

    @classmethod
    def of(cls, kind: str, clip: Clip) -> "Clock":
        """The clock of a clip.  kind: "unit", observed span -> [0, 1] | "frame", (t - t0) x frame rate | "index" of the code."""
        choose("clock", kind, CLOCKS)
        first, last = (float(t) for t in clip.ts[clip.observed][[0, -1]])
        if kind == "unit":
            return cls((first, last), (0.0, 1.0))
        if kind == "frame":
            return cls((first, last), (0.0, (last - first) * frame_rate(clip.ts)))
        return cls(tuple(clip.ts.tolist()), tuple(float(k) for k in range(len(clip))))

    def slopes(self) -> np.ndarray:
        """The field's time per second, in each interval."""
        return np.diff(self.times) / np.diff(self.seconds)

    def interval(self, ts: Times) -> np.ndarray:
        """Index of the interval that each time lies in, or is extrapolated from."""
        return np.clip(np.searchsorted(self.seconds, ts, side="right") - 1, 0, len(self.seconds) - 2)

    def __call__(self, ts: Times) -> torch.Tensor:
        ts = double(ts).numpy()
        k = self.interval(ts)
        return torch.from_numpy(np.asarray(self.times)[k] + (ts - np.asarray(self.seconds)[k]) * self.slopes()[k])

    def rate(self, ts: Times) -> torch.Tensor:
        """The field's time per second at times ts (T,)."""
        return torch.from_numpy(self.slopes()[self.interval(double(ts).numpy())])


@dataclass(repr=False)
class NeuralODE(Trajectory):
    """A fitted trajectory: z(t) solves dz/dt = f(z, t).

    With settings.path "rollout" it starts from the first observed code (paper Eq. 5).  With "blended" it is solved
    forward from the observation before each time and backward from the one after, and the two are blended in
    proportion to time: the path interpolates the observed codes, linearly for a field of zero.

    starts (m, R, K): the observed states it is solved from, at the field's times `taus`, (m,) or of all observed frames.
    nfe: evaluations of the field in the last call.  log: training losses, seconds, evaluations.
    """

    kind: ClassVar[str] = "neural_ode"

    settings: DynamicsSettings
    field: MLPField
    space: StateSpace
    clock: Clock
    starts: torch.Tensor
    taus: torch.Tensor
    span: tuple[float, float]
    log: dict[str, Any] = dataclasses.field(default_factory=dict)
    meta: dict[str, Any] = dataclasses.field(default_factory=dict)
    nfe: int = 0

    @property
    def label(self) -> str:
        return self.settings.label

    @torch.no_grad()
    def __call__(self, ts: Times) -> torch.Tensor:
        return self.space.decode(self.states(self.clock(ts))).float().cpu()

    @torch.no_grad()
    def chunks(self, ts: Times, size: int) -> Iterator[torch.Tensor]:
        """The codes at times ts in parts of `size` frames: one solve for all times."""
        for states in self.states(self.clock(ts)).split(size):
            yield self.space.decode(states).float().cpu()

    @torch.no_grad()
    def derivative(self, ts: Times) -> torch.Tensor:
        taus = self.clock(ts).to(self.starts)
        if self.settings.path == "rollout":
            velocity = self.field(taus, self.rolled_out(taus))
        else:
            k, weight = self.interval(taus)
            ahead, back = self.from_neighbours(taus, k)
            inside = ((weight > 0) & (weight < 1))[:, None, None]
            weight_change = (back - ahead) / (self.taus[k + 1] - self.taus[k])[:, None, None]  # by the product rule
            velocity = torch.lerp(self.field(taus, ahead), self.field(taus, back), weight[:, None, None])
            velocity = velocity + inside * weight_change
        return (self.space.decode_velocity(velocity) * self.clock.rate(ts).to(velocity)[:, None, None]).float().cpu()

    def states(self, taus: torch.Tensor) -> torch.Tensor:
        """States (T, R, K) at the field's times (T,), in any order."""
        self.nfe, taus = 0, taus.to(self.starts)
        return self.rolled_out(taus) if self.settings.path == "rollout" else self.blended(taus)

    def rolled_out(self, taus: torch.Tensor) -> torch.Tensor:
        """States (T, R, K) from the first one on: one solve forward, and one backward for times before it."""
        times, inverse = torch.unique(taus, return_inverse=True)
        states = self.starts[0].expand(len(times), *self.starts.shape[1:]).clone()
        for sign in (1, -1):
            side = (times - self.taus[0]) * sign > 0
            ordered = times[side] if sign > 0 else times[side].flip(0)
            if len(ordered):
                solved = rollout(self.field, self.starts[0], torch.cat([self.taus[:1], ordered]), self.settings.solver)
                states[side] = solved.states[1:] if sign > 0 else solved.states[1:].flip(0)
                self.nfe += solved.nfe
        return states[inverse]

    def blended(self, taus: torch.Tensor) -> torch.Tensor:
        """States (T, R, K), each solved from both of its neighbouring observations; all of them in parallel."""
        parts = []
        for times in taus.split(BATCH):
            k, weight = self.interval(times)
            ahead, back = self.from_neighbours(times, k)
            parts.append(torch.lerp(ahead, back, weight[:, None, None]))
        return torch.cat(parts)

    def interval(self, taus: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The observation at or before each time, at most the last but one, and the weight (T,) of the next: 0 to 1."""
        k = (torch.searchsorted(self.taus, taus, right=True) - 1).clamp(0, len(self.taus) - 2)
        return k, ((taus - self.taus[k]) / (self.taus[k + 1] - self.taus[k])).clamp(0, 1)

    def from_neighbours(self, taus: torch.Tensor, k: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States (T, R, K) at times taus: solved forward from observation k, and backward from observation k + 1."""
        ends = []
        for start in (k, k + 1):
            stretched = Stretched(self.field, self.taus[start], taus - self.taus[start])
            solved = rollout(stretched, self.starts[start], taus.new_tensor([0.0, 1.0]), self.settings.segment_solver)
            self.nfe += solved.nfe
            ends.append(solved.states[1])
        return ends[0], ends[1]

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        tensors = {f"field.{k}": v for k, v in self.field.state_dict().items()}
        tensors |= {f"space.{k}": v for k, v in self.space.tensors().items()}
        tensors |= {"seen": self.starts, "taus": self.taus}
        clock = [self.clock.seconds, self.clock.times]
        rest = {"kind": self.kind, "settings": to_json(self.settings), "clock": clock, "span": self.span}
        return tensors, json.dumps(rest | {"log": self.log, "meta": self.meta})

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> "NeuralODE":
        settings = from_json(DynamicsSettings, rest["settings"])
        space = SPACES[settings.space](**part(tensors, "space."))
        net = MLPField(space.state_shape, settings.field, len(tensors["taus"]))
        net.load_state_dict(part(tensors, "field."))
        clock, (first, last) = Clock(*map(tuple, rest["clock"])), rest["span"]
        starts, taus = tensors["seen"], tensors["taus"]
        return cls(
            settings, net.requires_grad_(False), space, clock, starts, taus, (first, last), rest["log"], rest["meta"]
        )


class Stretched(nn.Module):
    """A batch of intervals, each mapped to s in [0, 1]: du/ds = length * f(start + s * length, u)."""

    def __init__(self, field: Field, start: torch.Tensor, length: torch.Tensor):
        super().__init__()
        self.field, self.start, self.length = field, start, length

    def forward(self, s: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        return self.length[:, None, None] * self.field(self.start + s * self.length, u)
