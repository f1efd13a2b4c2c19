"""Online trajectory: a causal neural CDE that assimilates new observations without being fitted again.

The code at a time t depends on the observations at or before t only:

    z(t) = z_k + (t - t_k) (s m_k + v(t)),    t_k <= t < t_{k+1}

where m_k is the slope from the observation before z_k to it, s the fraction of it that is kept, and v the CDE's output
from all observations until t.  The correction v lives in the first principal components of the codes it was fitted to,
where it was trained to forecast held-out observations; in other directions a new code is taken as it is.
"""

import copy
import math
import time
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from tqdm import trange

from dynode import runtime
from dynode.clips import Clip
from dynode.dynamics.baselines.neural_cde import OnlineCDE
from dynode.dynamics.neural_ode import Clock
from dynode.dynamics.state_spaces import Subspace
from dynode.dynamics.trajectory import Trajectory, described, double
from dynode.errors import UserError
from dynode.settings import require_positive

RATE = 5.0  # velocity for a network output of 1: units of the states per span of the fit
MINIMUM = 6  # observations to fit to


@dataclass(frozen=True)
class OnlineSettings:
    """Chosen on bird.landing, scene.winter and isaac3d.robot_y: few components and early stopping, as observations are few."""

    components: int = 4  # number of principal components that are corrected
    hidden: int = 16
    iterations: int = 150
    lr: float = 0.01
    decay: float = 0.1  # of weights
    shown: float = 0.6  # probability that an observation is an input of an iteration; all are forecast
    slope: float = 0.5  # fraction of the last slope that is kept
    judges: float = 0.25  # fraction of the observations, the last ones, that are held out to select the iteration
    check_every: int = 10

    def __post_init__(self):
        require_positive(self, "components", "hidden", "iterations", "lr", "check_every")


@dataclass(frozen=True, repr=False)
class OnlinePath(Trajectory):
    """A causal trajectory; `observe` returns the one with more observations.

    ws (n, L, D): the observed codes, at times ts (n,) in seconds.
    """

    settings: OnlineSettings
    model: OnlineCDE
    space: Subspace
    clock: Clock
    ts: torch.Tensor
    ws: torch.Tensor
    log: dict = field(default_factory=dict)
    meta: dict = field(default_factory=dict)

    @property
    def span(self) -> tuple[float, float]:
        return float(self.ts[0]), float(self.ts[-1])

    def observe(self, ts, ws) -> "OnlinePath":
        """The path after codes ws (m, L, D) at times ts (m,) were observed: it is the same before them.

        Raises UserError unless they are later than all earlier observations.
        """
        ts = torch.cat([self.ts, double(ts)])
        if not (ts.diff() > 0).all():
            raise UserError(f"Observations must come in order: this path is already observed up to {self.span[1]:g} s.")
        return replace(self, ts=ts, ws=torch.cat([self.ws, torch.as_tensor(ws).float()]))

    @torch.no_grad()
    def __call__(self, ts) -> torch.Tensor:
        """Codes (T, L, D) at times ts (T,) in seconds, in any order, each from the observations until then."""
        times = double(ts).clamp(min=self.span[0])
        last = torch.searchsorted(self.ts, times, right=True) - 1
        u, taus = self.space.encode(self.ws)[:, 0], self.clock(self.ts).float()
        shift = displacements(self.model, self.settings, taus, u, last, self.clock(times).float())
        return self.ws[last] + self.space.decode_velocity(shift[:, None])


def displacements(
    model: OnlineCDE,
    settings: OnlineSettings,
    taus: torch.Tensor,
    u: torch.Tensor,
    last: torch.Tensor,
    times: torch.Tensor,
) -> torch.Tensor:
    """Displacement (T, K) of the state at `times` (T,) since observation number `last` (T,) of u (n, K) at taus (n,)."""
    r, gaps = min(settings.components, u.shape[1]), times - taus[last]
    slopes = torch.cat([torch.zeros(1, r), u[:, :r].diff(dim=0) / taus.diff()[:, None]])[last]
    correction = model.read(model.later(model(taus, u[:, :r])[last], gaps))
    shift = torch.zeros(len(times), u.shape[1])
    shift[:, :r] = gaps[:, None] * (settings.slope * slopes + RATE * correction)
    return shift


def forecast_errors(
    model: OnlineCDE, settings: OnlineSettings, taus: torch.Tensor, u: torch.Tensor, observed: torch.Tensor
) -> torch.Tensor:
    """Forecast errors (n - 1, r) at rows 1 to n - 1 of u (n, K), each from the rows before it that are observed (n,)."""
    rows = observed.nonzero().flatten()
    last = torch.searchsorted(taus[rows], taus[1:]) - 1
    shift = displacements(model, settings, taus[rows], u[rows], last, taus[1:])
    return (u[rows][last] + shift - u[1:])[:, : settings.components]


def validation_error(
    model: OnlineCDE, settings: OnlineSettings, taus: torch.Tensor, u: torch.Tensor, held_out: int
) -> float:
    """Mean squared forecast error at the last `held_out` rows, from all rows before each, and from a part of them."""
    everything, sparse = torch.ones(2, len(u), dtype=torch.bool)
    sparse[len(u) - held_out - 1 :: 2] = False
    errors = (forecast_errors(model, settings, taus, u, observed)[-held_out:] for observed in (everything, sparse))
    return sum(float(each.square().mean()) for each in errors)


def fit(clip: Clip, settings: OnlineSettings | None = None, seed: int = 0, *, progress: bool = False) -> OnlinePath:
    """Fit a causal CDE to the observed frames of the first part of a clip; later ones are added with `observe`.

    The iteration with the best forecasts of the last observations, which training leaves out, is kept: the start, where
    the CDE adds nothing, if none is better (log["kept"]).  A clip with cuts counts as one.
    Raises UserError for fewer than 6 observations.
    """
    settings, started, observed = settings or OnlineSettings(), time.time(), clip.observations()
    if len(observed) < MINIMUM:
        raise UserError(f"A causal CDE wants at least {MINIMUM} observations to learn from, got {len(observed)}.")
    runtime.seed_everything(runtime.legal_seed(seed))
    space, clock, rng = Subspace.fit(observed.ws), Clock.of("unit", clip), torch.Generator().manual_seed(seed)
    u, taus = space.encode(observed.ws)[:, 0], clock(observed.ts).float()
    model = OnlineCDE(min(settings.components, u.shape[1]), settings.hidden)
    kept = train(model, settings, taus, u, rng, progress)
    log = {"kept": kept, "seconds": round(time.time() - started, 2)}
    log["parameters"] = sum(p.numel() for p in model.parameters())
    return OnlinePath(settings, model, space, clock, observed.ts, observed.ws, log, described(clip, seed))


def train(
    model: OnlineCDE,
    settings: OnlineSettings,
    taus: torch.Tensor,
    u: torch.Tensor,
    rng: torch.Generator,
    progress: bool,
) -> int:
    """Train a model in place; returns the number of the iteration that is kept."""
    held_out = max(2, round(settings.judges * len(u)))
    learned = len(u) - held_out
    optimiser = torch.optim.AdamW(model.parameters(), settings.lr, weight_decay=settings.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.iterations)
    best, kept = (math.inf, 0), model.state_dict()
    for iteration in trange(settings.iterations + 1, desc="cde", unit="it", disable=not progress, mininterval=1):
        if iteration % settings.check_every == 0:
            with torch.no_grad():
                error = validation_error(model, settings, taus, u, held_out)
            if error < best[0]:
                best, kept = (error, iteration), copy.deepcopy(model.state_dict())
        observed = torch.rand(learned, generator=rng) < settings.shown
        observed[0] = True
        optimiser.zero_grad()
        forecast_errors(model, settings, taus[:learned], u[:learned], observed).square().mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.load_state_dict(kept)
    model.eval().requires_grad_(False)
    return best[1]
