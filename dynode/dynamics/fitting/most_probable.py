"""The most probable weights of a field, given noisy observed states and a prior: Picard iterations, then Gauss-Newton steps.

Weights have a Gaussian prior about their first values, whose last layer is zero: the most probable path without observations
stands still.  How large their variance is beside that of the noise, how the power of the waves depends on their frequency and
how much of it recurs is what predicts observed states best that are left out one at a time, for the field linearised at its
first weights: the kernel of its paths is the same for every coordinate up to scale, so that these predictions need an
eigendecomposition of the size of the observed frames and no fit (Allen 1974, "PRESS").  The last observed state is not left
out: to predict it is to extrapolate.

Along a given path the roll-out is linear in the last layer: its most probable weights give the next path, whose features give
the next weights, until the path is the solution of its own field (Picard).  Gauss-Newton steps on the whole roll-out then
move the weights of all layers where that pays, which is seldom: nearly all fits end with the first layer as it was drawn.
"""

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import torch
from torch.func import functional_call, jvp, vjp

from dynode.dynamics.fields import HARMONICS, MLPField

Features: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (t, u) -> (..., F)
STEPS = 2  # of the solver in an interval of mean length
RISES = (
    0.0,
    1.0,
    2.0,
)  # powers of the frequency that the power of slow waves rises with: 2 is a motion that stays where it is
PATHS, SAME = 30, 1e-4  # at most so many Picard iterations, until the path changes by this share of itself
SHARES = (0.0, 0.5, 0.9, 0.99)  # of the waves' power in harmonics of the period, where the motion has one
NOISES = torch.logspace(-5, 2, 29, dtype=torch.float64)  # variance of the noise over that of the paths
PRODUCTS, ACCURACY = 15, 1e-2  # of the conjugate gradient: at most so many products, until the residual is that small
INNER = 0.1  # standard deviation of the weights before the last layer, in that of the last layer's
HALVINGS = 8  # of a step that does not lower the objective
ENOUGH = 1e-2  # decrease of the objective, for each number observed, below which no further step is made


@dataclass(frozen=True)
class Grid:
    """Times (N,) that a path is solved on, among them the observed ones at `index` (m,)."""

    times: torch.Tensor
    index: torch.Tensor

    @classmethod
    def over(cls, taus: torch.Tensor) -> "Grid":
        """Equal steps in every interval between the observed times (m,), no longer than a mean interval over STEPS."""
        longest = (taus[-1] - taus[0]) / (len(taus) - 1) / STEPS
        counts = [max(1, int((float(gap / longest) - 1e-6) // 1) + 1) for gap in taus.diff()]
        parts = [
            a + (b - a) * torch.arange(1, n + 1).to(taus) / n for a, b, n in zip(taus, taus[1:], counts, strict=False)
        ]
        return cls(torch.cat([taus[:1], *parts]), torch.tensor([0, *counts]).cumsum(0))

    def solved(self, field: Features, u0: torch.Tensor) -> torch.Tensor:
        """States (N, ...) from u0 (...) on, by the classical Runge-Kutta method."""
        states, u = [u0], u0
        for a, b in zip(self.times, self.times[1:], strict=False):
            middle, h = (a + b) / 2, b - a
            first = field(a, u)
            second = field(middle, u + h / 2 * first)
            third = field(middle, u + h / 2 * second)
            u = u + h / 6 * (first + 2 * second + 2 * third + field(b, u + h * third))
            states.append(u)
        return torch.stack(states)

    def paths_of(self, features: Features, u: torch.Tensor) -> torch.Tensor:
        """Integrals (N - 1, F) of features of the field along states u (N, R, K), from the first time to all others."""
        a, b = self.times[:-1], self.times[1:]
        at = torch.stack([a, (a + b) / 2, b])
        states = torch.stack([u[:-1], (u[:-1] + u[1:]) / 2, u[1:]])
        values = features(at, states)
        parts = (b - a)[:, None] / 6 * (values[0] + 4 * values[1] + values[2])  # what the solver makes of it
        return parts.cumsum(0)

    def observed(self, integrals: torch.Tensor) -> torch.Tensor:
        """Of integrals (N - 1, ...) those to the observed times (m - 1, ...)."""
        return integrals[self.index[1:] - 1]


@dataclass(frozen=True)
class Prior:
    """What predicts observed states best that are left out.

    std: of every weight, in units of the noise's.  amplitudes (F,): of the waves.
    """

    std: float
    amplitudes: torch.Tensor
    left_out_error: float  # of these predictions, mean square
    chosen: dict[str, float]


def corners(count: int) -> list[float]:
    """Numbers of half-waves in the observed span above which the power of `count` waves falls: powers of 2, and none."""
    return [2.0**k for k in range(max(count, 2).bit_length())] + [float("inf")]


def spectra(field: MLPField) -> Iterator[tuple[dict[str, float], torch.Tensor]]:
    """Amplitudes (F,) of the waves that are compared, with what they stand for; sin and cos of all waves have the power 1."""
    count = len(field.amplitudes) // 2 - HARMONICS
    waves = torch.arange(1, count + 1, dtype=torch.float64)
    for rise, corner in product(RISES, corners(count)):
        power = waves**rise / (1 + (waves / corner).square()) ** (1 + rise / 2)
        for share in SHARES if field.period else SHARES[:1]:
            recurring = torch.full((HARMONICS,), share / HARMONICS, dtype=torch.float64)
            plain = (1 - share) * power / power.sum()
            chosen = {"rise": rise, "corner": corner, "recurring": share}
            yield chosen, torch.cat([plain, plain, recurring, recurring]).sqrt()


def choose_prior(field: MLPField, u: torch.Tensor, grid: Grid, noise_at_most: float) -> Prior:
    """The prior that predicts states u (m, 1, K) best that are left out; its amplitudes are set in the field."""
    moved, weight = (u[1:] - u[0]).flatten(1), field.scales.flatten().square()
    still, best = u[:1].expand(len(grid.times), *u.shape[1:]), None
    noises = NOISES[max(noise_at_most, float(NOISES[0])) * (1 + 1e-6) >= NOISES].to(u)
    for chosen, amplitudes in spectra(field):
        field.amplitudes.copy_(amplitudes)
        with torch.no_grad():
            paths = grid.observed(grid.paths_of(field.hidden, still))
        kernel, size = scaled(paths @ paths.T)
        for noise, error in zip(noises.tolist(), left_out_errors(kernel, moved, weight, noises), strict=True):
            if best is None or error < best.left_out_error:
                best = Prior((size * noise) ** -0.5, amplitudes, error, chosen | {"noise": noise})
    assert best is not None, "there is a spectrum"
    field.amplitudes.copy_(best.amplitudes)
    return best


def scaled(kernel: torch.Tensor) -> tuple[torch.Tensor, float]:
    """A kernel (n, n) of mean variance 1, and the variance it had."""
    size = max(float(kernel.diagonal().mean()), 1e-12)
    return kernel / size, size


def left_out_errors(
    kernel: torch.Tensor, states: torch.Tensor, weight: torch.Tensor, noises: torch.Tensor
) -> list[float]:
    """Mean squared errors of states (n, K), each predicted from all others, at some variances of the noise.

    kernel (n, n): of a coordinate of variance 1.  weight (K,): variances of the coordinates.  The last state is not left out,
    unless it is the only one.
    """
    values, vectors = torch.linalg.eigh(kernel)
    turned, errors = vectors.T @ states, []
    for noise in noises:
        inverse = 1 / (values.clamp(min=0)[:, None] * weight + noise)
        residuals = (vectors @ (inverse * turned)) / (vectors.square() @ inverse)
        errors.append(float((residuals[:-1] if len(residuals) > 1 else residuals).square().mean()))
    return errors


class Posterior:
    """The objective over whitened weights e (P,): sum of squares of the residuals, over the noise's variance, plus that of e."""

    def __init__(self, field: MLPField, u: torch.Tensor, taus: torch.Tensor, noise_at_most: float = float("inf")):
        self.field, self.u, self.grid = field, u, Grid.over(taus)
        self.first = {name: weight.detach() for name, weight in field.named_parameters()}
        self.prior = choose_prior(field, u, self.grid, noise_at_most)
        self.weight = field.scales.flatten().square()
        self.solves = 0

    def weights(self, e: torch.Tensor) -> dict[str, torch.Tensor]:
        """The field's weights of whitened ones."""
        parts = e.split([weight.numel() for weight in self.first.values()])
        last = list(self.first)[-2:]  # weight and bias of the last layer
        named = zip(self.first.items(), parts, strict=True)
        return {
            name: weight + self.prior.std * (1 if name in last else INNER) * part.view(weight.shape)
            for (name, weight), part in named
        }

    def residuals(self, e: torch.Tensor) -> torch.Tensor:
        """Solved minus observed states ((m - 1) K,), in units of the noise."""
        self.solves += 1
        named = self.weights(e)
        solved = self.grid.solved(lambda t, x: functional_call(self.field, named, (t, x)), self.u[0])
        self.states = solved.detach()
        return (solved[self.grid.index[1:]] - self.u[1:]).flatten()

    def objective(self, e: torch.Tensor) -> float:
        return float(self.residuals(e).square().sum() + e.square().sum())

    def gradient(self, e: torch.Tensor) -> torch.Tensor:
        """Half the gradient of the objective (P,)."""
        linearised: tuple[Any, ...] = vjp(self.residuals, e)
        return linearised[1](linearised[0])[0] + e

    def step(self, e: torch.Tensor, products: int = PRODUCTS) -> torch.Tensor:
        """The minimiser of the linearised objective about e, by at most `products` products of the conjugate gradient."""
        self.linearise(e)
        linearised: tuple[Any, ...] = vjp(self.residuals, e)
        r, back = linearised
        with warnings.catch_warnings():  # what PyTorch says of itself where it compiles its forward mode
            warnings.filterwarnings("ignore", ".*torch.jit.script", FutureWarning)
            wanted = jvp(self.residuals, (e,), (e,))[1] - r
            solution = self.conjugate_gradient(
                lambda x: jvp(self.residuals, (e,), (back(x)[0],))[1] + x, wanted, products
            )
        return back(solution)[0]

    def linearise(self, e: torch.Tensor) -> None:
        """The kernel of the last layer's paths along the present path: what the preconditioner inverts."""
        with torch.no_grad():
            self.residuals(e)
            now = copy.deepcopy(self.field)
            now.load_state_dict(self.weights(e), strict=False)
            self.decompose(self.grid.observed(self.grid.paths_of(now.hidden, self.states)))

    def decompose(self, paths: torch.Tensor) -> None:
        """Eigenvalues and vectors of the kernel of paths (m - 1, F) of the last layer's inputs."""
        values, self.vectors = torch.linalg.eigh(paths @ paths.T * self.prior.std**2)
        self.values = values.clamp(min=0)

    def error(self, e: torch.Tensor) -> float:
        """Of the solved states at all observed times, relative to the variance of the observed ones."""
        with torch.no_grad():
            squares = self.residuals(e).square().sum() / self.u.numel()
        return float(squares / self.u.var(0, unbiased=False).mean().clamp(min=1e-12))

    def picard(self) -> Iterator[torch.Tensor]:
        """Whitened weights (P,), whose last layer is the most probable one along the path of those before; the others are zero."""
        u, scales = self.u, self.field.scales
        states = u[:1].expand(len(self.grid.times), *u.shape[1:])
        for _ in range(PATHS):
            paths = self.grid.paths_of(self.field.hidden, states)
            self.decompose(self.grid.observed(paths))
            wanted = self.preconditioned((u[1:] - u[0]).flatten()).view(len(u) - 1, -1)
            last = self.prior.std * self.grid.observed(paths).T @ wanted * scales.flatten()
            made = u[0] + (self.prior.std * paths @ last).view(-1, *u.shape[1:]) * scales
            before, states = states, torch.cat([u[:1], made])
            others = sum(weight.numel() for weight in self.first.values()) - last.numel()
            yield torch.cat([torch.zeros(others).to(u), last[:-1].T.flatten(), last[-1]])
            if (states - before).norm() <= SAME * (states - u[0]).norm():
                break

    def preconditioned(self, x: torch.Tensor) -> torch.Tensor:
        """The inverse of J J^T + 1 for the last layer alone, as if the path did not turn back on the field."""
        turned = self.vectors.T @ x.view(len(self.u) - 1, -1)
        return (self.vectors @ (turned / (self.values[:, None] * self.weight + 1))).flatten()

    def conjugate_gradient(
        self, product: Callable[[torch.Tensor], torch.Tensor], b: torch.Tensor, products: int
    ) -> torch.Tensor:
        """x with product(x) = b, product symmetric and positive definite; 0 products: what the preconditioner makes of b."""
        x = self.preconditioned(b)
        if not products:
            return x
        r = b - product(x)
        z = self.preconditioned(r)
        p, rz = z, r @ z
        for _ in range(products):
            if r.norm() <= ACCURACY * b.norm():
                break
            q = product(p)
            alpha = rz / (p @ q)
            x, r = x + alpha * p, r - alpha * q
            z = self.preconditioned(r)
            rz, before = r @ z, rz
            p = z + rz / before * p
        return x


def most_probable(
    field: MLPField, u: torch.Tensor, taus: torch.Tensor, steps: int, noise_at_most: float = float("inf")
) -> tuple[torch.Tensor, dict[str, Any]]:
    """The most probable weights (P,) of a field for states u (m, 1, K) at times taus (m,), all in double precision.

    At most `steps` Gauss-Newton steps; the noise has at most that variance, in that of the paths.  Also returns what to log: the variances chosen, the objective after the Picard
    iterations and after each step, and the relative error at the observed times before and after each of either kind.
    """
    posterior = Posterior(field, u, taus, noise_at_most)
    e, enough = torch.zeros(sum(weight.numel() for weight in posterior.first.values())).to(u), ENOUGH * u[1:].numel()
    errors = [posterior.error(e)]
    for e in posterior.picard():
        errors.append(posterior.error(e))
    objectives = [posterior.objective(e)]
    for count in range(steps):
        change = posterior.step(e, PRODUCTS if count else 0) - e  # the first one is cheap: is there anything to gain?
        for halved in range(HALVINGS):
            value = posterior.objective(e + change / 2**halved)
            if value < objectives[-1]:
                e = e + change / 2**halved
                break
        else:
            break
        objectives.append(value)
        errors.append(posterior.error(e))
        if objectives[-2] - value < enough:
            break
    weights = torch.cat([weight.flatten() for weight in posterior.weights(e).values()])
    log = {"left_out_error": posterior.prior.left_out_error, "prior": posterior.prior.chosen, "objectives": objectives}
    return weights, log | {"looks": errors, "nfe": 4 * (len(posterior.grid.times) - 1) * posterior.solves}
