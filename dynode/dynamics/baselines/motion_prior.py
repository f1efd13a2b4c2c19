"""A motion prior: a Gaussian process whose kernel is learned from other clips of a category and adapted to one clip.

Codes at times in seconds are samples of a process whose kernel has three parts, a + b + c = 1:

    k(d) = a (1 + r + r^2 / 3) exp(-r) + b exp(-|d| / l2) + c [d = 0],   r = sqrt(5) |d| / l1

motion (Matern 5/2), the drift of codes whose inversion starts from their predecessor's (Ornstein and Uhlenbeck 1930), and
the jitter of single codes.  One observed frame in four does not separate motion from jitter; fully observed clips do.  So
the kernel is learned from these by marginal likelihood, and adapted to a clip's own observations by maximum a posteriori
(Rasmussen and Williams 2006, Sec. 5.2 and 5.4).

The likelihood of all L*D numbers under one kernel depends on codes only through their Gram matrix, so it is invariant to
rotations of the latent space, and a prior serves every clip of its category.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from dynode import clips
from dynode.clips import Clip
from dynode.dynamics.registry import METHODS, How, Method
from dynode.dynamics.state_spaces import Subspace
from dynode.dynamics.trajectory import Times, Trajectory, described, double, joined, numeric_derivative
from dynode.errors import UserError
from dynode.io.training_state import part
from dynode.settings import from_json, require_positive, to_json

# the logarithms of these are learned
NAMES = ("drift / motion", "jitter / motion", "seconds of motion", "seconds of drift")
START = (0.0, -3.0, math.log(0.15), math.log(2.0))  # of the search
START_STD = (3.0, 3.0, 1.0, 1.0)  # of a weak Gaussian prior about it
CONSTANT = 10.0  # variance of a clip's mean code, in units of the codes' own
RIDGE = 1e-9  # on the diagonal, for a stable factorisation


@dataclass(frozen=True)
class PriorSettings:
    """Everything a fit depends on, apart from the clip and the seed.  The widths are standard deviations of logarithms."""

    preset: str = "prior"
    clips: str = ""  # names of the clips to learn from, with commas; "" is every shipped one of other footage
    shares_width: float = 1.5  # deviation of a clip's ratio of drift to motion from that of the others
    jitter_width: float = 3.0  # the same for its ratio of jitter to motion, which depends on the inversion
    lengths_width: float = 0.5  # the same for both length scales
    steps: int = 40  # of L-BFGS, at most

    def __post_init__(self):
        require_positive(self, "shares_width", "jitter_width", "lengths_width", "steps")

    @property
    def label(self) -> str:
        """The method's name in records, which marks changed settings."""
        return self.preset if self == PRIOR else f"{self.preset}[changed]"

    @property
    def widths(self) -> torch.Tensor:
        """Standard deviations (4,) of a clip's logarithms of NAMES about the prior's."""
        return torch.tensor([self.shares_width, self.jitter_width, self.lengths_width, self.lengths_width]).double()


PRIOR = PriorSettings()


@dataclass(frozen=True)
class Kernel:
    """theta (4,): logarithms of b / a, c / a, l1 and l2, double precision."""

    theta: torch.Tensor

    @property
    def fractions(self) -> torch.Tensor:
        """Fractions (3,) of the variance that are motion, drift and jitter; their sum is 1."""
        return torch.softmax(torch.cat([self.theta.new_zeros(1), self.theta[:2]]), 0)

    def correlations(self, distance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Autocorrelation of motion, and of drift, over a distance in time, seconds (...)."""
        r = math.sqrt(5) * distance / self.theta[2].exp()
        return (1 + r + r**2 / 3) * (-r).exp(), (-distance / self.theta[3].exp()).exp()

    def __call__(self, s: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Covariance (S, T) of codes at times s (S,) and t (T,) in seconds, without jitter, with that of the mean code."""
        motion, drift = self.correlations((s[:, None] - t).abs())
        return self.fractions[0] * motion + self.fractions[1] * drift + CONSTANT

    def factor(self, ts: torch.Tensor) -> torch.Tensor:
        """The Cholesky factor (n, n) of the covariance of observed codes at times ts (n,), with jitter."""
        return torch.linalg.cholesky(self(ts, ts) + (self.fractions[2] + RIDGE) * torch.eye(len(ts), dtype=ts.dtype))


@dataclass(frozen=True)
class ObservedCodes:
    """Sufficient statistics of observed codes for the likelihood: times ts (n,), Gram matrix (n, n), effective dimension.

    dimension: the participation ratio of the Gram matrix, below L*D since the numbers of a code are correlated.
    """

    ts: torch.Tensor
    gram: torch.Tensor
    dimension: float

    @classmethod
    def of(cls, clip: Clip) -> "ObservedCodes":
        """Of the observed frames of a clip of one shot."""
        observed = clip.observations()
        codes = observed.ws.double().flatten(1)
        codes = codes - codes.mean(0)
        gram = codes @ codes.T / codes.square().sum().clamp(min=1e-12)
        return cls(observed.ts - observed.ts[0], gram, float(1 / gram.square().sum().clamp(min=1e-12)))

    def negative_log_likelihood(self, theta: torch.Tensor) -> torch.Tensor:
        """Of one of the numbers under the kernel theta (4,), marginal, at its likeliest variance."""
        factor = Kernel(theta).factor(self.ts)
        variance = torch.cholesky_solve(self.gram, factor).trace() / len(self.ts)
        return factor.diagonal().log().sum() + len(self.ts) / 2 * variance.clamp(min=1e-30).log()


def minimised(loss: Callable[[torch.Tensor], torch.Tensor], theta: torch.Tensor, steps: int) -> torch.Tensor:
    """The parameters of the lowest loss(theta), by at most `steps` steps of L-BFGS from theta."""
    theta = theta.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([theta], max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(theta)
        value.backward()
        return value

    step: Callable[..., Any] = optimiser.step  # its stub wants a closure that returns a float
    step(closure)
    return theta.detach()


def learn(footage: Sequence[Clip], settings: PriorSettings = PRIOR) -> Kernel:
    """The kernel of highest likelihood of the observed frames of some clips; every shot has the same weight."""
    shots = [ObservedCodes.of(shot) for clip in footage for shot in clip.split()]
    start, start_std = double(START), double(START_STD)

    def loss(theta: torch.Tensor) -> torch.Tensor:
        losses = (shot.negative_log_likelihood(theta) / len(shot.ts) for shot in shots)
        mean = sum(losses, theta.new_zeros(())) / len(shots)
        return mean + 1e-3 * ((theta - start) / start_std).square().sum()

    return Kernel(minimised(loss, start, settings.steps))


def adapted(prior: Kernel, clip: Clip, settings: PriorSettings = PRIOR) -> Kernel:
    """The kernel of highest posterior probability, given the prior and the observed frames of a clip of one shot."""
    codes = ObservedCodes.of(clip)

    def loss(theta: torch.Tensor) -> torch.Tensor:
        likelihood = codes.dimension * codes.negative_log_likelihood(theta)
        return likelihood + ((theta - prior.theta) / settings.widths).square().sum() / 2

    # the loss is flat where the jitter is near 0, so the search starts above
    start = torch.cat([prior.theta[:1], prior.theta[1:2].clamp(min=-3.0), prior.theta[2:]])
    return Kernel(minimised(loss, start, settings.steps))


@dataclass(repr=False)
class PriorPath(Trajectory):
    """The posterior mean of the process as a trajectory.

    u (n, K): the observed states, at times ts (n,) in seconds.  theta, learned (4,): logarithms of `NAMES`, adapted to
    this clip, and learned from the others.
    """

    kind: ClassVar[str] = "prior"

    settings: PriorSettings
    theta: torch.Tensor
    learned: torch.Tensor
    space: Subspace
    u: torch.Tensor
    ts: torch.Tensor
    log: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        self.kernel = Kernel(self.theta)
        self.factor = self.kernel.factor(self.ts)
        self.weights = torch.cholesky_solve(self.u.double(), self.factor)
        self.span = (float(self.ts[0]), float(self.ts[-1]))

    @property
    def label(self) -> str:
        return self.settings.label

    def states(self, ts: Times) -> torch.Tensor:
        """States (T, K) in double precision."""
        return self.kernel(double(ts), self.ts) @ self.weights

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.space.decode(self.states(ts)[:, None].float())

    def derivative(self, ts: Times) -> torch.Tensor:
        return self.space.decode_velocity(numeric_derivative(self.states, self.span, ts)[:, None].float())

    def std(self, ts: Times, jitter: bool = True) -> torch.Tensor:
        """Standard deviations (T, K) of a code at times ts along the axes of the space; without jitter, of the path.

        The variance of each axis is its likeliest one.
        """
        ts = double(ts)
        covariance, (_, _, jitter_fraction) = self.kernel(ts, self.ts), self.kernel.fractions
        explained = (covariance * torch.cholesky_solve(covariance.T, self.factor).T).sum(1)
        variance = (1 - jitter_fraction + CONSTANT - explained).clamp(min=0.0) + jitter * jitter_fraction
        scale = (self.u.double() * self.weights).mean(0).clamp(min=0.0)
        return (variance[:, None] * scale).sqrt() * self.space.sigma

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        tensors = {f"space.{k}": v for k, v in self.space.tensors().items()}
        tensors |= {"theta": self.theta, "learned": self.learned, "seen": self.u, "ts": self.ts}
        rest = {"kind": self.kind, "settings": to_json(self.settings), "log": self.log, "meta": self.meta}
        return tensors, json.dumps(rest)

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> "PriorPath":
        own = {"theta": tensors["theta"], "learned": tensors["learned"], "u": tensors["seen"], "ts": tensors["ts"]}
        settings, space = from_json(PriorSettings, rest["settings"]), Subspace(**part(tensors, "space."))
        return cls(settings, space=space, log=rest["log"], meta=rest["meta"], **own)


def fit(clip: Clip, settings: PriorSettings, seed: int, how: How) -> Trajectory:
    """Learn the prior from other clips and condition it on the observed frames of this one, shot by shot.

    Nothing is random.  Raises UserError as `training_clips` does.
    """
    started, footage = time.time(), training_clips(clip, settings)
    prior = learn(footage, settings)
    return conditioned(prior, clip, settings, seed, started=started, names=[one.name for one in footage])


def conditioned(
    prior: Kernel,
    clip: Clip,
    settings: PriorSettings = PRIOR,
    seed: int = 0,
    *,
    started: float = 0.0,
    names: Sequence[str] = (),
) -> Trajectory:
    """The trajectory of a clip under a prior that was learned before, from the clips of these names.

    started: when learning began, for the log; now by default.
    """
    started = started or time.time()
    return joined([conditioned_shot(prior, shot, settings, seed, started, names) for shot in clip.split()])


def conditioned_shot(
    prior: Kernel, clip: Clip, settings: PriorSettings, seed: int, started: float, names: Sequence[str]
) -> PriorPath:
    """`conditioned` of a clip of one shot."""
    observed = clip.observations()
    space = Subspace.fit(observed.ws)
    u, kernel = space.encode(observed.ws)[:, 0], adapted(prior, clip, settings)
    path = PriorPath(settings, kernel.theta, prior.theta, space, u, observed.ts)
    error = (path.states(observed.ts) - u).square().mean() / u.square().mean().clamp(min=1e-12)
    path.log = {"observed_error": float(error), "seconds": round(time.time() - started, 3), "parameters": len(START)}
    path.meta = described(clip, seed) | {"learned_from": list(names)}
    return path


def training_clips(clip: Clip, settings: PriorSettings = PRIOR) -> list[Clip]:
    """The clips to learn from: those that the settings name, else every shipped one of the same generator and other footage.

    Raises UserError where there is none, or where a named one shows this clip's footage or has codes of another shape.
    """
    if not settings.clips:
        if not (shipped := shipped_others(clip)):
            raise UserError(f"No other clip is shipped to learn the motion of {clip.name} from: name some, clips=A,B.")
        return shipped
    named = [clips.load(name.strip()) for name in settings.clips.split(",")]
    for one in named:
        if one.ws.shape[1:] != clip.ws.shape[1:]:
            shapes = f"{tuple(one.ws.shape[1:])}, {clip.name} {tuple(clip.ws.shape[1:])}"
            raise UserError(f"The codes of {one.name} have the shape {shapes}: name clips of one generator.")
        if footage_of(one) == footage_of(clip) is not None:
            raise UserError(
                f"{one.name} shows the same footage as {clip.name}: a prior is learned from other footage. Name other clips."
            )
    return named


def shipped_others(clip: Clip) -> list[Clip]:
    """Shipped clips of the same generator, one for each other footage: inverted from the clip's own start, if there is one."""
    by_footage: dict[str, Clip] = {}
    for one in map(clips.load, clips.shipped_names()):
        footage = footage_of(one)
        same = [one.meta.get(key) == clip.meta.get(key) for key in ("generator", "generator_hash")]
        if footage is None or footage == footage_of(clip) or not all(same):
            continue
        if footage not in by_footage or inversion_start(one) == inversion_start(clip):
            by_footage[footage] = one
    return list(by_footage.values())


def footage_of(clip: Clip) -> str | None:
    """Identifies the video or the episode that a clip shows; None where its metadata name neither."""
    source = clip.meta.get("source_sha256") or clip.meta.get("episode")
    return json.dumps(source, sort_keys=True) if source else None


def inversion_start(clip: Clip) -> str:
    """What the inversion of its frames started from: their predecessor, the average, an encoder; "" where unknown."""
    return clip.meta.get("settings", {}).get("start", "")


def inputs_of(clip: Clip, settings: PriorSettings) -> str:
    """A hash of the clips that the prior of a clip is learned from."""
    digest = hashlib.sha256()
    for one in training_clips(clip, settings):
        digest.update(one.ws.numpy().tobytes() + one.ts.numpy().tobytes())
    return digest.hexdigest()


METHODS.add("prior", Method("prior", PRIOR, fit, PriorPath, inputs=inputs_of))
