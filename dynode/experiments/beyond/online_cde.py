"""A path that goes on while observations arrive: a causal neural CDE, which takes each one in without being fitted again.

The code at a time t depends on the observations at or before t alone:

    z(t) = z_k + (t - t_k) (s m_k + v(t)),    t_k <= t < t_{k+1}

where m_k is the slope from the observation before z_k to it, s a share of it that is kept, and v what the CDE reads from
all that came until t.  The correction v lives in the first principal components of the codes it was fitted to, where it
learned to foretell observations that were withheld; in other directions a new code is taken as it comes.
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
from dynode.dynamics.fit_files import described
from dynode.dynamics.neural_ode import Clock
from dynode.dynamics.state_spaces import Subspace
from dynode.dynamics.trajectory import numeric_derivative
from dynode.errors import UserError
from dynode.settings import require_positive

RATE = 5.0  # what the network's 1 means: so many units of the states in the span it was fitted to


@dataclass(frozen=True)
class OnlineSettings:
    """Chosen on bird.landing, scene.winter and isaac3d.robot_y: few components and early ends, for want of observations."""

    components: int = 4  # the first so many principal components are corrected
    hidden: int = 16
    iterations: int = 150
    lr: float = 0.01
    decay: float = 0.1  # of weights
    shown: float = 0.6  # chance of an observation to be shown in an iteration; the CDE foretells all
    slope: float = 0.5  # share of the last slope that goes on by itself
    judges: float = 0.25  # share of the observations, the last ones, that only choose the iteration that is kept
    check_every: int = 10

    def __post_init__(self):
        require_positive(self, "components", "hidden", "iterations", "lr", "check_every")


@dataclass(frozen=True)
class OnlinePath:
    """A trajectory that looks at nothing ahead; `observe` gives the one that knows more.

    ws (n, L, D): the codes that came, at times ts (n,) in seconds.
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
        """The path once codes ws (m, L, D) came at times ts (m,): it is the same before them.

        Raises UserError unless they are later than all that came before.
        """
        ts = torch.cat([self.ts, torch.as_tensor(ts, dtype=torch.float64)])
        if not (ts.diff() > 0).all():
            raise UserError(
                f"Observations must come in order, after {self.span[1]:g} s: this path knows what was before."
            )
        return replace(self, ts=ts, ws=torch.cat([self.ws, torch.as_tensor(ws).float()]))

    @torch.no_grad()
    def __call__(self, ts) -> torch.Tensor:
        """Codes (T, L, D) at times ts (T,) in seconds, in any order, each from what came until then."""
        asked = torch.as_tensor(ts, dtype=torch.float64).clamp(min=self.span[0])
        last = torch.searchsorted(self.ts, asked, right=True) - 1
        u, taus = self.space.encode(self.ws)[:, 0], self.clock(self.ts).float()
        moved = ahead(self.model, self.settings, taus, u, last, self.clock(asked).float())
        return self.ws[last] + self.space.decode_velocity(moved[:, None])

    def derivative(self, ts) -> torch.Tensor:
        return numeric_derivative(self, self.span, ts)


def ahead(model: OnlineCDE, settings: OnlineSettings, taus, u, last, asked) -> torch.Tensor:
    """How far states (T, K) at times asked (T,) have moved since observation number last (T,) of u (n, K) at taus (n,)."""
    r, gaps = min(settings.components, u.shape[1]), asked - taus[last]
    slopes = torch.cat([torch.zeros(1, r), u[:, :r].diff(dim=0) / taus.diff()[:, None]])[last]
    read = model.read(model.later(model(taus, u[:, :r])[last], gaps))
    moved = torch.zeros(len(asked), u.shape[1])
    moved[:, :r] = gaps[:, None] * (settings.slope * slopes + RATE * read)
    return moved


def errors(model: OnlineCDE, settings: OnlineSettings, taus, u, shown) -> torch.Tensor:
    """What is wrong (n - 1, r) at rows 1 to n - 1 of u (n, K), each foretold from those before it that are shown (n,)."""
    rows = shown.nonzero().flatten()
    last = torch.searchsorted(taus[rows], taus[1:]) - 1
    moved = ahead(model, settings, taus[rows], u[rows], last, taus[1:])
    return (u[rows][last] + moved - u[1:])[:, : settings.components]


def judged(model: OnlineCDE, settings: OnlineSettings, taus, u, judges: int) -> float:
    """Error at the last `judges` rows, foretold from all before each, and from a part of them."""
    everything, sparse = torch.ones(2, len(u), dtype=torch.bool)
    sparse[len(u) - judges - 1 :: 2] = False
    return sum(
        float(errors(model, settings, taus, u, shown)[-judges:].square().mean()) for shown in (everything, sparse)
    )


def fit(clip: Clip, settings: OnlineSettings | None = None, seed: int = 0, *, progress: bool = False) -> OnlinePath:
    """Fit a causal CDE to the observed frames of a clip's first part; then tell it what comes with `observe`.

    Of the iterations the one is kept that best foretells the last observations, which training leaves out: the start,
    where the CDE adds nothing, if none is better (log["kept"]).  A clip with cuts counts as one.
    Raises UserError for fewer than 6 observations.
    """
    settings, started, seen = settings or OnlineSettings(), time.time(), clip.observations()
    if len(seen) < 6:
        raise UserError(f"A causal CDE wants at least 6 observations to learn from, got {len(seen)}.")
    runtime.seed_everything(runtime.legal_seed(seed))
    space, clock, draws = Subspace.fit(seen.ws), Clock.of("unit", clip), torch.Generator().manual_seed(seed)
    u, taus = space.encode(seen.ws)[:, 0], clock(seen.ts).float()
    model = OnlineCDE(min(settings.components, u.shape[1]), settings.hidden)
    kept = trained(model, settings, taus, u, draws, progress)
    log = {"kept": kept, "seconds": round(time.time() - started, 2)}
    log["parameters"] = sum(p.numel() for p in model.parameters())
    return OnlinePath(settings, model, space, clock, seen.ts, seen.ws, log, described(clip, seed))


def trained(model: OnlineCDE, settings: OnlineSettings, taus, u, draws, progress: bool) -> int:
    """Train a model in place; the number of the iteration that is kept."""
    judges = max(2, round(settings.judges * len(u)))
    learned = len(u) - judges
    optimiser = torch.optim.AdamW(model.parameters(), settings.lr, weight_decay=settings.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.iterations)
    best, kept = (math.inf, 0), None
    for iteration in trange(settings.iterations + 1, desc="cde", unit="it", disable=not progress, mininterval=1):
        if iteration % settings.check_every == 0:
            with torch.no_grad():
                error = judged(model, settings, taus, u, judges)
            if error < best[0]:
                best, kept = (error, iteration), copy.deepcopy(model.state_dict())
        shown = torch.rand(learned, generator=draws) < settings.shown
        shown[0] = True
        optimiser.zero_grad()
        errors(model, settings, taus[:learned], u[:learned], shown).square().mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.load_state_dict(kept)
    model.eval().requires_grad_(False)
    return best[1]
