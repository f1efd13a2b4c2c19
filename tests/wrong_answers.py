"""Wrong answers to the exercises of the course, each with a part of the hint that it gets."""

import math

import torch

from dynode.dynamics.solvers.rollout import SolverSettings, rollout
from dynode.experiments.teaching import paths

STRIDE = 3  # the right one


def middle(field, t, y, h):
    """The midpoint rule, of order two."""
    return y + h * field(t + h / 2, y + h / 2 * field(t, y))


def rk4(field, t, y, h, nodes=(0.5, 0.5, 1.0), weights=(1, 2, 2, 1), chained=True):
    first = field(t, y)
    second = field(t + nodes[0] * h, y + h / 2 * first)
    third = field(t + nodes[1] * h, y + h / 2 * (second if chained else first))
    last = field(t + nodes[2] * h, y + h * third)
    return y + h / 6 * sum(w * k for w, k in zip(weights, (first, second, third, last), strict=True))


def three_eighths(field, t, y, h):
    """Kutta's 3/8 rule, of order four too."""
    first = field(t, y)
    second = field(t + h / 3, y + h / 3 * first)
    third = field(t + 2 * h / 3, y + h * (second - first / 3))
    last = field(t + h, y + h * (first - second + third))
    return y + h / 8 * (first + 3 * second + 3 * third + last)


def from_the_library(field, t, y, h):
    """torchdiffeq's `rk4`, which is the 3/8 rule."""
    return rollout(field, y, torch.tensor([t, t + h]), SolverSettings(solver="rk4", step=h)).states[1]


def fixed(stiffness):
    """The count of another stiffness."""
    return rollout(lambda t, y: t.cos() - y, torch.ones(1), torch.tensor([0.0, 10.0]), SolverSettings()).nfe


def slack(stiffness):
    """The count at looser tolerances."""
    settings = SolverSettings(rtol=1e-2, atol=1e-2)
    return rollout(lambda t, y: -stiffness * (y - t.cos()), torch.ones(1), torch.tensor([0.0, 10.0]), settings).nfe


def turn(off=0.0, dtype=torch.float64):
    ts = torch.linspace(0, 2 * math.pi, 50, dtype=torch.float64)
    return torch.stack([ts.cos() + off, ts.sin()], 1).to(dtype)


def held(ws, stride):
    """Every frame by the observed one before it."""
    return ws[[len(ws) - 1 if k == len(ws) - 1 else k - k % stride for k in range(len(ws))]]


def without_the_last(ws, stride):
    """Linear between observed frames, held after the last multiple of the stride."""
    whole = (len(ws) - 1) // stride * stride
    return torch.cat([paths.linear(ws[: whole + 1], stride), ws[whole].expand(len(ws) - 1 - whole, -1, -1)])


def by_the_stride(ws, stride):
    """As if the last interval were as long as the others."""
    line, whole = paths.linear(ws, stride), (len(ws) - 1) // stride * stride
    for k in range(whole + 1, len(ws) - 1):
        line[k] = torch.lerp(ws[whole], ws[-1], (k - whole) / stride)
    return line


def eased(ws, stride):
    """Exact at constant velocity and at observed frames, off the line elsewhere."""
    line = paths.linear(ws, stride)
    between = (torch.arange(len(ws)) % stride > 0)[:, None, None]
    return line + between * (line[0] - 2 * line[stride] + line[2 * stride])


def overwritten(a, b, x):
    """A share x of the path from a to b, in the memory of a."""
    a += x * (b - a)
    return a


def solve(stiffness):
    """The states and the count."""
    return rollout(lambda t, y: -stiffness * (y - t.cos()), torch.ones(1), torch.tensor([0.0, 10.0]))


def slope(x, y):
    x, y = x.log(), y.log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


WRONG = {
    "T1.lerp": [
        (lambda a, b, x: (1 - x) * b + x * a, "ends are swapped"),
        (lambda a, b, x: a + x * b, "at x = 1"),
        (lambda a, b, x: (a + b) / 2, "at x = 0"),
        (lambda a, b, x: (1 - x**2) * a + x**2 * b, "equal speed"),
        (overwritten, "it changes the tensors"),
    ],
    "T1.predicted": [
        (lambda ws, stride: ws, "must not be used"),
        (lambda ws, stride: ws[::stride], "for each of the 11 frames"),
        (held, "constant velocity"),
        (without_the_last, "last interval alone"),
        (by_the_stride, "last interval alone"),
        (lambda ws, stride: torch.zeros_like(ws), "their own codes"),
        (eased, "not on a line"),
    ],
    "T1.skill": [
        (lambda errors, linear: errors.sum() / linear.sum(), "that is the ratio"),
        (lambda errors, linear: 1 - (errors / linear).mean(), "mean of ratios"),
        (lambda errors, linear: 1 - linear.sum() / errors.sum(), "none at all is 1"),
        (lambda errors, linear: torch.tensor(0.8), "against itself"),
    ],
    "T1.stride": [
        (STRIDE + 1, "first stride that misses"),
        (STRIDE - 1, "look at the figure"),
        (float(STRIDE), "whole number"),
    ],
    "T2.euler_step": [
        (lambda f, t, y, h: y + f(t, y), "a quarter"),
        (lambda f, t, y, h: y - h * f(t, y), "a quarter"),
        (lambda f, t, y, h: y + h * f(t + h, y), "time at which the step begins"),
        (middle, "a quarter"),
        (lambda f, t, y: y, "TypeError"),
        (lambda f, t, y, h: y.add_(h * f(t, y)), "it changes the tensors"),
    ],
    "T2.rk4_step": [
        (lambda f, t, y, h: y + h * f(t, y), "weights"),
        (middle, "weights|order is below four"),
        (lambda f, t, y, h: rk4(f, t, y, h, weights=(1, 1, 1, 1)), "weights"),
        (lambda f, t, y, h: rk4(f, t, y, h, chained=False), "order is below four"),
        (lambda f, t, y, h: rk4(f, t, y, h, nodes=(0, 0, 0)), "wrong moments"),
        (lambda f, t, y, h: rk4(f, t, y, h, weights=(1.5, 1.5, 1.5, 1.5)), "what are the weights"),
        (three_eighths, "another method"),
        (from_the_library, "another method"),
    ],
    "T2.order": [
        (lambda x, y: -slope(x, y), "sign is turned"),
        (lambda x, y: slope(y, x), "axes are swapped"),
        (lambda x, y: float((y[0] / y[-1]) / (x[0] / x[-1])), "logarithms of both"),
        (lambda x, y: slope(x, y) + 0.01, "logarithms of both"),
    ],
    "T2.next_length": [
        (lambda h, ratio, p: h * min(10, max(0.2, ratio ** (-1 / p))), "a little shorter"),
        (lambda h, ratio, p: h * min(10, max(0.2, 0.9 / ratio)), "asks for half the step"),
        (lambda h, ratio, p: h * max(0.2, 0.9 * ratio ** (-1 / p)), "tenfold"),
        (lambda h, ratio, p: h * min(10, 0.9 * ratio ** (-1 / p)), "a fifth"),
        (lambda h, ratio, p: h * min(10, max(0.2, 0.9 * ratio**-0.2)), "depends on the order"),
    ],
    "T2.stiffness": [
        (fixed, "no part in your field"),
        (slack, "another problem"),
        (lambda stiffness: torch.ones(2), "not the states"),
        (solve, "not the states"),
    ],
    "T2.agreement": [
        (turn(), "two solutions"),
        ((turn(), ...), "still missing"),
        ((turn(), turn()), "a copy"),
        ((turn(), solve(1.0)), "two tensors"),
        ((turn(1e-9), turn(2e-6)), "second solution is more than"),
        ((turn(), turn(dtype=torch.float32)), "seven digits"),
    ],
}
