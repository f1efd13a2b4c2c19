"""The neural ODE of a clip as a trajectory: ask the solution for any time (paper Sec. 3). `dynode.training` fits it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from dynode import runtime
from dynode.checkpoints import part
from dynode.clips import Clip, frame_rate, read_safetensors
from dynode.dynamics.fields import MLPField
from dynode.dynamics.integrate import rollout
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.spaces import SPACES
from dynode.errors import UserError
from dynode.settings import choose, from_json, to_json
from dynode.trajectory import Shots

FORMAT = "dynode-fit-2"
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
    """A fitted trajectory: z(t) solves dz/dt = f(z, t) from the first observed code.

    Calling it with times (T,) in seconds, any order, gives codes (T, L, D).  `nfe` counts the evaluations of the last
    call; `log` holds the training losses, seconds and evaluations; `meta` names clip, generator and seed.
    """

    settings: DynamicsSettings
    field: MLPField
    space: object
    clock: Clock
    u0: torch.Tensor
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
        taus = self.clock(ts).to(self.u0)
        velocity = self.space.decode_velocity(self.field(taus, self.states(taus)))
        return (velocity * self.clock.rate(ts).to(velocity)[:, None, None]).float().cpu()

    def states(self, taus: torch.Tensor) -> torch.Tensor:
        """States (T, R, K) at the field's times (T,), in any order: one solve forward, one backward where asked."""
        self.nfe, begin = 0, self.clock(self.span[:1]).to(self.u0)
        asked, back = torch.unique(taus.to(self.u0), return_inverse=True)
        states = self.u0.expand(len(asked), *self.u0.shape).clone()
        for sign in (1, -1):
            side = (asked - begin) * sign > 0
            times = asked[side] if sign > 0 else asked[side].flip(0)
            if len(times):
                solved = rollout(self.field, self.u0, torch.cat([begin, times]), self.settings.solver)
                states[side] = solved.states[1:] if sign > 0 else solved.states[1:].flip(0)
                self.nfe += solved.nfe
        return states[back]

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        """Tensors, and everything else as JSON."""
        tensors = {f"field.{k}": v for k, v in self.field.state_dict().items()}
        tensors |= {f"space.{k}": v for k, v in self.space.tensors().items()} | {"u0": self.u0}
        clock = [self.clock.seconds, self.clock.times]
        rest = {"settings": to_json(self.settings), "clock": clock, "span": self.span}
        return tensors, json.dumps(rest | {"log": self.log, "meta": self.meta})

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], text: str) -> "NeuralODE":
        rest = json.loads(text)
        settings = from_json(DynamicsSettings, rest["settings"])
        space = SPACES[settings.space](**part(tensors, "space."))
        net = MLPField(space.state_shape, settings.field)
        net.load_state_dict(part(tensors, "field."))
        clock, span = Clock(*map(tuple, rest["clock"])), tuple(rest["span"])
        return cls(settings, net.requires_grad_(False), space, clock, tensors["u0"], span, rest["log"], rest["meta"])


def shots_of(fit: NeuralODE | Shots) -> list[NeuralODE]:
    """The fits of the shots of a clip: one, unless the clip has cuts."""
    return fit.shots if isinstance(fit, Shots) else [fit]


def save(fit: NeuralODE | Shots, path: Path | str) -> Path:
    """Write fields, spaces, first states and settings as safetensors, atomically."""
    tensors, metadata = {}, {"format": FORMAT}
    for k, shot in enumerate(shots_of(fit)):
        parts, metadata[f"shot{k}"] = shot.packed()
        tensors |= {f"shot{k}.{name}": tensor.contiguous() for name, tensor in parts.items()}
    with runtime.written_whole(Path(path)) as scratch:
        save_file(tensors, scratch, metadata)
    return Path(path)


def load(path: Path | str) -> NeuralODE | Shots:
    """Read a fit.  Raises UserError when the file is missing or something else."""
    tensors, metadata = read_safetensors(Path(path), FORMAT, "a fit (as `dynode fit` writes it)")
    try:
        names = sorted((key for key in metadata if key != "format"), key=lambda key: int(key.removeprefix("shot")))
        shots = [NeuralODE.unpacked(part(tensors, f"{name}."), metadata[name]) for name in names]
        return shots[0] if len(shots) == 1 else Shots(shots)
    except (LookupError, TypeError, ValueError, RuntimeError):  # tensors or metadata are missing or do not fit
        raise UserError(f"{path} is a fit that is damaged or of another version: fit the clip again.") from None


class Stretched(nn.Module):
    """A batch of intervals, each mapped to s in [0, 1]: du/ds = length * f(start + s * length, u)."""

    def __init__(self, field: MLPField, start: torch.Tensor, length: torch.Tensor):
        super().__init__()
        self.field, self.start, self.length = field, start, length

    def forward(self, s, u):
        return self.length[:, None, None] * self.field(self.start + s * self.length, u)
