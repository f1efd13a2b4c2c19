"""Fit the neural ODE of a clip: draws, losses, optimiser, looks (paper Sec. 3, Eqs. 6-8)."""

import copy
import hashlib
import json
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as default
from pathlib import Path

import torch
from torch import nn
from torch.func import functional_call
from tqdm import tqdm

from dynode import runtime
from dynode.clips import Clip
from dynode.dynamics.fields import MLPField
from dynode.dynamics.fit_files import described
from dynode.dynamics.fitting.checkpoints import Checkpoint, shot_checkpoints
from dynode.dynamics.fitting.losses import ImageLoss
from dynode.dynamics.fitting.tube import Tube
from dynode.dynamics.neural_ode import Clock, NeuralODE, Stretched
from dynode.dynamics.presets import DynamicsSettings, TrainingSettings, preset
from dynode.dynamics.solvers.gauss_newton import least_norm
from dynode.dynamics.solvers.rollout import SolverError, rollout
from dynode.dynamics.state_spaces import StateSpace, fit_space
from dynode.dynamics.trajectory import Trajectory, joined
from dynode.errors import UserError
from dynode.generators.curvature import curvature_of
from dynode.settings import choose, to_json

MOST_RESIDUALS = 4000  # that Gauss-Newton steps are made for: their matrix has so many rows, a column a weight
STEEP_NFE = 1000  # evaluations of one roll-out at which a fit is likely to go wrong


@dataclass
class Trainer:
    """One fit under way: the field, the observed states u (n, R, K) at the field's times taus (n,), the optimiser.

    decode: states -> codes, wanted with `images`, the losses in image space.
    tube: what starts and targets are moved by together; none where the settings want none.
    """

    field: MLPField
    u: torch.Tensor
    taus: torch.Tensor
    settings: DynamicsSettings
    rng: torch.Generator
    decode: Callable[[torch.Tensor], torch.Tensor] | None = None
    images: ImageLoss | None = None
    tube: Tube | None = None
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
        drawn = torch.randperm(n, generator=self.rng).tolist()[: min(t.batch, n - 1)]  # always leaves some out
        if t.start == "first" or t.start == "mixed" and self.iteration % 2 == 0:
            drawn = [0, *filter(None, drawn)]
        if len(drawn) < 2:
            drawn = [0, int(torch.randint(1, n, (), generator=self.rng))]
        return torch.tensor(sorted(drawn))

    def full_loss(self, index: torch.Tensor) -> torch.Tensor:
        """Roll out from the first drawn frame through the others (paper Eq. 6)."""
        start = self.u[index[0]]
        aside = self.aside(start)
        solved = rollout(self.field, start + aside, self.taus[index], self.settings.solver)
        return self.loss(solved.states[1:] - aside, index[1:], solved.nfe)

    def segment_loss(self, index: torch.Tensor) -> torch.Tensor:
        """Each interval between neighbouring drawn frames from its true code, all in parallel."""
        states, ends, nfe = self.segments(index, self.aside)
        return self.loss(states, ends, nfe)

    def aside(self, states: torch.Tensor) -> torch.Tensor | float:
        """What the tube moves states (..., R, K) by, and the targets with them: taken off again where both are compared."""
        return self.tube.draw(states, self.rng) if self.tube else 0.0

    def segments(self, index: torch.Tensor, aside=lambda states: 0.0) -> tuple[torch.Tensor, torch.Tensor, int]:
        """States (m, R, K) at the end of each interval, the frames (m,) they are compared with, and evaluations.

        Each interval starts from its true code moved by aside(codes), which is taken off again at its end.
        """
        starts, ends = index[:-1], index[1:]
        if self.settings.training.both_ways:
            starts, ends = torch.cat([starts, ends]), torch.cat([ends, starts])
        stretched = Stretched(self.field, self.taus[starts], self.taus[ends] - self.taus[starts])
        moved, span = aside(self.u[starts]), self.taus.new_tensor([0.0, 1.0])
        solved = rollout(stretched, self.u[starts] + moved, span, self.settings.segment_solver)
        return solved.states[1] - moved, ends, solved.nfe

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

    def run(self, progress: bool, checkpoint: Checkpoint | None = None) -> None:
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


def fit(
    clip: Clip,
    settings: DynamicsSettings | None = None,
    seed: int = 0,
    *,
    networks=None,
    edits: torch.Tensor | None = None,
    device="cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
) -> Trajectory:
    """Learn the dynamics of the observed frames of a clip; a clip with cuts gets one fit for each shot.

    networks: `dynode.dynamics.methods.Networks`, wanted where settings.losses has terms in images.
    edits: what edits add to a code (M, L, D), for a tube of them (settings.training.tube above 0) instead of noise.
    checkpoint: a file that a killed fit goes on from, one for each shot; `resume.forget` removes them, once the fit is saved.
    Raises UserError when fewer than two frames are observed, and SolverError (with a remedy) when the solve fails
    before anything was learned.
    """
    settings, shots = settings or preset("dynode"), clip.split()
    paths = shot_checkpoints(checkpoint, len(shots)) if checkpoint else [None] * len(shots)
    known = {"networks": networks, "edits": edits, "device": device, "progress": progress}
    fits = [fit_shot(shot, settings, seed, checkpoint=path, **known) for shot, path in zip(shots, paths, strict=True)]
    return joined(fits)


def fit_shot(
    clip: Clip, settings: DynamicsSettings, seed: int, *, networks, edits, device, progress, checkpoint
) -> NeuralODE:
    prepared = PreparedFit.of(clip, settings, seed, device, edits)
    training, observed = prepared.training, clip.observations()
    if settings.losses.in_images:
        if networks is None:
            raise UserError("Losses in images want the clip's generator: fit through `dynode.dynamics.methods.fit`.")
        training.images, training.decode = networks.image_loss(clip, settings.losses), prepared.space.to(device).decode
    given = observed.ws if edits is None else torch.cat([observed.ws, edits.to(observed.ws)])
    codes = hashlib.sha256(given.contiguous().numpy().tobytes()).hexdigest()
    saver = Checkpoint(checkpoint, to_json(settings) + json.dumps(prepared.meta) + codes) if checkpoint else None
    training.run(progress, saver)
    return prepared.finished()


@dataclass
class PreparedFit:
    """A fit of one shot before its first iteration, with what its trajectory needs besides the field."""

    training: Trainer
    space: StateSpace
    clock: Clock
    span: tuple[float, float]
    meta: dict

    @classmethod
    def of(cls, clip: Clip, settings: DynamicsSettings, seed: int, device="cpu", edits=None) -> "PreparedFit":
        """The seed decides the field's first weights and all draws."""
        observed, began = clip.observations(), time.time()
        require_tube(settings, edits, observed.ws.shape[1:])
        if settings.meets == "trend" and (settings.path, settings.field.drift) != ("blended", "trend"):
            raise UserError("meets='trend' requires path='blended' and field.drift='trend'.")
        runtime.seed_everything(seed)
        space = fit_space(settings.space, observed.ws, lambda: curvature_of(clip, device))
        clock = Clock.of(settings.clock, clip)
        net = MLPField(space.state_shape, settings.field, len(observed)).to(device)
        u, taus = space.encode(observed.ws).to(device), clock(observed.ts).float().to(device)
        if net.trend is not None:
            net.trend.fit(taus, u)
        training = Trainer(net, u, taus, settings, torch.Generator().manual_seed(seed))
        if settings.training.tube:
            beside = (
                None
                if edits is None
                else (space.encode(observed.ws[:1] + edits) - space.encode(observed.ws[:1])).to(device)
            )
            training.tube = Tube.around(u, settings.training.tube, beside)
        training.seconds = time.time() - began  # space and trend are part of the fit
        return cls(training, space, clock, (float(observed.ts[0]), float(observed.ts[-1])), described(clip, seed))

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
            u = net.trend.denoised(u)
        return NeuralODE(training.settings, net, space, self.clock, u, taus, self.span, log, self.meta)


def require_tube(settings: DynamicsSettings, edits: torch.Tensor | None, shape) -> None:
    """Raises UserError for a tube that nothing is trained in, and for edits without a tube or of another shape."""
    t = settings.training
    if t.tube and (t.newton_steps or not t.total):
        raise UserError(
            "A tube wants iterations, and no Gauss-Newton steps, which know the observed codes alone: set "
            "training.segment_iterations above 0 and training.newton_steps=0."
        )
    if edits is not None and not t.tube:
        raise UserError("`edits` needs training.tube > 0 (1 = up to the full edit).")
    if edits is not None and edits.shape[1:] != shape:
        raise UserError(f"Edits of codes {tuple(shape)} were wanted, got {tuple(edits.shape)}: (M, L, D).")
