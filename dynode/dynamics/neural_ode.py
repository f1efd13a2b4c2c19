"""The neural ODE of a clip as a trajectory: ask the solution for any time (paper Sec. 3). `dynode.dynamics.fitting.trainer` fits it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from dynode.clips import Clip, frame_rate
from dynode.dynamics.fields import MLPField
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.solvers.rollout import rollout
from dynode.dynamics.state_spaces import SPACES
from dynode.io.training_state import part
from dynode.settings import choose, from_json, to_json

AT_ONCE = 4096  # times that are solved in parallel
CLOCKS = ("unit", "frame", "index")


@dataclass(frozen=True)
class Clock:
    """The map from seconds to the field's time: straight lines through (seconds, times), the end lines go on."""

    seconds: tuple[float, ...]
    times: tuple[float, ...]

    @classmethod
    def of(cls, kind: str, clip: Clip) -> "Clock":
        """ "unit": observed span -> [0, 1] | "frame": (t - t0) x frame rate | "index": the number of the clip's code."""
        choose("clock", kind, list(CLOCKS))
        first, last = (float(t) for t in clip.ts[clip.observed][[0, -1]])
        if kind == "unit":
            return cls((first, last), (0.0, 1.0))
        if kind == "frame":
            return cls((first, last), (0.0, (last - first) * frame_rate(clip.ts)))
        return cls(tuple(clip.ts.tolist()), tuple(float(k) for k in range(len(clip))))

    def slopes(self) -> np.ndarray:
        return np.diff(self.times) / np.diff(self.seconds)

    def interval(self, ts) -> np.ndarray:
        return np.clip(np.searchsorted(self.seconds, ts, side="right") - 1, 0, len(self.seconds) - 2)

    def __call__(self, ts) -> torch.Tensor:
        ts = np.asarray(ts, dtype=np.float64)
        k = self.interval(ts)
        return torch.from_numpy(np.asarray(self.times)[k] + (ts - np.asarray(self.seconds)[k]) * self.slopes()[k])

    def rate(self, ts) -> torch.Tensor:
        """The field's time per second at times ts (T,)."""
        return torch.from_numpy(self.slopes()[self.interval(np.asarray(ts, dtype=np.float64))])


@dataclass
class NeuralODE:
    """A fitted trajectory: z(t) solves dz/dt = f(z, t).

    With settings.path "rollout" it starts from the first observed code (paper Eq. 5).  With "blended" it is solved
    forward from the observation before each time and backward from the one after, and the two are blended in
    proportion to time: observed codes are met exactly, and a field of zero would give straight lines.

    Calling it with times (T,) in seconds, any order, gives codes (T, L, D).  `nfe` counts the evaluations of the last
    call; `log` holds the training losses, seconds and evaluations; `meta` names clip, generator and seed.
    seen (m, R, K): the states it starts from, at the field's times `taus` (m,).
    """

    settings: DynamicsSettings
    field: MLPField
    space: object
    clock: Clock
    seen: torch.Tensor
    taus: torch.Tensor
    span: tuple[float, float]
    log: dict = field(default_factory=dict)
    meta: dict = field(default_factory=dict)
    nfe: int = 0

    @torch.no_grad()
    def __call__(self, ts) -> torch.Tensor:
        return self.space.decode(self.states(self.clock(ts))).float().cpu()

    @torch.no_grad()
    def parts(self, ts, chunk: int) -> Iterator[torch.Tensor]:
        """The codes at times ts in parts of `chunk` frames: one solve for all, and never all codes in memory."""
        for states in self.states(self.clock(ts)).split(chunk):
            yield self.space.decode(states).float().cpu()

    @torch.no_grad()
    def derivative(self, ts) -> torch.Tensor:
        taus = self.clock(ts).to(self.seen)
        if self.settings.path == "rollout":
            velocity = self.field(taus, self.rolled(taus))
        else:
            k, share = self.interval(taus)
            ahead, back = self.arrivals(taus, k)
            inside = ((share > 0) & (share < 1))[:, None, None]
            closing = (back - ahead) / (self.taus[k + 1] - self.taus[k])[:, None, None]
            velocity = torch.lerp(self.field(taus, ahead), self.field(taus, back), share[:, None, None])
            velocity = velocity + inside * closing
        return (self.space.decode_velocity(velocity) * self.clock.rate(ts).to(velocity)[:, None, None]).float().cpu()

    def states(self, taus: torch.Tensor) -> torch.Tensor:
        """States (T, R, K) at the field's times (T,), in any order."""
        self.nfe, taus = 0, taus.to(self.seen)
        return self.rolled(taus) if self.settings.path == "rollout" else self.blended(taus)

    def rolled(self, taus: torch.Tensor) -> torch.Tensor:
        """From the first state on: one solve forward, one backward where asked."""
        asked, back = torch.unique(taus, return_inverse=True)
        states = self.seen[0].expand(len(asked), *self.seen.shape[1:]).clone()
        for sign in (1, -1):
            side = (asked - self.taus[0]) * sign > 0
            times = asked[side] if sign > 0 else asked[side].flip(0)
            if len(times):
                solved = rollout(self.field, self.seen[0], torch.cat([self.taus[:1], times]), self.settings.solver)
                states[side] = solved.states[1:] if sign > 0 else solved.states[1:].flip(0)
                self.nfe += solved.nfe
        return states[back]

    def blended(self, taus: torch.Tensor) -> torch.Tensor:
        """Every time is a solve of its own, from both of its neighbours; all of them in parallel."""
        parts = []
        for times in taus.split(AT_ONCE):
            k, share = self.interval(times)
            parts.append(torch.lerp(*self.arrivals(times, k), share[:, None, None]))
        return torch.cat(parts)

    def interval(self, taus: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The observation at or before each time, at most the last but one, and the share (T,) of the next: 0 to 1."""
        k = (torch.searchsorted(self.taus, taus, right=True) - 1).clamp(0, len(self.taus) - 2)
        return k, ((taus - self.taus[k]) / (self.taus[k + 1] - self.taus[k])).clamp(0, 1)

    def arrivals(self, taus: torch.Tensor, k: torch.Tensor) -> list[torch.Tensor]:
        """States (T, R, K) at times taus: from observation k, and from observation k + 1."""
        found = []
        for start in (k, k + 1):
            stretched = Stretched(self.field, self.taus[start], taus - self.taus[start])
            solved = rollout(stretched, self.seen[start], taus.new_tensor([0.0, 1.0]), self.settings.segment_solver)
            self.nfe += solved.nfe
            found.append(solved.states[1])
        return found

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        """Tensors, and everything else as JSON."""
        tensors = {f"field.{k}": v for k, v in self.field.state_dict().items()}
        tensors |= {f"space.{k}": v for k, v in self.space.tensors().items()}
        tensors |= {"seen": self.seen, "taus": self.taus}
        clock = [self.clock.seconds, self.clock.times]
        rest = {"kind": "neural_ode", "settings": to_json(self.settings), "clock": clock, "span": self.span}
        return tensors, json.dumps(rest | {"log": self.log, "meta": self.meta})

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> "NeuralODE":
        settings = from_json(DynamicsSettings, rest["settings"])
        space = SPACES[settings.space](**part(tensors, "space."))
        net = MLPField(space.state_shape, settings.field, len(tensors["taus"]))
        net.load_state_dict(part(tensors, "field."))
        clock, span, seen = Clock(*map(tuple, rest["clock"])), tuple(rest["span"]), (tensors["seen"], tensors["taus"])
        return cls(settings, net.requires_grad_(False), space, clock, *seen, span, rest["log"], rest["meta"])


class Stretched(nn.Module):
    """A batch of intervals, each mapped to s in [0, 1]: du/ds = length * f(start + s * length, u)."""

    def __init__(self, field: MLPField, start: torch.Tensor, length: torch.Tensor):
        super().__init__()
        self.field, self.start, self.length = field, start, length

    def forward(self, s, u):
        return self.length[:, None, None] * self.field(self.start + s * self.length, u)
