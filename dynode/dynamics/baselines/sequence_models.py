"""The neural ODE's relatives: other ways to learn a path from observed states, on the same terms.

gru         a gated recurrent network that is told the gaps (Che et al. 2018), one pass from each side
ode_rnn     the same, its hidden state moved by an ODE between observations (Rubanova et al. 2019)
latent_ode  the observations, read backwards, give one hidden state; an ODE carries it through (Rubanova et al. 2019)
cde         a neural ODE that the interpolated observations control (Kidger et al. 2020), by torchcde
sde         a latent path with noise, by variational inference (Li et al. 2020), by torchsde

All live in the affine subspace that the observed codes span, at times in [0, 1], and learn in the same way: in each
iteration some observations are hidden and predicted from the others.
"""

import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from tqdm import trange

from dynode import runtime
from dynode.clips import Clip
from dynode.dynamics.baselines.latent_ode import LatentODE
from dynode.dynamics.baselines.neural_cde import CDE
from dynode.dynamics.baselines.neural_sde import SDE
from dynode.dynamics.baselines.recurrent import GRU, ODERNN
from dynode.dynamics.fit_files import described
from dynode.dynamics.neural_ode import Clock
from dynode.dynamics.registry import METHODS, How, Method
from dynode.dynamics.state_spaces import Subspace
from dynode.dynamics.trajectory import Trajectory, joined
from dynode.errors import UserError
from dynode.io.training_state import part
from dynode.settings import choose, from_json, require_positive, to_json

MODELS = {"gru": GRU, "ode_rnn": ODERNN, "latent_ode": LatentODE, "cde": CDE, "sde": SDE}


@dataclass(frozen=True)
class SequenceSettings:
    """Everything a fit of a relative depends on, apart from the clip and the seed."""

    preset: str = "gru"
    hidden: int = 32  # width of hidden states and layers
    iterations: int = 300
    lr: float = 0.01
    shown: float = 0.7  # share of the inner observations that an iteration shows; it predicts all
    noise: float = 0.05  # standard deviation of an observation, in units of the states', where a likelihood is learned
    straight: bool = True  # learn what straight lines between the shown observations leave; else the states themselves

    def __post_init__(self):
        choose("relative", self.preset, MODELS)
        require_positive(self, "hidden", "iterations", "lr", "noise")

    @property
    def label(self) -> str:
        """The method's name in records; says so when its settings are changed."""
        return self.preset if self == SEQUENCE_MODELS[self.preset] else f"{self.preset}[changed]"


SEQUENCE_MODELS = {name: SequenceSettings(name) for name in MODELS}


@dataclass
class SequencePath(Trajectory):
    """A fitted relative as a trajectory: codes at any times from all observations.

    u (n, K): the observed states, at times taus (n,) in [0, 1].  `samples` draws where the model is a distribution.
    """

    kind: ClassVar[str] = "relative"  # of its file

    settings: SequenceSettings
    model: torch.nn.Module
    space: Subspace
    clock: Clock
    u: torch.Tensor
    taus: torch.Tensor
    span: tuple[float, float]
    log: dict = field(default_factory=dict)
    meta: dict = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.settings.label

    @torch.no_grad()
    def __call__(self, ts) -> torch.Tensor:
        if not len(ts):
            return self.space.decode(self.u[:0, None]).float()
        asked, back = torch.unique(self.clock(ts).float(), return_inverse=True)
        with self.same_draws():
            states = completed(self.model, self.settings, self.taus, self.u, asked)
        return self.space.decode(states[back][:, None]).float()

    @torch.no_grad()
    def samples(self, ts, count: int) -> torch.Tensor:
        """So many paths (count, T, L, D) of a model that is a distribution over paths.  Raises UserError for others."""
        if not hasattr(self.model, "paths"):
            raise UserError(f"{self.settings.label} gives one path: ask `sde` for samples.")
        asked, back = torch.unique(self.clock(ts).float(), return_inverse=True)
        with self.same_draws():
            states = self.model.paths(self.taus, self.u, asked, count)
        if self.settings.straight:
            states = states + straight(self.taus, self.u, asked)
        return torch.stack([self.space.decode(each[back][:, None]).float() for each in states])

    @contextlib.contextmanager
    def same_draws(self):
        """Asked again, a path gives the same answer."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.meta["seed"])
            yield

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        """Tensors, and everything else as JSON."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"space.{k}": v for k, v in self.space.tensors().items()} | {"seen": self.u, "taus": self.taus}
        clock = [self.clock.seconds, self.clock.times]
        rest = {"kind": "relative", "settings": to_json(self.settings), "clock": clock, "span": self.span}
        return tensors, json.dumps(rest | {"log": self.log, "meta": self.meta})

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> "SequencePath":
        settings, space = from_json(SequenceSettings, rest["settings"]), Subspace(**part(tensors, "space."))
        model = MODELS[settings.preset](tensors["seen"].shape[1], settings)
        model.load_state_dict(part(tensors, "model."))
        clock, states = Clock(*map(tuple, rest["clock"])), (tensors["seen"], tensors["taus"])
        return cls(settings, model, space, clock, *states, tuple(rest["span"]), rest["log"], rest["meta"])


def straight(taus: torch.Tensor, u: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
    """States (T, K) on straight lines through u (n, K) at times taus (n,); beyond the ends the lines go on."""
    k = (torch.searchsorted(taus, asked.contiguous(), right=True) - 1).clamp(0, len(taus) - 2)
    return torch.lerp(u[k], u[k + 1], ((asked - taus[k]) / (taus[k + 1] - taus[k]))[:, None])


def completed(model, settings: SequenceSettings, taus, u, asked) -> torch.Tensor:
    """States (T, K) at increasing times asked (T,), from the observations u (n, K) at times taus (n,)."""
    states = model(taus, u, asked)
    return states + straight(taus, u, asked) if settings.straight else states


def drawn(observations: int, share: float, draws: torch.Generator) -> torch.Tensor:
    """Which observations an iteration shows, (n,) bool: both ends always, each other one with that chance."""
    shown = torch.rand(observations, generator=draws) < share
    shown[0] = shown[-1] = True
    return shown


def fit(clip: Clip, settings: SequenceSettings, seed: int, how: How) -> Trajectory:
    """Fit a sequence model to the observed frames of a clip; one for each shot."""
    return joined([fit_shot(shot, settings, seed, how.progress) for shot in clip.split()])


def fit_shot(clip: Clip, settings: SequenceSettings, seed: int, progress: bool) -> SequencePath:
    observed, started = clip.observations(), time.time()
    runtime.seed_everything(runtime.legal_seed(seed))
    space, clock, draws = Subspace.fit(observed.ws), Clock.of("unit", clip), torch.Generator().manual_seed(seed)
    u, taus = space.encode(observed.ws)[:, 0], clock(observed.ts).float()
    model = MODELS[settings.preset](u.shape[1], settings)
    optimiser = torch.optim.Adam(model.parameters(), settings.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.iterations)
    for iteration in trange(settings.iterations, desc=settings.label, unit="it", disable=not progress, mininterval=1):
        shown = drawn(len(u), settings.shown, draws)
        optimiser.zero_grad()
        errors = completed(model, settings, taus[shown], u[shown], taus) - u
        model.loss(errors, iteration / settings.iterations).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.eval().requires_grad_(False)
    log = {
        "observed_error": float(
            (completed(model, settings, taus, u, taus) - u).square().mean() / u.square().mean().clamp(min=1e-12)
        ),
        "iterations": settings.iterations,
        "seconds": round(time.time() - started, 2),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    span = (float(observed.ts[0]), float(observed.ts[-1]))
    return SequencePath(settings, model, space, clock, u, taus, span, log, described(clip, seed))


for _name, _settings in SEQUENCE_MODELS.items():
    METHODS.add(_name, Method(_name, _settings, fit, SequencePath))
