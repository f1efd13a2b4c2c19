"""Dormand and Prince's method of order 5 with step control and dense output, and its gradient.

The method of torchdiffeq's `dopri5` (Hairer, Norsett and Wanner 1993, Sec. II.4 to II.6), without an autograd graph of the
many small tensors between evaluations.  The gradient passes backward through the arithmetic of the accepted steps, written
out here; through the field one evaluation at a time, by `MLPVJP` for a plain MLP and by autograd for other fields; and to
the weights of linear layers by one product for all evaluations.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn import functional

from dynode.dynamics.solvers import mlp_vjp
from dynode.dynamics.solvers.mlp_vjp import MLPVJP

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
SMALLEST = 1e-7, 1e-16  # step, relative to the time reached, and absolute
Kept: TypeAlias = dict[nn.Linear, list[tuple[torch.Tensor, torch.Tensor]]]  # layer -> its inputs and output gradients
Evaluate: TypeAlias = Callable[[float, torch.Tensor], tuple[torch.Tensor, Any]]  # t, u (n,) -> velocity (n,), its graph


class Underflow(ArithmeticError):
    """The step had to become vanishingly small, or the state is not finite."""


@dataclass
class Step:
    """An accepted step of length h from `start` (n,) to `end`, with the velocities (7, n) of its stages.

    graphs: of each stage, what `pulled_back` needs of its evaluation; None where no gradient is wanted.
    queries: (index of the query time, fraction of the step) of every query time within.
    """

    h: float
    start: torch.Tensor
    velocities: torch.Tensor
    graphs: list[Any]
    end: torch.Tensor
    queries: list[tuple[int, float]] = field(default_factory=list)

    def at(self, fraction: float) -> torch.Tensor:
        """The state (n,) at a fraction of the step, by dense output."""
        weights = self.start.new_tensor(dense_weights(fraction))
        return torch.addmv(self.start, self.velocities.T, weights, alpha=self.h)


@functools.cache
def tensor(weights: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.tensor(weights, dtype=dtype, device=device)


def blend(start: torch.Tensor, scale: float, weights: tuple[float, ...], velocities: torch.Tensor) -> torch.Tensor:
    """start (n,) + scale * weights (k,) @ velocities (k, n)."""
    return torch.addmv(start, velocities.T, tensor(weights, start.dtype, start.device), alpha=scale)


def dense_weights(x: float) -> tuple[float, ...]:
    """Weights of the seven velocities in the state at a fraction x of the step (Hairer et al., Sec. II.6)."""
    rest = 1 - x
    weights = []
    for k in range(7):
        first, last = float(k == 0), float(k == 6)
        bend = rest * (first - WEIGHTS[k]) + x * rest * (2 * WEIGHTS[k] - first - last)
        weights.append(x * (WEIGHTS[k] + bend + x * rest**2 * DENSE[k]))
    return tuple(weights)


def scaled_norm(x: torch.Tensor, scale: torch.Tensor) -> float:
    """Root mean square in units of the tolerance."""
    return float((x / scale).square().mean().sqrt())


def first_step(
    f: Evaluate, t: float, y: torch.Tensor, velocity: torch.Tensor, sign: float, rtol: float, atol: float
) -> float:
    """The length of the first trial step (Hairer et al., Sec. II.4)."""
    scale = atol + rtol * y.abs()
    size, speed = scaled_norm(y, scale), scaled_norm(velocity, scale)
    small = 1e-6 if min(size, speed) < 1e-5 else 0.01 * size / speed
    ahead, _ = f(t + sign * small, torch.add(y, velocity, alpha=sign * small))
    curve = max(speed, scaled_norm(ahead - velocity, scale) / small)
    return min(100 * small, max(1e-6, 1e-3 * small) if curve <= 1e-15 else (0.01 / curve) ** 0.2)


def take_step(f: Evaluate, t: float, y: torch.Tensor, velocity: torch.Tensor, graph: Any, h: float) -> Step:
    """One step of length h (negative: backward) from y, with the velocity there and its graph."""
    velocities, graphs, end = y.new_empty(7, len(y)), [graph], y
    velocities[0] = velocity
    for k in range(1, 7):
        end = blend(y, h, STAGES[k], velocities[:k])
        velocities[k], graph = f(t + NODES[k] * h, end)
        graphs.append(graph)
    return Step(h, y, velocities, graphs, end)


def steps(f: Evaluate, u0: torch.Tensor, ts: list[float], rtol: float, atol: float) -> list[Step]:
    """The accepted steps from ts[0] to beyond ts[-1], from u0 (n,).  Raises Underflow."""
    sign = 1.0 if ts[-1] > ts[0] else -1.0
    (velocity, graph), t, y, accepted, waiting = f(ts[0], u0), ts[0], u0, [], list(enumerate(ts))[1:]
    length = first_step(f, t, y, velocity, sign, rtol, atol)
    while waiting:
        if not length > max(SMALLEST[0] * abs(t), SMALLEST[1]):
            raise Underflow
        step = take_step(f, t, y, velocity, graph, sign * length)
        scale = atol + rtol * torch.maximum(y.abs(), step.end.abs())
        ratio = scaled_norm(blend(torch.zeros_like(y), step.h, ERRORS, step.velocities), scale)
        if not math.isfinite(ratio):
            raise Underflow
        if ratio <= 1:
            while waiting and (waiting[0][1] - t - step.h) * sign <= 0:
                step.queries.append((waiting[0][0], (waiting.pop(0)[1] - t) / step.h))
            accepted.append(step)
            t, y, velocity, graph = t + step.h, step.end, step.velocities[-1], step.graphs[-1]
        length *= min(MOST, max(SAFETY / max(ratio, 1e-10) ** 0.2, 1.0 if ratio < 1 else LEAST))
    return accepted


def states_at_queries(u0: torch.Tensor, times: int, accepted: list[Step]) -> torch.Tensor:
    """The states (times, n) at the query times, of which the first is that of u0 (n,)."""
    states = u0.new_empty(times, len(u0))
    states[0] = u0
    for step in accepted:
        for index, fraction in step.queries:
            states[index] = step.at(fraction)
    return states


@contextlib.contextmanager
def deferring(layers: Kept) -> Iterator[None]:
    """Within, backward passes keep inputs and output gradients of the layers, and leave out the gradients of their weights."""
    for layer, kept in layers.items():
        layer.forward = deferred(layer, kept)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def deferred(layer: nn.Linear, kept: list[tuple[torch.Tensor, torch.Tensor]]) -> Callable[..., torch.Tensor]:
    """The layer as a function whose backward pass keeps input and output gradient, for `weight_gradients`."""
    weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()

    def forward(input: torch.Tensor) -> torch.Tensor:
        out = functional.linear(input, weight, bias)
        out.register_hook(lambda gradient: kept.append((input.detach(), gradient)))
        return out

    return forward


class AutogradVJP:
    """A field evaluated and pulled back by autograd: what `MLPVJP` does, for any field.

    kept: layer -> [(input, gradient), ...] of its linear layers.  gradients: sums of those of other parameters, by id.
    """

    def __init__(self, module: nn.Module):
        self.module = module
        self.kept: Kept = {layer: [] for layer in module.modules() if isinstance(layer, nn.Linear)}
        in_layers = {id(weight) for layer in self.kept for weight in layer.parameters()}
        self.others = [p for p in module.parameters() if p.requires_grad and id(p) not in in_layers]
        self.gradients: dict[int, torch.Tensor] = {}

    def recording(self) -> contextlib.AbstractContextManager[None]:
        """Within, evaluations can be pulled back later."""
        return deferring(self.kept)

    def evaluated(self, t: float, u: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """The velocity of a state, flat, and its graph: the state as a leaf and the velocity."""
        leaf = u.detach().requires_grad_()
        with torch.enable_grad():
            velocity = self.module(u.new_tensor(t), leaf)
        return velocity.detach().flatten(), (leaf, velocity)

    def pulled_back(self, graph: tuple[torch.Tensor, torch.Tensor], cotangent: torch.Tensor) -> torch.Tensor:
        """The gradient at the state, flat, from that at the velocity, `cotangent` (n,)."""
        leaf, velocity = graph
        state_gradient, *others = torch.autograd.grad(
            velocity, [leaf, *self.others], cotangent.view_as(velocity), retain_graph=True, allow_unused=True
        )
        for parameter, gradient in zip(self.others, others, strict=True):
            if gradient is not None:
                self.gradients[id(parameter)] = self.gradients.get(id(parameter), 0) + gradient
        return torch.zeros_like(cotangent) if state_gradient is None else state_gradient.flatten()


class Solve(torch.autograd.Function):
    """States (T, ...) at ts by `steps`, with the gradient to u0 and to the field's parameters."""

    @staticmethod
    def forward(
        ctx: Any,
        module: nn.Module,
        count: Callable[[], None],
        ts: list[float],
        rtol: float,
        atol: float,
        u0: torch.Tensor,
        *parameters: nn.Parameter,
    ) -> torch.Tensor:
        ctx.vjp = MLPVJP(module) if mlp_vjp.is_plain_mlp(module) else AutogradVJP(module)
        ctx.parameters = parameters

        def recorded(t: float, u: torch.Tensor) -> tuple[torch.Tensor, Any]:
            count()
            return ctx.vjp.evaluated(t, u.view_as(u0))

        with ctx.vjp.recording():
            ctx.accepted = steps(recorded, u0.detach().flatten(), ts, rtol, atol)
        return states_at_queries(u0.flatten(), len(ts), ctx.accepted).view(len(ts), *u0.shape)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, vjp = gradient.flatten(1), ctx.vjp
        at_start = flat[0] + backward_through(ctx.accepted, flat, vjp.pulled_back)
        by_id = dict(vjp.gradients)
        for layer, kept in vjp.kept.items():
            by_id |= weight_gradients(layer, kept)
            kept.clear()
        vjp.gradients.clear()
        return None, None, None, None, None, at_start.view_as(gradient[0]), *(by_id.get(id(p)) for p in ctx.parameters)


def backward_through(
    accepted: list[Step], gradient: torch.Tensor, pull_back: Callable[[Any, torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """The gradient at the first state (n,), from those at the query times, `gradient` (T, n)."""
    at_end = last = torch.zeros_like(gradient[0])  # of the step's end, and of its last velocity as the next one's first
    for step in reversed(accepted):
        cotangents = torch.outer(tensor(WEIGHTS, at_end.dtype, at_end.device), step.h * at_end)
        cotangents[6] += last
        at_start = at_end
        for index, fraction in step.queries:
            at_start = at_start + gradient[index]
            cotangents.addr_(gradient.new_tensor(dense_weights(fraction)), gradient[index], alpha=step.h)
        for k in range(6, 0, -1):
            back = pull_back(step.graphs[k], cotangents[k])
            at_start = at_start + back
            cotangents[:k].addr_(tensor(STAGES[k], back.dtype, back.device), back, alpha=step.h)
        at_end, last = at_start, cotangents[0]
    return at_end + pull_back(accepted[0].graphs[0], last)


def weight_gradients(layer: nn.Linear, kept: list[tuple[torch.Tensor, torch.Tensor]]) -> dict[int, torch.Tensor]:
    """Gradients of weight and bias, by their id, from all inputs (..., in) and output gradients (..., out) of a layer."""
    if not kept:
        return {}
    x, g = (torch.cat([part.reshape(-1, part.shape[-1]) for part in parts]) for parts in zip(*kept, strict=True))
    return {id(layer.weight): g.T @ x} | ({} if layer.bias is None else {id(layer.bias): g.sum(0)})


def solve(
    module: nn.Module,
    u0: torch.Tensor,
    ts: torch.Tensor,
    rtol: float,
    atol: float,
    count: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """States (T, ...) of du/dt = module(t, u) at monotone times ts (T,), from u0 (...) at the first.

    Differentiable in u0 and the module's parameters; `count` is called at every evaluation.  Raises Underflow.
    """
    times, parameters = ts.tolist(), [p for p in module.parameters() if p.requires_grad]
    if torch.is_grad_enabled() and (parameters or u0.requires_grad):
        states: Any = Solve.apply(module, count, times, rtol, atol, u0, *parameters)
        return states

    def plain(t: float, u: torch.Tensor) -> tuple[torch.Tensor, None]:
        count()
        return module(u.new_tensor(t), u.view_as(u0)).flatten(), None

    with torch.no_grad():
        accepted = steps(plain, u0.flatten(), times, rtol, atol)
        return states_at_queries(u0.flatten(), len(times), accepted).view(len(times), *u0.shape)
