"""Sequence models as baselines: they learn a path from observed states under the same conditions as the neural ODE.

gru         a gated recurrent network whose inputs include the gaps (Che et al. 2018), one pass from each side
ode_rnn     the same, with an ODE for the hidden state between observations (Rubanova et al. 2019)
latent_ode  an encoder that reads the observations backwards, and an ODE from its hidden state (Rubanova et al. 2019)
cde         a neural ODE that is controlled by the interpolated observations (Kidger et al. 2020), by torchcde
sde         a latent stochastic differential equation, by variational inference (Li et al. 2020), by torchsde

All use the affine subspace that the observed codes span and times in [0, 1], and are trained alike: in each iteration
some observations are held out and predicted from the others.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from tqdm import trange

from dynode import runtime
from dynode.clips import Clip
from dynode.dynamics.baselines.latent_ode import LatentODE
from dynode.dynamics.baselines.neural_cde import CDE
from dynode.dynamics.baselines.neural_sde import SDE
from dynode.dynamics.baselines.recurrent import GRU, ODERNN, SequenceModel, neighbours
from dynode.dynamics.neural_ode import Clock
from dynode.dynamics.registry import METHODS, How, Method
from dynode.dynamics.state_spaces import Subspace
from dynode.dynamics.trajectory import Times, Trajectory, described, double, joined
from dynode.errors import UserError
from dynode.io.training_state import part
from dynode.settings import choose, from_json, require_positive, to_json

T = TypeVar("T", bound=SequenceModel)

MODELS: dict[str, type[SequenceModel]] = {}  # by `sequence_model`


@dataclass(frozen=True)
class SequenceSettings:
    """Everything a fit of a sequence model depends on, apart from the clip and the seed."""

    preset: str = "gru"
    hidden: int = 32  # width of hidden states and layers
    iterations: int = 300
    lr: float = 0.01
    shown: float = 0.7  # probability that an inner observation is an input of an iteration; it predicts all
    noise: float = 0.05  # standard deviation of an observation, in units of the states', of models with a likelihood
    straight: bool = True  # learn the residual of linear interpolation of the inputs; else the states themselves

    def __post_init__(self):
        choose("sequence model", self.preset, MODELS)
        require_positive(self, "hidden", "iterations", "lr", "noise")

    @property
    def label(self) -> str:
        """The method's name in records, which marks changed settings."""
        return self.preset if self == SequenceSettings(self.preset) else f"{self.preset}[changed]"


@dataclass(repr=False)
class SequencePath(Trajectory):
    """A fitted sequence model as a trajectory: codes at any times from all observations.

    u (n, K): the observed states, at times taus (n,) in [0, 1].
    """

    kind: ClassVar[str] = "relative"

    settings: SequenceSettings
    model: SequenceModel
    space: Subspace
    clock: Clock
    u: torch.Tensor
    taus: torch.Tensor
    span: tuple[float, float]
    log: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.settings.label

    @torch.no_grad()
    def __call__(self, ts: Times) -> torch.Tensor:
        ts = double(ts)
        if not len(ts):
            return self.space.decode(self.u[:0, None]).float()
        times, inverse = torch.unique(self.clock(ts).float(), return_inverse=True)
        with self.fixed_seed():
            states = predict(self.model, self.settings, self.taus, self.u, times)
        return self.space.decode(states[inverse][:, None]).float()

    @torch.no_grad()
    def samples(self, ts: Times, count: int) -> torch.Tensor:
        """Random paths (count, T, L, D) of a model that is a distribution over paths.  Raises UserError for other models."""
        if not isinstance(self.model, SDE):
            raise UserError(f"{self.settings.label} gives one path, no samples: fit `sde`.")
        times, inverse = torch.unique(self.clock(ts).float(), return_inverse=True)
        with self.fixed_seed():
            states = self.model.sample_paths(self.taus, self.u, times, count)
        if self.settings.straight:
            states = states + linear_interpolation(self.taus, self.u, times)
        return torch.stack([self.space.decode(each[inverse][:, None]).float() for each in states])

    @contextlib.contextmanager
    def fixed_seed(self) -> Iterator[None]:
        """Within, random numbers are those of the fit's seed, so that a path has the same codes at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.meta["seed"])
            yield

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"space.{k}": v for k, v in self.space.tensors().items()} | {"seen": self.u, "taus": self.taus}
        clock = [self.clock.seconds, self.clock.times]
        rest = {"kind": self.kind, "settings": to_json(self.settings), "clock": clock, "span": self.span}
        return tensors, json.dumps(rest | {"log": self.log, "meta": self.meta})

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> "SequencePath":
        settings, space = from_json(SequenceSettings, rest["settings"]), Subspace(**part(tensors, "space."))
        model = MODELS[settings.preset](tensors["seen"].shape[1], settings)
        model.load_state_dict(part(tensors, "model."))
        clock, (first, last) = Clock(*map(tuple, rest["clock"])), rest["span"]
        u, taus = tensors["seen"], tensors["taus"]
        return cls(settings, model, space, clock, u, taus, (first, last), rest["log"], rest["meta"])


def linear_interpolation(taus: torch.Tensor, u: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """States (T, K) at query times (T,) by linear interpolation of u (n, K) at times taus (n,), extrapolated linearly."""
    k = neighbours(taus, times)
    return torch.lerp(u[k], u[k + 1], ((times - taus[k]) / (taus[k + 1] - taus[k]))[:, None])


class PredictionSettings(Protocol):
    """Settings that choose what a model learns: the states, or the residual of linear interpolation."""

    @property
    def straight(self) -> bool: ...


def predict(
    model: SequenceModel, settings: PredictionSettings, taus: torch.Tensor, u: torch.Tensor, times: torch.Tensor
) -> torch.Tensor:
    """States (T, K) at increasing query times (T,), from the observations u (n, K) at times taus (n,)."""
    states = model(taus, u, times)
    return states + linear_interpolation(taus, u, times) if settings.straight else states


def random_inputs(observations: int, probability: float, rng: torch.Generator) -> torch.Tensor:
    """The observations (n,) bool that are inputs of an iteration: both ends always, every other one with this probability."""
    inputs = torch.rand(observations, generator=rng) < probability
    inputs[0] = inputs[-1] = True
    return inputs


def fit(clip: Clip, settings: SequenceSettings, seed: int, how: How) -> Trajectory:
    """Fit a sequence model to the observed frames of a clip, one for each shot."""
    return joined([fit_shot(shot, settings, seed, how.progress) for shot in clip.split()])


def fit_shot(clip: Clip, settings: SequenceSettings, seed: int, progress: bool) -> SequencePath:
    """Fit a sequence model to the observed frames of a clip of one shot."""
    observed, started = clip.observations(), time.time()
    runtime.seed_everything(runtime.legal_seed(seed))
    space, clock, rng = Subspace.fit(observed.ws), Clock.of("unit", clip), torch.Generator().manual_seed(seed)
    u, taus = space.encode(observed.ws)[:, 0], clock(observed.ts).float()
    model = MODELS[settings.preset](u.shape[1], settings)
    train(model, settings, taus, u, rng, progress)
    error = (predict(model, settings, taus, u, taus) - u).square().mean() / u.square().mean().clamp(min=1e-12)
    log = {
        "observed_error": float(error),
        "iterations": settings.iterations,
        "seconds": round(time.time() - started, 2),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    span = (float(observed.ts[0]), float(observed.ts[-1]))
    return SequencePath(settings, model, space, clock, u, taus, span, log, described(clip, seed))


def train(
    model: SequenceModel,
    settings: SequenceSettings,
    taus: torch.Tensor,
    u: torch.Tensor,
    rng: torch.Generator,
    progress: bool,
) -> None:
    """Train a model in place on observations u (n, K) at times taus (n,); it is frozen afterwards."""
    optimiser = torch.optim.Adam(model.parameters(), settings.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.iterations)
    for iteration in trange(settings.iterations, desc=settings.label, unit="it", disable=not progress, mininterval=1):
        inputs = random_inputs(len(u), settings.shown, rng)
        optimiser.zero_grad()
        errors = predict(model, settings, taus[inputs], u[inputs], taus) - u
        model.loss(errors, iteration / settings.iterations).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.eval().requires_grad_(False)


def sequence_model(name: str) -> Callable[[type[T]], type[T]]:
    """Register a `SequenceModel` as a method with SequenceSettings."""

    def register(model: type[T]) -> type[T]:
        MODELS[name] = model
        METHODS.add(name, Method(name, SequenceSettings(name), fit, SequencePath, module=model.__module__))
        return model

    return register


for _name, _model in {"gru": GRU, "ode_rnn": ODERNN, "latent_ode": LatentODE, "cde": CDE, "sde": SDE}.items():
    sequence_model(_name)(_model)
