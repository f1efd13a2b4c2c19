"""Wrong answers to the exercises of the course, each with a part of the hint that it gets."""

import math

import torch

from dynode.dynamics.solvers.rollout import SolverSettings, rollout


def middle(field, t, y, h):
    """The midpoint rule, of order two."""
    return y + h * field(t + h / 2, y + h / 2 * field(t, y))


def rk4(field, t, y, h, nodes=(0.5, 0.5, 1.0), weights=(1, 2, 2, 1), chained=True):
    first = field(t, y)
    second = field(t + nodes[0] * h, y + h / 2 * first)
    third = field(t + nodes[1] * h, y + h / 2 * (second if chained else first))
    last = field(t + nodes[2] * h, y + h * third)
    return y + h / 6 * sum(w * k for w, k in zip(weights, (first, second, third, last), strict=True))


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


def slope(x, y):
    x, y = x.log(), y.log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


WRONG = {
    "T2.euler_step": [
        (lambda f, t, y, h: y + f(t, y), "a quarter"),
        (lambda f, t, y, h: y - h * f(t, y), "a quarter"),
        (lambda f, t, y, h: y + h * f(t + h, y), "time at which the step begins"),
        (middle, "a quarter"),
        (lambda f, t, y: y, "TypeError"),
    ],
    "T2.rk4_step": [
        (lambda f, t, y, h: y + h * f(t, y), "weights"),
        (middle, "weights|order is below four"),
        (lambda f, t, y, h: rk4(f, t, y, h, weights=(1, 1, 1, 1)), "weights"),
        (lambda f, t, y, h: rk4(f, t, y, h, chained=False), "order is below four"),
        (lambda f, t, y, h: rk4(f, t, y, h, nodes=(0, 0, 0)), "wrong moments"),
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
    ],
    "T2.agreement": [
        (turn(), "two solutions"),
        ((turn(), ...), "still missing"),
        ((turn(), turn()), "a copy"),
        ((turn(1e-9), turn(2e-6)), "second solution is more than"),
        ((turn(), turn(dtype=torch.float32)), "seven digits"),
    ],
}
