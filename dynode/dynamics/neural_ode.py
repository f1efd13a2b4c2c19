"""The neural ODE of a clip: fit f to the observed codes, then ask the solution for any time (paper Sec. 3)."""

import copy
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from dynode import runtime
from dynode.clips import Clip, frame_rate, read_safetensors
from dynode.dynamics.fields import MLPField
from dynode.dynamics.integrate import rollout
from dynode.dynamics.presets import DynamicsSettings, TrainingSettings, preset
from dynode.dynamics.spaces import SPACES, fit_space
from dynode.errors import UserError
from dynode.settings import choose, from_json, to_json

FORMAT = "dynode-fit-1"


@dataclass(frozen=True)
class Clock:
    """The map from seconds to the field's time: (t - t0) / unit."""

    t0: float
    unit: float

    @classmethod
    def of(cls, kind: str, clip: Clip) -> "Clock":
        seen = clip.ts[clip.observed]
        units = {"unit": float(seen[-1] - seen[0]), "frame": 1 / frame_rate(clip.ts)}
        return cls(float(seen[0]), choose("clock", kind, units))

    def __call__(self, ts) -> torch.Tensor:
        return (torch.as_tensor(ts, dtype=torch.float64) - self.t0) / self.unit


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
    def derivative(self, ts) -> torch.Tensor:
        taus = self.clock(ts).to(self.u0)
        velocity = self.field(taus, self.states(taus))
        return (self.space.decode_velocity(velocity) / self.clock.unit).float().cpu()

    def states(self, taus: torch.Tensor) -> torch.Tensor:
        """States (T, R, K) at the field's times (T,), in any order: one solve forward, one backward where asked."""
        self.nfe = 0
        asked, back = torch.unique(taus.to(self.u0), return_inverse=True)
        states = self.u0.expand(len(asked), *self.u0.shape).clone()
        for sign in (1, -1):
            side = asked * sign > 0
            times = asked[side] if sign > 0 else asked[side].flip(0)
            if len(times):
                solved = rollout(self.field, self.u0, torch.cat([times.new_zeros(1), times]), self.settings.solver)
                states[side] = solved.states[1:] if sign > 0 else solved.states[1:].flip(0)
                self.nfe += solved.nfe
        return states[back]

    def save(self, path: Path | str) -> Path:
        """Write field, space, first state and settings as safetensors, atomically."""
        tensors = {f"field.{k}": v for k, v in self.field.state_dict().items()}
        tensors |= {f"space.{k}": v for k, v in self.space.tensors().items()} | {"u0": self.u0}
        rest = {"clock": [self.clock.t0, self.clock.unit], "span": self.span, "log": self.log, "meta": self.meta}
        metadata = {"format": FORMAT, "settings": to_json(self.settings), "rest": json.dumps(rest)}
        with runtime.written_whole(Path(path)) as scratch:
            save_file({k: v.contiguous() for k, v in tensors.items()}, scratch, metadata)
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> "NeuralODE":
        """Read a fit.  Raises UserError when the file is missing or something else."""
        tensors, metadata = read_safetensors(Path(path), FORMAT, "a fit (as `dynode fit` writes it)")
        settings, rest = from_json(DynamicsSettings, metadata["settings"]), json.loads(metadata["rest"])
        parts = {k.removeprefix("space."): v for k, v in tensors.items() if k.startswith("space.")}
        space = SPACES[settings.space](**parts)
        field_ = MLPField(space.state_shape, settings.field)
        field_.load_state_dict({k.removeprefix("field."): v for k, v in tensors.items() if k.startswith("field.")})
        clock, span = Clock(*rest["clock"]), tuple(rest["span"])
        return cls(settings, field_, space, clock, tensors["u0"], span, rest["log"], rest["meta"])


class Stretched(nn.Module):
    """A batch of intervals, each mapped to s in [0, 1]: du/ds = length * f(start + s * length, u)."""

    def __init__(self, field: MLPField, start: torch.Tensor, length: torch.Tensor):
        super().__init__()
        self.field, self.start, self.length = field, start, length

    def forward(self, s, u):
        return self.length[:, None, None] * self.field(self.start + s * self.length, u)


@dataclass
class Training:
    """One fit under way: the field, the observed states u (n, R, K) at the field's times taus (n,), the optimiser."""

    field: MLPField
    u: torch.Tensor
    taus: torch.Tensor
    settings: DynamicsSettings
    draws: torch.Generator

    def __post_init__(self):
        t = self.settings.training
        self.optimiser = torch.optim.Adam(self.field.parameters(), lr=t.lr, betas=t.betas, eps=t.eps)
        self.best, self.best_state, self.nfe = math.inf, None, 0

    def subset(self) -> torch.Tensor:
        """Sorted indices of the frames drawn for one iteration."""
        t, n = self.settings.training, len(self.u)
        drawn = torch.randperm(n, generator=self.draws)[: min(t.batch, n - 1)]  # always leaves some out
        if choose("start", t.start, ("first", "subset")) == "first":
            drawn = torch.cat([torch.zeros(1, dtype=torch.long), drawn[drawn > 0]])
        if len(drawn) < 2:
            drawn = torch.tensor([0, int(torch.randint(1, n, (), generator=self.draws))])
        return drawn.sort().values

    def full_loss(self, index: torch.Tensor) -> torch.Tensor:
        """Roll out from the first drawn frame through the others (paper Eq. 6); the start frame is not counted."""
        solved = rollout(self.field, self.u[index[0]], self.taus[index], self.settings.solver)
        self.nfe += solved.nfe
        return self.reduce(solved.states[1:] - self.u[index[1:]])

    def segment_loss(self, index: torch.Tensor) -> torch.Tensor:
        """Each interval between neighbouring drawn frames from its true code, all in parallel."""
        stretched = Stretched(self.field, self.taus[index[:-1]], self.taus[index].diff())
        solved = rollout(stretched, self.u[index[:-1]], self.taus.new_tensor([0.0, 1.0]), self.settings.segment_solver)
        self.nfe += solved.nfe
        return self.reduce(solved.states[1] - self.u[index[1:]])

    def reduce(self, error: torch.Tensor) -> torch.Tensor:
        reductions = {"sum": error.square().sum, "mean": error.square().mean}
        return choose("reduction", self.settings.training.reduction, reductions)()

    def step(self, loss: torch.Tensor) -> None:
        self.optimiser.zero_grad()
        loss.backward()
        if self.settings.training.grad_clip:
            nn.utils.clip_grad_norm_(self.field.parameters(), self.settings.training.grad_clip)
        self.optimiser.step()

    def set_lr(self, progress: float) -> None:
        t = self.settings.training
        factors = {"constant": 1.0, "cosine": 0.5 + 0.5 * math.cos(math.pi * progress)}
        self.optimiser.param_groups[0]["lr"] = t.lr * choose("schedule", t.schedule, factors)

    def look(self) -> float:
        """Mean squared error of the roll-out over all observed frames, over their variance; keeps the best state."""
        with torch.no_grad():
            solved = rollout(self.field, self.u[0], self.taus, self.settings.solver)
            variance = self.u.var(0, unbiased=False).mean().clamp(min=1e-12)  # a clip may stand still
            error = ((solved.states - self.u).square().mean() / variance).item()
        if error < self.best:
            self.best, self.best_state = error, copy.deepcopy(self.field.state_dict())
        return error

    def run(self, progress: bool) -> list[float]:
        """Segments first, whole roll-outs after; returns the looks."""
        t: TrainingSettings = self.settings.training
        total, looks = t.segment_iterations + t.iterations, []
        for it in tqdm(range(total), desc=f"fit {self.settings.label}", disable=not progress, mininterval=1):
            self.set_lr(it / total)
            segment = it < t.segment_iterations
            self.step(self.segment_loss(self.subset()) if segment else self.full_loss(self.subset()))
            if (it + 1) % t.check_every == 0 or it + 1 == total:
                looks.append(self.look())
                if looks[-1] <= t.tolerance:
                    break
        if self.best_state is None:
            raise UserError("The fit never reached a finite loss: lower training.lr or standardise the codes.")
        self.field.load_state_dict(self.best_state)
        return looks


def fit(
    clip: Clip, settings: DynamicsSettings | None = None, seed: int = 0, *, device="cpu", progress: bool = False
) -> NeuralODE:
    """Learn the dynamics of the observed frames of a clip.

    Raises UserError when fewer than two frames are observed, and SolverError (with a remedy) when the solve fails.
    """
    settings, seen, started = settings or preset("dynode"), clip.observations(), time.time()
    runtime.seed_everything(seed)
    space = fit_space(settings.space, seen.ws)
    clock = Clock.of(settings.clock, clip)
    field_ = MLPField(space.state_shape, settings.field).to(device)
    u, taus = space.encode(seen.ws).to(device), clock(seen.ts).float().to(device)
    training = Training(field_, u, taus, settings, torch.Generator().manual_seed(seed))
    looks = training.run(progress)
    log = {
        "observed_error": training.best,
        "looks": looks,
        "seconds": round(time.time() - started, 2),
        "nfe": training.nfe,
        "parameters": sum(p.numel() for p in field_.parameters()),
    }
    keys = ("name", "generator", "generator_hash", "source_sha256")
    meta = {"seed": seed, "clip": {key: clip.meta.get(key, "") for key in keys}}
    meta["ts"], meta["observed"] = clip.ts.tolist(), clip.observed.tolist()
    field_ = field_.cpu().requires_grad_(False)
    return NeuralODE(settings, field_, space, clock, u[0].cpu(), (float(seen.ts[0]), float(seen.ts[-1])), log, meta)
