"""The training of a neural ODE's field: random frames, losses, optimiser, evaluations (paper Sec. 3, Eqs. 6-8)."""

import copy
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any, Protocol

import torch
from torch import nn
from torch.func import functional_call
from tqdm import tqdm

from dynode.dynamics.fields import MLPField
from dynode.dynamics.fitting.losses import ImageLoss
from dynode.dynamics.fitting.most_probable import most_probable
from dynode.dynamics.fitting.tube import Tube
from dynode.dynamics.neural_ode import Stretched
from dynode.dynamics.presets import DynamicsSettings, TrainingSettings
from dynode.dynamics.solvers.gauss_newton import least_norm
from dynode.dynamics.solvers.rollout import SolverError, rollout
from dynode.errors import UserError
from dynode.settings import choose

MAX_RESIDUALS = 4000  # of Gauss-Newton steps: their matrix has a row for each and a column for each weight
STEEP_NFE = 1000  # evaluations of one roll-out above which a fit tends to diverge


class Saver(Protocol):
    """What keeps the state of a training, such as `dynode.dynamics.fitting.checkpoints.Checkpoint`."""

    def save(self, trainer: "Trainer") -> None: ...

    def resume(self, trainer: "Trainer") -> None: ...


@dataclass
class Trainer:
    """One fit in progress: the field, the observed states u (n, R, K) at the field's times taus (n,), the optimiser.

    images: the losses in image space; decode, states -> codes, is needed with them.
    tube: random offsets of starts and targets; None where the settings have none.
    chosen: what Gauss-Newton steps to the most probable weights chose along.
    fit_errors: relative squared error at the observed frames at every evaluation; best: the one that is kept.
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
    best_state: dict[str, Any] | None = None
    iteration: int = 0
    nfe: int = 0
    seconds: float = 0.0
    fit_errors: list[float] = default(default_factory=list)
    chosen: dict[str, Any] = default(default_factory=dict)
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
        indices = torch.randperm(n, generator=self.rng).tolist()[: min(t.batch, n - 1)]  # always leaves some out
        if t.start == "first" or t.start == "mixed" and self.iteration % 2 == 0:
            indices = [0, *filter(None, indices)]
        if len(indices) < 2:
            indices = [0, int(torch.randint(1, n, (), generator=self.rng))]
        return torch.tensor(sorted(indices))

    def full_loss(self, index: torch.Tensor) -> torch.Tensor:
        """Roll out from the first frame of `index` through the others (paper Eq. 6)."""
        start = self.u[index[0]]
        offset = self.tube_offset(start)
        solved = rollout(self.field, start + offset, self.taus[index], self.settings.solver)
        return self.loss(solved.states[1:] - offset, index[1:], solved.nfe)

    def segment_loss(self, index: torch.Tensor) -> torch.Tensor:
        """Each interval between neighbouring frames of `index` from its true code, all in parallel."""
        states, ends, nfe = self.segments(index, self.tube_offset)
        return self.loss(states, ends, nfe)

    def tube_offset(self, states: torch.Tensor) -> torch.Tensor | float:
        """The tube's random offsets of states (..., R, K): added at the start of a solve, subtracted at its end."""
        return self.tube.draw(states, self.rng) if self.tube else 0.0

    def segments(
        self, index: torch.Tensor, offset: Callable[[torch.Tensor], torch.Tensor | float] = lambda states: 0.0
    ) -> tuple[torch.Tensor, torch.Tensor, int]:
        """States (m, R, K) at the end of each interval, the frames (m,) they are compared with, and evaluations.

        Each interval starts from its true code plus offset(codes), which is subtracted at its end.
        """
        starts, ends = index[:-1], index[1:]
        if self.settings.training.both_ways:
            starts, ends = torch.cat([starts, ends]), torch.cat([ends, starts])
        stretched = Stretched(self.field, self.taus[starts], self.taus[ends] - self.taus[starts])
        added, span = offset(self.u[starts]), self.taus.new_tensor([0.0, 1.0])
        solved = rollout(stretched, self.u[starts] + added, span, self.settings.segment_solver)
        return solved.states[1] - added, ends, solved.nfe

    def loss(self, states: torch.Tensor, index: torch.Tensor, nfe: int) -> torch.Tensor:
        """The weighted losses of predicted states (m, R, K) of the frames `index`."""
        self.count(nfe)
        t, weights = self.settings.training, self.settings.losses
        entries = states[0].numel()
        total = weights.latent * (states - self.u[index]).square().sum() / entries
        if self.images is not None and self.decode is not None:
            total = total + self.images(self.decode(states), index)
        return total * entries if t.reduction == "sum" else total / (len(states) + t.count_start)

    def count(self, nfe: int) -> None:
        """Add up evaluations of the field; warns once of a roll-out that took many."""
        self.nfe += nfe
        if nfe > STEEP_NFE and not self.steep:
            self.steep = True
            warnings.warn(
                f"A roll-out took {nfe} evaluations of the field at iteration {self.iteration}: it is becoming steep. "
                "Lower training.lr, standardise the codes or use a smooth activation if the loss does not fall.",
                stacklevel=3,
            )

    def step(self, loss: torch.Tensor) -> None:
        """One step of the optimiser."""
        self.optimiser.zero_grad()
        loss.backward()
        if self.settings.training.grad_clip:
            nn.utils.clip_grad_norm_(self.field.parameters(), self.settings.training.grad_clip)
        self.optimiser.step()

    def set_lr(self, progress: float) -> None:
        """The learning rate of the schedule; progress: 0 to 1."""
        t = self.settings.training
        factors = {"constant": 1.0, "cosine": 0.5 + 0.5 * math.cos(math.pi * progress)}
        self.optimiser.param_groups[0]["lr"] = t.lr * choose("schedule", t.schedule, factors)

    def evaluate_fit(self) -> None:
        """Append the mean squared error at the observed frames over their variance; keeps the best state.

        Of the roll-out from the first frame, or, for a blended path, of every interval from its true code.
        """
        everything = torch.arange(len(self.u))
        with torch.no_grad():
            if self.settings.path == "rollout":
                states, ends = rollout(self.field, self.u[0], self.taus, self.settings.solver).states, everything
            else:
                states, ends, _ = self.segments(everything)
            variance = self.u.var(0, unbiased=False).mean().clamp(min=1e-12)  # a clip may stand still
            error = ((states - self.u[ends]).square().mean() / variance).item()
        self.fit_errors.append(error)
        if error < self.best or self.settings.training.keep == "last":
            self.best, self.best_state = error, copy.deepcopy(self.field.state_dict())

    def run(self, progress: bool, saver: Saver | None = None) -> None:
        """Segments first, whole roll-outs after, from where `saver` has its state; ends with the state to keep.

        Raises SolverError when the first solve fails, and UserError when no loss was finite.
        """
        t: TrainingSettings = self.settings.training
        if saver is not None:
            saver.resume(self)
        if not self.fit_errors:
            self.evaluate_fit()  # a fit that fails at once still has a state to return
        began = time.time() - self.seconds
        if (t.newton_steps or t.probable_steps) and not self.iteration:
            self.gauss_newton() if t.newton_steps else self.find_most_probable()
            self.seconds = time.time() - began
        label = f"fit {self.settings.label}"
        with tqdm(total=t.total, initial=self.iteration, desc=label, disable=not progress, mininterval=1) as bar:
            while self.iteration < t.total and not self.fit_errors[-1] <= t.tolerance:  # NaN is no reason to stop
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
                if saver is not None:
                    saver.save(self)
        if self.best_state is None:
            raise UserError("The fit never reached a finite loss: lower training.lr or standardise the codes.")
        self.field.load_state_dict(self.best_state)

    def gauss_newton(self) -> None:
        """Gauss-Newton steps on all intervals at once, in double precision, and an evaluation.

        Raises UserError for more than MAX_RESIDUALS residuals.
        """
        t, u, taus = self.settings.training, self.u.double(), self.taus.double()
        if u[1:].numel() > MAX_RESIDUALS:
            raise UserError(
                f"Gauss-Newton steps want at most {MAX_RESIDUALS} residuals, got {u[1:].numel()}: "
                "use the space `subspace`, or observe fewer frames."
            )
        field = copy.deepcopy(self.field).double().requires_grad_(False)
        shapes = {name: weight.shape for name, weight in field.named_parameters()}
        span, evaluations = taus.new_tensor([0.0, 1.0]), []

        def residuals(weights: torch.Tensor) -> torch.Tensor:
            parts = weights.split([shape.numel() for shape in shapes.values()])
            named = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}

            def field_of_weights(taus: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
                return functional_call(field, named, (taus, u))

            stretched = Stretched(field_of_weights, taus[:-1], taus.diff())
            solved = rollout(stretched, u[:-1], span, self.settings.segment_solver)
            evaluations.append(solved.nfe)
            return (solved.states[1] - u[1:]).flatten()

        start = torch.cat([weight.flatten() for weight in field.parameters()])
        variance = u.var(0, unbiased=False).sum() * len(u)
        weights, _ = least_norm(residuals, start, t.newton_steps, t.newton_error * float(variance))
        nn.utils.vector_to_parameters(weights.to(self.u), self.field.parameters())
        self.nfe += sum(evaluations)
        self.evaluate_fit()

    def find_most_probable(self) -> None:
        """The most probable weights, in double precision, and an evaluation."""
        field = copy.deepcopy(self.field).double().requires_grad_(False)
        t = self.settings.training
        u, taus = self.u.double(), self.taus.double()
        weights, self.chosen = most_probable(field, u, taus, t.probable_steps, t.noise_at_most)
        self.field.load_state_dict(field.state_dict())  # the waves' amplitudes are chosen along
        nn.utils.vector_to_parameters(weights.to(self.u), self.field.parameters())
        self.nfe += self.chosen.pop("nfe")
        self.fit_errors = self.chosen.pop("looks")
        self.evaluate_fit()

    def advance(self) -> None:
        """One iteration, and an evaluation every `check_every` iterations and at the end."""
        t = self.settings.training
        self.set_lr(self.iteration / t.total)
        segment = self.iteration < t.segment_iterations
        self.step(self.segment_loss(self.subset()) if segment else self.full_loss(self.subset()))
        self.iteration += 1
        if self.iteration % t.check_every == 0 or self.iteration == t.total:
            self.evaluate_fit()
