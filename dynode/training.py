"""Fit the neural ODE of a clip: draws, losses, optimiser, looks, checkpoints (paper Sec. 3, Eqs. 6-8).

The environment variable DYNODE_CHECKPOINT_SECONDS changes how much time lies, at least, between two checkpoints
(10 seconds); 0 writes one at every look.
"""

import copy
import hashlib
import json
import math
import os
import time
import warnings
from dataclasses import dataclass
from dataclasses import field as default
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.func import functional_call
from tqdm import tqdm

from dynode import checkpoints, runtime, scratch
from dynode.checkpoints import part
from dynode.clips import Clip, read_safetensors
from dynode.dynamics.fields import MLPField
from dynode.dynamics.gauss_newton import least_norm
from dynode.dynamics.integrate import SolverError, rollout
from dynode.dynamics.neural_ode import Clock, NeuralODE, Stretched
from dynode.dynamics.presets import DynamicsSettings, TrainingSettings, preset
from dynode.dynamics.spaces import fit_space
from dynode.dynamics.stored import described
from dynode.errors import UserError
from dynode.losses import ImageLoss
from dynode.settings import choose, to_json
from dynode.trajectory import Shots

CHECKPOINT_FORMAT = "dynode-checkpoint-1"
MOST_RESIDUALS = 4000  # that Gauss-Newton steps are made for: their matrix has so many rows, a column a weight
STEEP_NFE = 1000  # evaluations of one roll-out at which a fit is likely to go wrong


def checkpoint_seconds() -> float:
    """Seconds, at least, between two checkpoints.  Raises UserError where the environment holds something else."""
    text = os.environ.get("DYNODE_CHECKPOINT_SECONDS", "10")
    try:
        return float(text)
    except ValueError:
        raise UserError(f"DYNODE_CHECKPOINT_SECONDS wants a number of seconds such as 10, got {text!r}.") from None


CHECKPOINT_SECONDS = checkpoint_seconds()


@dataclass
class Training:
    """One fit under way: the field, the observed states u (n, R, K) at the field's times taus (n,), the optimiser.

    decode: states -> codes, wanted with `images`, the losses in image space.
    """

    field: MLPField
    u: torch.Tensor
    taus: torch.Tensor
    settings: DynamicsSettings
    draws: torch.Generator
    decode: object = None
    images: ImageLoss | None = None
    best: float = math.inf
    best_state: dict | None = None
    iteration: int = 0
    nfe: int = 0
    seconds: float = 0.0
    looks: list[float] = default(default_factory=list)
    stopped: str = ""
    steep: bool = False

    def __post_init__(self):
        t = self.settings.training
        self.optimiser = torch.optim.Adam(self.field.parameters(), lr=t.lr, betas=t.betas, eps=t.eps, fused=True)
        choose("kept state", t.keep, ["best", "last"])
        choose("start", t.start, ["first", "subset", "mixed"])
        choose("reduction", t.reduction, ["sum", "mean"])

    def subset(self) -> torch.Tensor:
        """Sorted indices of the frames drawn for one iteration."""
        t, n = self.settings.training, len(self.u)
        drawn = torch.randperm(n, generator=self.draws)[: min(t.batch, n - 1)]  # always leaves some out
        from_first = t.start == "first" or t.start == "mixed" and self.iteration % 2 == 0
        if from_first:
            drawn = torch.cat([torch.zeros(1, dtype=torch.long), drawn[drawn > 0]])
        if len(drawn) < 2:
            drawn = torch.tensor([0, int(torch.randint(1, n, (), generator=self.draws))])
        return drawn.sort().values

    def full_loss(self, index: torch.Tensor) -> torch.Tensor:
        """Roll out from the first drawn frame through the others (paper Eq. 6)."""
        solved = rollout(self.field, self.u[index[0]], self.taus[index], self.settings.solver)
        return self.loss(solved.states[1:], index[1:], solved.nfe)

    def segment_loss(self, index: torch.Tensor) -> torch.Tensor:
        """Each interval between neighbouring drawn frames from its true code, all in parallel."""
        states, ends, nfe = self.segments(index)
        return self.loss(states, ends, nfe)

    def segments(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
        """States (m, R, K) at the end of each interval, the frames (m,) they are compared with, and evaluations."""
        starts, ends = index[:-1], index[1:]
        if self.settings.training.both_ways:
            starts, ends = torch.cat([starts, ends]), torch.cat([ends, starts])
        stretched = Stretched(self.field, self.taus[starts], self.taus[ends] - self.taus[starts])
        solved = rollout(stretched, self.u[starts], self.taus.new_tensor([0.0, 1.0]), self.settings.segment_solver)
        return solved.states[1], ends, solved.nfe

    def loss(self, states: torch.Tensor, index: torch.Tensor, nfe: int) -> torch.Tensor:
        """The weighted losses of predicted states (m, R, K) of the frames `index`."""
        self.count(nfe)
        t, weights = self.settings.training, self.settings.losses
        entries = states[0].numel()
        total = weights.latent * (states - self.u[index]).square().sum() / entries
        if self.images is not None:
            total = total + self.images(self.decode(states), index)
        return total * entries if t.reduction == "sum" else total / (len(states) + t.count_start)

    def count(self, nfe: int) -> None:
        self.nfe += nfe
        if nfe > STEEP_NFE and not self.steep:
            self.steep = True
            warnings.warn(
                f"A roll-out took {nfe} evaluations of the field at iteration {self.iteration}: it is becoming steep. "
                "Lower training.lr, standardise the codes or use a smooth activation if the loss does not fall.",
                stacklevel=3,
            )

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

    def look(self) -> None:
        """Mean squared error at the observed frames over their variance; keeps the best state.

        Of the roll-out from the first frame on, or, for a blended path, of every interval from its true code.
        """
        everything = torch.arange(len(self.u))
        with torch.no_grad():
            if self.settings.path == "rollout":
                states, ends = rollout(self.field, self.u[0], self.taus, self.settings.solver).states, everything
            else:
                states, ends, _ = self.segments(everything)
            variance = self.u.var(0, unbiased=False).mean().clamp(min=1e-12)  # a clip may stand still
            error = ((states - self.u[ends]).square().mean() / variance).item()
        self.looks.append(error)
        if error < self.best or self.settings.training.keep == "last":
            self.best, self.best_state = error, copy.deepcopy(self.field.state_dict())

    def run(self, progress: bool, checkpoint: "Checkpoint | None" = None) -> None:
        """Segments first, whole roll-outs after, from wherever `checkpoint` was; ends with the state to keep."""
        t: TrainingSettings = self.settings.training
        if checkpoint is not None:
            checkpoint.resume(self)
        if not self.looks:
            self.look()  # a fit that goes wrong at once still has a state to return
        began = time.time() - self.seconds
        if t.newton_steps and not self.iteration:
            self.newton()
            self.seconds = time.time() - began
        bar = tqdm(
            total=t.total,
            initial=self.iteration,
            desc=f"fit {self.settings.label}",
            disable=not progress,
            mininterval=1,
        )
        with bar:
            while self.iteration < t.total and not (self.looks and self.looks[-1] <= t.tolerance):
                try:
                    self.advance()
                except SolverError as error:
                    if self.best_state is None:
                        raise
                    self.stopped = f"stopped at iteration {self.iteration}: {error}"
                    warnings.warn(f"{self.stopped} The best state so far is kept.", stacklevel=2)
                    break
                bar.update()
                self.seconds = time.time() - began
                if checkpoint is not None:
                    checkpoint.save(self)
        if self.best_state is None:
            raise UserError("The fit never reached a finite loss: lower training.lr or standardise the codes.")
        self.field.load_state_dict(self.best_state)

    def newton(self) -> None:
        """Gauss-Newton steps on all intervals at once, in double precision; a look tells what came of it."""
        t, u, taus = self.settings.training, self.u.double(), self.taus.double()
        if u[1:].numel() > MOST_RESIDUALS:
            raise UserError(
                f"Gauss-Newton steps want at most {MOST_RESIDUALS} numbers to meet, these are {u[1:].numel()}: "
                "use the space `subspace`, or show fewer frames."
            )
        field = copy.deepcopy(self.field).double().requires_grad_(False)
        shapes = {name: weight.shape for name, weight in field.named_parameters()}
        span, calls = taus.new_tensor([0.0, 1.0]), []

        def residuals(weights):
            held = weights.split([shape.numel() for shape in shapes.values()])
            named = {name: w.view(shape) for (name, shape), w in zip(shapes.items(), held, strict=True)}

            def moved(taus, u):
                return functional_call(field, named, (taus, u))

            solved = rollout(Stretched(moved, taus[:-1], taus.diff()), u[:-1], span, self.settings.segment_solver)
            calls.append(solved.nfe)
            return (solved.states[1] - u[1:]).flatten()

        start = torch.cat([weight.flatten() for weight in field.parameters()])
        variance = u.var(0, unbiased=False).sum() * len(u)
        weights, _ = least_norm(residuals, start, t.newton_steps, t.newton_error * float(variance))
        nn.utils.vector_to_parameters(weights.to(self.u), self.field.parameters())
        self.nfe += sum(calls)
        self.look()

    def advance(self) -> None:
        """One iteration, and a look where one is due."""
        t = self.settings.training
        self.set_lr(self.iteration / t.total)
        segment = self.iteration < t.segment_iterations
        self.step(self.segment_loss(self.subset()) if segment else self.full_loss(self.subset()))
        self.iteration += 1
        if self.iteration % t.check_every == 0 or self.iteration == t.total:
            self.look()


class Checkpoint:
    """The state of a `Training` in one file, rewritten now and then; the same fit resumes from it exactly."""

    def __init__(self, path: Path, job: str):
        self.path, self.job, self.written = Path(path), job, time.time()

    def save(self, training: Training) -> None:
        """Write where the last time is long enough ago."""
        if time.time() - self.written < CHECKPOINT_SECONDS:
            return
        tensors = {f"adam.{key}": value for key, value in checkpoints.of_optimiser(training.optimiser).items()}
        tensors |= {f"field.{k}": v for k, v in training.field.state_dict().items()}
        tensors |= {f"best.{k}": v.clone() for k, v in (training.best_state or {}).items()}
        tensors["draws"] = training.draws.get_state()
        numbers = {k: getattr(training, k) for k in ("best", "iteration", "nfe", "seconds", "looks")}
        metadata = {"format": CHECKPOINT_FORMAT, "job": self.job, "numbers": json.dumps(numbers)}
        with runtime.written_whole(self.path) as target:
            save_file(tensors, target, metadata)
        self.written = time.time()

    def resume(self, training: Training) -> None:
        """Put a training back to where the file was written; nothing happens where there is none."""
        if not self.path.is_file():
            return
        tensors, metadata = read_safetensors(self.path, CHECKPOINT_FORMAT, "a checkpoint of a fit")
        if metadata["job"] != self.job:
            raise UserError(
                f"{self.path} is the checkpoint of another fit (other clip, settings or seed): delete it, or choose "
                "another output."
            )
        training.field.load_state_dict(part(tensors, "field."))
        training.best_state = part(tensors, "best.") or None
        checkpoints.restore(training.optimiser, part(tensors, "adam."))
        training.draws.set_state(tensors["draws"])
        for key, value in json.loads(metadata["numbers"]).items():
            setattr(training, key, value)


def fit(
    clip: Clip,
    settings: DynamicsSettings | None = None,
    seed: int = 0,
    *,
    networks=None,
    device="cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
) -> NeuralODE | Shots:
    """Learn the dynamics of the observed frames of a clip; a clip with cuts gets one fit for each shot.

    networks: `dynode.methods.Networks`, wanted where settings.losses has terms in images.
    checkpoint: a file that a killed fit goes on from, one for each shot; `forget` removes them, once the fit is saved.
    Raises UserError when fewer than two frames are observed, and SolverError (with a remedy) when the solve fails
    before anything was learned.
    """
    settings, shots = settings or preset("dynode"), clip.split()
    paths = shot_checkpoints(checkpoint, len(shots)) if checkpoint else [None] * len(shots)
    fits = [
        fit_shot(shot, settings, seed, networks=networks, device=device, progress=progress, checkpoint=path)
        for shot, path in zip(shots, paths, strict=True)
    ]
    return fits[0] if len(fits) == 1 else Shots(fits)


def shot_checkpoints(checkpoint: Path, shots: int) -> list[Path]:
    """Where each shot of a clip keeps its checkpoint."""
    return [checkpoint.with_suffix(f".{k}{checkpoint.suffix}") for k in range(shots)]


def forget(checkpoint: Path, shots: int) -> None:
    """Remove the checkpoints of a fit that is saved, with what killed runs left of them."""
    for path in shot_checkpoints(checkpoint, shots):
        path.unlink(missing_ok=True)
        scratch.sweep(path.parent, path.name)


def fit_shot(clip: Clip, settings: DynamicsSettings, seed: int, *, networks, device, progress, checkpoint) -> NeuralODE:
    begun = Begun.of(clip, settings, seed, device)
    training, seen = begun.training, clip.observations()
    if settings.losses.in_images:
        if networks is None:
            raise UserError("Losses in images want the clip's generator: fit through `dynode.methods.fit`.")
        training.images, training.decode = networks.image_loss(clip, settings.losses), begun.space.to(device).decode
    codes = hashlib.sha256(seen.ws.contiguous().numpy().tobytes()).hexdigest()
    saver = Checkpoint(checkpoint, to_json(settings) + json.dumps(begun.meta) + codes) if checkpoint else None
    training.run(progress, saver)
    return begun.finished()


@dataclass
class Begun:
    """A fit of one shot before its first iteration, with what its trajectory needs besides the field."""

    training: Training
    space: object
    clock: Clock
    span: tuple[float, float]
    meta: dict

    @classmethod
    def of(cls, clip: Clip, settings: DynamicsSettings, seed: int, device="cpu") -> "Begun":
        """The seed decides the field's first weights and all draws."""
        seen, began = clip.observations(), time.time()
        if settings.meets == "trend" and (settings.path, settings.field.drift) != ("blended", "trend"):
            raise UserError("Only a blended path with a trend can meet its trend: path=blended field.drift=trend.")
        runtime.seed_everything(seed)
        space = fit_space(settings.space, seen.ws)
        clock = Clock.of(settings.clock, clip)
        net = MLPField(space.state_shape, settings.field, len(seen)).to(device)
        u, taus = space.encode(seen.ws).to(device), clock(seen.ts).float().to(device)
        if net.trend is not None:
            net.trend.fit(taus, u)
        training = Training(net, u, taus, settings, torch.Generator().manual_seed(seed))
        training.seconds = time.time() - began  # space and trend are part of the fit
        return cls(training, space, clock, (float(seen.ts[0]), float(seen.ts[-1])), described(clip, seed))

    def finished(self) -> NeuralODE:
        """The trajectory of what the training has learned."""
        training = self.training
        log = {
            "observed_error": training.best,
            "looks": training.looks,
            "iterations": training.iteration,
            "seconds": round(training.seconds, 2),
            "nfe": training.nfe,
            "parameters": sum(p.numel() for p in training.field.parameters()),
            "stopped": training.stopped,
        }
        net, space = training.field.cpu().requires_grad_(False), self.space.to("cpu")
        if net.trend is not None and net.trend.recurs:
            log["period"] = float(net.trend.period / self.clock.rate(self.span[:1])[0])  # seconds
        kept = slice(1) if training.settings.path == "rollout" else slice(None)
        u, taus = training.u[kept].cpu(), training.taus[kept].cpu()
        if training.settings.meets == "trend":
            u = net.trend.calmed(u)
        return NeuralODE(training.settings, net, space, self.clock, u, taus, self.span, log, self.meta)
