"""Dormand and Prince's method of order 5 with step control and dense output, and its gradient.

The method of torchdiffeq's `dopri5` (Hairer, Norsett and Wanner 1993, Sec. II.4 to II.6), without a graph of the many small
tensors between evaluations: the gradient goes through the accepted steps' arithmetic as written here, through the field
one evaluation at a time, by hand where it is a plain MLP and by autograd elsewhere, and to the weights of linear layers by
one product for all evaluations.
"""

import contextlib
import functools
import math
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional

from dynode.dynamics.solvers import mlp_vjp
from dynode.dynamics.solvers.mlp_vjp import ByHand

NODES = (0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1)
STAGES = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
WEIGHTS = (*STAGES[6], 0.0)
FOURTH = (
    1951 / 21600,
    0,
    22642 / 50085,
    451 / 720,
    -12231 / 42400,
    649 / 6300,
    1 / 60,
)  # Shampine 1986, as torchdiffeq
ERRORS = tuple(fifth - fourth for fifth, fourth in zip(WEIGHTS, FOURTH, strict=True))
DENSE = (
    -12715105075 / 11282082432,
    0,
    87487479700 / 32700410799,
    -10690763975 / 1880347072,
    701980252875 / 199316789632,
    -1453857185 / 822651844,
    69997945 / 29380423,
)
SAFETY, MOST, LEAST = 0.9, 10.0, 0.2  # factors of the next step
SMALLEST = 1e-7, 1e-16  # step, as a share of the time that is reached, and in all


class Underflow(ArithmeticError):
    """The step had to become vanishingly small, or the state is not finite."""


@dataclass
class Step:
    """An accepted step of length h from `start` (n,) to `end`, with the velocities (7, n) of its stages.

    graphs: of each stage, the input as a leaf and the velocity that autograd made of it; None where no gradient is wanted.
    asked: (position in the answer, share of the step) of every time within.
    """

    h: float
    start: torch.Tensor
    velocities: torch.Tensor
    graphs: list
    end: torch.Tensor
    asked: list[tuple[int, float]] = field(default_factory=list)

    def at(self, share: float) -> torch.Tensor:
        """The state (n,) at a share of the step."""
        weights = self.start.new_tensor(within(share))
        return torch.addmv(self.start, self.velocities.T, weights, alpha=self.h)


@functools.cache
def tensor(weights: tuple, like: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.tensor(weights, dtype=like, device=device)


def blend(start: torch.Tensor, scale: float, weights: tuple, velocities: torch.Tensor) -> torch.Tensor:
    """start (n,) + scale * weights (k,) times velocities (k, n)."""
    return torch.addmv(start, velocities.T, tensor(weights, start.dtype, start.device), alpha=scale)


def within(share: float) -> tuple[float, ...]:
    """Weights of the seven velocities in the state at a share of the step (Hairer et al., Sec. II.6)."""
    left = 1 - share
    weights = []
    for k in range(7):
        first, last = float(k == 0), float(k == 6)
        bend = left * (first - WEIGHTS[k]) + share * left * (2 * WEIGHTS[k] - first - last)
        weights.append(share * (WEIGHTS[k] + bend + share * left**2 * DENSE[k]))
    return tuple(weights)


def scaled_norm(x: torch.Tensor, scale: torch.Tensor) -> float:
    """Root mean square in units of the tolerance."""
    return float((x / scale).square().mean().sqrt())


def first_step(f, t: float, y, velocity, sign: float, rtol: float, atol: float) -> float:
    """A length to begin with (Hairer et al., Sec. II.4)."""
    scale = atol + rtol * y.abs()
    size, speed = scaled_norm(y, scale), scaled_norm(velocity, scale)
    small = 1e-6 if min(size, speed) < 1e-5 else 0.01 * size / speed
    ahead, _ = f(t + sign * small, torch.add(y, velocity, alpha=sign * small))
    curve = max(speed, scaled_norm(ahead - velocity, scale) / small)
    return min(100 * small, max(1e-6, 1e-3 * small) if curve <= 1e-15 else (0.01 / curve) ** 0.2)


def advanced(f, t: float, y, velocity, graph, h: float) -> Step:
    """One step of length h (negative: backward) from y with the velocity there."""
    velocities, graphs = y.new_empty(7, len(y)), [graph]
    velocities[0] = velocity
    for k in range(1, 7):
        end = blend(y, h, STAGES[k], velocities[:k])
        velocities[k], graph = f(t + NODES[k] * h, end)
        graphs.append(graph)
    return Step(h, y, velocities, graphs, end)


def steps(f, u0: torch.Tensor, ts: list[float], rtol: float, atol: float) -> list[Step]:
    """The accepted steps from ts[0] to beyond ts[-1], from u0 (n,); f(t, u) gives the velocity (n,) and its graph.

    Raises Underflow.
    """
    sign = 1.0 if ts[-1] > ts[0] else -1.0
    (velocity, graph), t, y, taken, waiting = f(ts[0], u0), ts[0], u0, [], list(enumerate(ts))[1:]
    length = first_step(f, t, y, velocity, sign, rtol, atol)
    while waiting:
        if not length > max(SMALLEST[0] * abs(t), SMALLEST[1]):
            raise Underflow
        step = advanced(f, t, y, velocity, graph, sign * length)
        scale = atol + rtol * torch.maximum(y.abs(), step.end.abs())
        ratio = scaled_norm(blend(torch.zeros_like(y), step.h, ERRORS, step.velocities), scale)
        if not math.isfinite(ratio):
            raise Underflow
        if ratio <= 1:
            while waiting and (waiting[0][1] - t - step.h) * sign <= 0:
                step.asked.append((waiting[0][0], (waiting.pop(0)[1] - t) / step.h))
            taken.append(step)
            t, y, velocity, graph = t + step.h, step.end, step.velocities[-1], step.graphs[-1]
        length *= min(MOST, max(SAFETY / max(ratio, 1e-10) ** 0.2, 1.0 if ratio < 1 else LEAST))
    return taken


def states_of(u0: torch.Tensor, count: int, taken: list[Step]) -> torch.Tensor:
    """What is asked for, (count, n)."""
    states = u0.new_empty(count, len(u0))
    states[0] = u0
    for step in taken:
        for position, share in step.asked:
            states[position] = step.at(share)
    return states


@contextlib.contextmanager
def deferring(layers: dict[nn.Linear, list]):
    """Within, backward passes keep what the gradients of the layers' weights are made of, and do not make them."""
    for layer, kept in layers.items():
        layer.forward = deferred(layer, kept)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def deferred(layer: nn.Linear, kept: list):
    """The layer as a function whose backward pass keeps input and gradient, for `gradients_of`."""
    weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()

    def forward(x):
        out = functional.linear(x, weight, bias)
        out.register_hook(lambda gradient: kept.append((x.detach(), gradient)))
        return out

    return forward


class ByAutograd:
    """A field evaluated and pulled back by autograd; what `ByHand` is for fields that are more than a plain MLP.

    kept: layer -> [(input, gradient), ...] of its linear layers; gradients of other parameters are added up in `found`.
    """

    def __init__(self, module: nn.Module):
        self.module, self.kept = module, {layer: [] for layer in module.modules() if isinstance(layer, nn.Linear)}
        put_off = {id(weight) for layer in self.kept for weight in layer.parameters()}
        self.others = [p for p in module.parameters() if p.requires_grad and id(p) not in put_off]
        self.found: dict[int, torch.Tensor] = {}

    def recording(self):
        return deferring(self.kept)

    def evaluated(self, t: float, u: torch.Tensor) -> tuple[torch.Tensor, tuple]:
        """The velocity of a state, flat, and its graph."""
        leaf = u.detach().requires_grad_()
        with torch.enable_grad():
            velocity = self.module(u.new_tensor(t), leaf)
        return velocity.detach().flatten(), (leaf, velocity)

    def pulled(self, graph: tuple, toward: torch.Tensor) -> torch.Tensor:
        """The gradient at the state, flat, from that at the velocity (n,)."""
        leaf, velocity = graph
        wanted = torch.autograd.grad(
            velocity, [leaf, *self.others], toward.view_as(velocity), retain_graph=True, allow_unused=True
        )
        for parameter, more in zip(self.others, wanted[1:], strict=True):
            if more is not None:
                self.found[id(parameter)] = self.found.get(id(parameter), 0) + more
        return torch.zeros_like(toward) if wanted[0] is None else wanted[0].flatten()


class Solve(torch.autograd.Function):
    """States (T, ...) at ts by `steps`, with the gradient to u0 and to the field's parameters."""

    @staticmethod
    def forward(ctx, module, count, ts, rtol, atol, u0, *parameters):
        ctx.way, ctx.parameters = (ByHand if mlp_vjp.can(module) else ByAutograd)(module), parameters

        def recorded(t, u):
            count()
            return ctx.way.evaluated(t, u.view_as(u0))

        with ctx.way.recording():
            ctx.taken = steps(recorded, u0.detach().flatten(), ts, rtol, atol)
        return states_of(u0.flatten(), len(ts), ctx.taken).view(len(ts), *u0.shape)

    @staticmethod
    def backward(ctx, gradient):
        flat, way = gradient.flatten(1), ctx.way
        at_start, found = flat[0] + backward_through(ctx.taken, flat, way.pulled), dict(way.found)
        for layer, kept in way.kept.items():
            found |= gradients_of(layer, kept)
            kept.clear()
        way.found.clear()
        return None, None, None, None, None, at_start.view_as(gradient[0]), *(found.get(id(p)) for p in ctx.parameters)


def backward_through(taken: list[Step], gradient: torch.Tensor, pulled) -> torch.Tensor:
    """The gradient at the first state (n,), from those at the asked times (T, n)."""
    at_end = last = torch.zeros_like(gradient[0])  # of the step's end, and of its last velocity as the next one's first
    for step in reversed(taken):
        toward = torch.outer(tensor(WEIGHTS, at_end.dtype, at_end.device), step.h * at_end)
        toward[6] += last
        at_start = at_end
        for position, share in step.asked:
            at_start = at_start + gradient[position]
            toward.addr_(gradient.new_tensor(within(share)), gradient[position], alpha=step.h)
        for k in range(6, 0, -1):
            back = pulled(step.graphs[k], toward[k])
            at_start = at_start + back
            toward[:k].addr_(tensor(STAGES[k], back.dtype, back.device), back, alpha=step.h)
        at_end, last = at_start, toward[0]
    return at_end + pulled(taken[0].graphs[0], last)


def gradients_of(layer: nn.Linear, kept: list) -> dict[int, torch.Tensor]:
    """Gradients of weight and bias, by their id, from all inputs (..., in) and gradients (..., out) of a layer."""
    if not kept:
        return {}
    x, g = (torch.cat([part.reshape(-1, part.shape[-1]) for part in parts]) for parts in zip(*kept, strict=True))
    return {id(layer.weight): g.T @ x} | ({} if layer.bias is None else {id(layer.bias): g.sum(0)})


def solve(module: nn.Module, u0: torch.Tensor, ts: torch.Tensor, rtol: float, atol: float, count=lambda: None):
    """States (T, ...) of du/dt = module(t, u) at monotone times ts (T,), from u0 (...) at the first.

    Differentiable in u0 and the module's parameters; `count` is called at every evaluation.  Raises Underflow.
    """
    times, parameters = ts.tolist(), [p for p in module.parameters() if p.requires_grad]
    if torch.is_grad_enabled() and (parameters or u0.requires_grad):
        return Solve.apply(module, count, times, rtol, atol, u0, *parameters)

    def plain(t, u):
        count()
        return module(u.new_tensor(t), u.view_as(u0)).flatten(), None

    with torch.no_grad():
        taken = steps(plain, u0.flatten(), times, rtol, atol)
        return states_of(u0.flatten(), len(times), taken).view(len(times), *u0.shape)
