"""A motion prior: how the codes of a category move, learned from its other clips, conditioned on what is seen of one.

Codes at times in seconds are draws of a process whose kernel has three parts, a + b + c = 1:

    k(d) = a (1 + r + r^2 / 3) exp(-r) + b exp(-|d| / l2) + c [d = 0],   r = sqrt(5) |d| / l1

motion (Matern 5/2), the drift of codes that start from their predecessor's (Ornstein and Uhlenbeck 1930), and the jitter
of single codes.  Whoever sees one frame in four cannot tell motion from jitter; clips that were seen whole can.  So the
prior is learned from them by marginal likelihood, and a clip's own observations move it as far as they have something
to say: maximum a posteriori (Rasmussen and Williams 2006, Sec. 5.2 and 5.4).

The likelihood of all L*D numbers under one kernel needs codes only through their Gram matrix, so nothing here depends on
how the latent space is turned, and a prior serves every clip of its category.
"""

import json
import math
import time
from dataclasses import dataclass, field
from typing import ClassVar

import torch

from dynode import clips
from dynode.clips import Clip
from dynode.dynamics.fit_files import described
from dynode.dynamics.registry import METHODS, How, Method
from dynode.dynamics.state_spaces import Subspace
from dynode.dynamics.trajectory import Trajectory, joined, numeric_derivative
from dynode.errors import UserError
from dynode.io.training_state import part
from dynode.settings import from_json, require_positive, to_json

NAMES = (
    "drift / motion",
    "jitter / motion",
    "seconds of motion",
    "seconds of drift",
)  # logarithms of these are learned
START = (0.0, -3.0, math.log(0.15), math.log(2.0))  # where the search begins
LOOSE = (3.0, 3.0, 1.0, 1.0)  # what holds it there, weakly: standard deviations
CONSTANT = 10.0  # variance of a clip's mean code, in units of the codes' own
RIDGE = 1e-9  # on the diagonal, for the arithmetic


@dataclass(frozen=True)
class PriorSettings:
    """Everything a fit depends on, apart from the clip and the seed.  The widths are standard deviations of logarithms."""

    preset: str = "prior"
    clips: str = ""  # names of the clips to learn from, with commas; "" is every shipped one of other footage
    shares_width: float = 1.5  # how far a clip's share of drift may lie from that of the others
    jitter_width: float = 3.0  # the same for its share of jitter: footage is inverted in more than one way
    lengths_width: float = 0.5  # the same for both lengths
    steps: int = 40  # of L-BFGS, at most

    def __post_init__(self):
        require_positive(self, "shares_width", "jitter_width", "lengths_width", "steps")

    @property
    def label(self) -> str:
        """The method's name in records; says so when its settings are changed."""
        return self.preset if self == PRIOR else f"{self.preset}[changed]"

    @property
    def widths(self) -> torch.Tensor:
        return torch.tensor([self.shares_width, self.jitter_width, self.lengths_width, self.lengths_width]).double()


PRIOR = PriorSettings()


@dataclass(frozen=True)
class Kernel:
    """theta (4,): logarithms of b / a, c / a, l1 and l2, double precision."""

    theta: torch.Tensor

    @property
    def shares(self) -> torch.Tensor:
        """Motion, drift and jitter (3,), together 1."""
        return torch.softmax(torch.cat([self.theta.new_zeros(1), self.theta[:2]]), 0)

    def fading(self, distance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Correlation of motion, and of drift, between moments so many seconds apart."""
        r = math.sqrt(5) * distance / self.theta[2].exp()
        return (1 + r + r**2 / 3) * (-r).exp(), (-distance / self.theta[3].exp()).exp()

    def __call__(self, s: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Covariance (S, T) of codes at times s (S,) and t (T,) in seconds, without jitter, with that of the mean code."""
        motion, drift = self.fading((s[:, None] - t).abs())
        return self.shares[0] * motion + self.shares[1] * drift + CONSTANT

    def factor(self, ts: torch.Tensor) -> torch.Tensor:
        """The Cholesky factor (n, n) of the covariance of observed codes at times ts (n,), jitter and all."""
        return torch.linalg.cholesky(self(ts, ts) + (self.shares[2] + RIDGE) * torch.eye(len(ts), dtype=ts.dtype))


@dataclass(frozen=True)
class Seen:
    """What the likelihood needs of observed codes: times ts (n,), their Gram matrix (n, n), and how many numbers count.

    Numbers of a code move together: `numbers` is the participation ratio of the Gram matrix, so many would be as
    uncertain if they moved by themselves.
    """

    ts: torch.Tensor
    gram: torch.Tensor
    numbers: float

    @classmethod
    def of(cls, clip: Clip) -> "Seen":
        seen = clip.observations()
        codes = seen.ws.double().flatten(1)
        codes = codes - codes.mean(0)
        gram = codes @ codes.T / codes.square().sum().clamp(min=1e-12)
        return cls(seen.ts - seen.ts[0], gram, float(1 / gram.square().sum().clamp(min=1e-12)))

    def surprise(self, theta: torch.Tensor) -> torch.Tensor:
        """Minus the logarithm of the marginal likelihood of one of the numbers, its variance the likeliest one."""
        factor = Kernel(theta).factor(self.ts)
        variance = torch.cholesky_solve(self.gram, factor).trace() / len(self.ts)
        return factor.diagonal().log().sum() + len(self.ts) / 2 * variance.clamp(min=1e-30).log()


def likeliest(loss, theta: torch.Tensor, steps: int) -> torch.Tensor:
    """The parameters of the lowest loss(theta), by L-BFGS from theta."""
    theta = theta.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([theta], max_iter=steps, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss(theta)
        value.backward()
        return value

    optimiser.step(closure)
    return theta.detach()


def learn(footage: list[Clip], settings: PriorSettings = PRIOR) -> Kernel:
    """The kernel under which these clips, seen as far as they are observed, are likeliest; every clip counts the same."""
    seen, start, loose = [Seen.of(shot) for clip in footage for shot in clip.split()], *map(double, (START, LOOSE))

    def loss(theta):
        surprise = sum(one.surprise(theta) / len(one.ts) for one in seen) / len(seen)
        return surprise + 1e-3 * ((theta - start) / loose).square().sum()

    return Kernel(likeliest(loss, start, settings.steps))


def adapted(prior: Kernel, clip: Clip, settings: PriorSettings = PRIOR) -> Kernel:
    """The kernel that a clip's own observations make of the prior."""
    seen = Seen.of(clip)

    def loss(theta):
        return seen.numbers * seen.surprise(theta) + ((theta - prior.theta) / settings.widths).square().sum() / 2

    jittery = torch.cat([prior.theta[:1], prior.theta[1:2].clamp(min=-3.0), prior.theta[2:]])  # a share near 0 is flat
    return Kernel(likeliest(loss, jittery, settings.steps))


def double(numbers) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


@dataclass
class PriorPath(Trajectory):
    """The mean of the conditioned process as a trajectory: weights on the observed codes, another row at every time.

    u (n, K): the observed states, at times ts (n,) in seconds.  theta, learned (4,): logarithms of `NAMES`, as this
    clip has them and as the others do.
    """

    kind: ClassVar[str] = "prior"  # of its file

    settings: PriorSettings
    theta: torch.Tensor
    learned: torch.Tensor
    space: Subspace
    u: torch.Tensor
    ts: torch.Tensor
    log: dict = field(default_factory=dict)
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        self.kernel = Kernel(self.theta)
        self.factor = self.kernel.factor(self.ts)
        self.pulls = torch.cholesky_solve(self.u.double(), self.factor)
        self.span = (float(self.ts[0]), float(self.ts[-1]))

    @property
    def label(self) -> str:
        return self.settings.label

    def states(self, ts) -> torch.Tensor:
        """States (T, K) in double precision."""
        return self.kernel(torch.as_tensor(ts, dtype=torch.float64), self.ts) @ self.pulls

    def __call__(self, ts) -> torch.Tensor:
        return self.space.decode(self.states(ts)[:, None].float())

    def derivative(self, ts) -> torch.Tensor:
        return self.space.decode_velocity(numeric_derivative(self.states, self.span, ts)[:, None].float())

    def spread(self, ts, jitter: bool = True) -> torch.Tensor:
        """Standard deviations (T, K) of a code at times ts along the axes of the space; without jitter, of the path.

        Every axis has the variance that makes its observations likeliest.
        """
        ts = torch.as_tensor(ts, dtype=torch.float64)
        across = self.kernel(ts, self.ts)
        left = 1 - self.kernel.shares[2] + CONSTANT - (across * torch.cholesky_solve(across.T, self.factor).T).sum(1)
        left = left.clamp(min=0.0) + jitter * self.kernel.shares[2]
        scale = (self.u.double() * self.pulls).mean(0).clamp(min=0.0)
        return (left[:, None] * scale).sqrt() * self.space.sigma

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        """Tensors, and everything else as JSON."""
        tensors = {f"space.{k}": v for k, v in self.space.tensors().items()}
        tensors |= {"theta": self.theta, "learned": self.learned, "seen": self.u, "ts": self.ts}
        rest = {"kind": "prior", "settings": to_json(self.settings), "log": self.log, "meta": self.meta}
        return tensors, json.dumps(rest)

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> "PriorPath":
        own = {"theta": tensors["theta"], "learned": tensors["learned"], "u": tensors["seen"], "ts": tensors["ts"]}
        settings, space = from_json(PriorSettings, rest["settings"]), Subspace(**part(tensors, "space."))
        return cls(settings, space=space, log=rest["log"], meta=rest["meta"], **own)


def fit(clip: Clip, settings: PriorSettings, seed: int, how: How) -> Trajectory:
    """Learn the prior from other clips and condition it on the observed frames of this one, shot by shot.

    There is nothing random.  Raises UserError where there is no other clip, or one shows the same footage.
    """
    started, footage = time.time(), others(clip, settings)
    prior = learn(footage, settings)
    return conditioned(prior, clip, settings, seed, started=started, names=[one.name for one in footage])


def conditioned(
    prior: Kernel, clip: Clip, settings: PriorSettings = PRIOR, seed: int = 0, *, started: float = 0.0, names=()
) -> Trajectory:
    """The paths of a clip under a prior that was learned before."""
    started = started or time.time()
    paths = [conditioned_shot(prior, shot, settings, seed, started, names) for shot in clip.split()]
    return joined(paths)


def conditioned_shot(prior: Kernel, clip: Clip, settings: PriorSettings, seed: int, started, names) -> PriorPath:
    seen, space = clip.observations(), Subspace.fit(clip.observations().ws)
    u, kernel = space.encode(seen.ws)[:, 0], adapted(prior, clip, settings)
    path = PriorPath(settings, kernel.theta, prior.theta, space, u, seen.ts)
    error = (path.states(seen.ts) - u).square().mean() / u.square().mean().clamp(min=1e-12)
    path.log = {"observed_error": float(error), "seconds": round(time.time() - started, 3), "parameters": len(START)}
    path.meta = described(clip, seed) | {"learned_from": list(names)}
    return path


def others(clip: Clip, settings: PriorSettings = PRIOR) -> list[Clip]:
    """The clips to learn from: those the settings name, else every shipped one of the same generator and other footage.

    Footage that was inverted in several ways counts once, in this clip's own way where there is that.
    Raises UserError where there is none, or where a named one shows this clip's footage or has codes of another shape.
    """
    if settings.clips:
        found = [clips.load(name.strip()) for name in settings.clips.split(",")]
        for one in found:
            if one.ws.shape[1:] != clip.ws.shape[1:]:
                told = f"{tuple(one.ws.shape[1:])}, {clip.name} {tuple(clip.ws.shape[1:])}"
                raise UserError(f"The codes of {one.name} have the shape {told}: name clips of one generator.")
            if footage_of(one) == footage_of(clip) is not None:
                raise UserError(f"{one.name} shows the same footage as {clip.name}: a prior must not have seen it.")
        return found
    if not (found := shipped_others(clip)):
        raise UserError(f"No other clip is shipped to learn the motion of {clip.name} from: name some, clips=A,B.")
    return found


def shipped_others(clip: Clip) -> list[Clip]:
    """Shipped clips of the same generator, one for each other footage."""
    found: dict[str, Clip] = {}
    for one in map(clips.load, clips.shipped_names()):
        same = [one.meta.get(key) == clip.meta.get(key) for key in ("generator", "generator_hash")]
        if not all(same) or footage_of(one) in (None, footage_of(clip)):
            continue
        if footage_of(one) not in found or way_of(one) == way_of(clip):
            found[footage_of(one)] = one
    return list(found.values())


def footage_of(clip: Clip) -> str | None:
    """What names the video or the episode that a clip shows; None where it shows neither."""
    told = clip.meta.get("source_sha256") or clip.meta.get("episode")
    return json.dumps(told, sort_keys=True) if told else None


def way_of(clip: Clip) -> str:
    """How its frames were inverted: from their predecessor, from the average, by an encoder."""
    return clip.meta.get("settings", {}).get("start", "")


METHODS.add("prior", Method("prior", PRIOR, fit, PriorPath))
