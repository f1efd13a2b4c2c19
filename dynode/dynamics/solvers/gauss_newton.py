"""Gauss-Newton steps of least norm: for networks with more weights than there are numbers to meet."""

from collections.abc import Callable

import torch
from torch.func import vjp, vmap

HALVINGS = 10  # of a step that does not lower the error


def least_norm(residuals: Callable, weights: torch.Tensor, steps: int, enough: float, damping: float = 1e-9):
    """Weights (P,) at which residuals(weights) (M,) vanish, M < P, near those given; and the sums of squares on the way.

    Each step is the shortest that removes the linearised residuals, dw = -J^T (J J^T + damping)^-1 r (Nocedal and Wright
    2006, Sec. 10.3, for fewer residuals than unknowns), halved until the sum of squares falls.  It ends after so many
    steps, when the sum is `enough`, or when no step lowers it.
    """
    errors = []
    for _ in range(steps):
        r, pull = vjp(residuals, weights)
        errors.append(float(r.square().sum()))
        if errors[-1] <= enough:
            break
        jacobian = vmap(lambda row, pull=pull: pull(row)[0])(torch.eye(len(r)).to(r))
        normal = jacobian @ jacobian.T
        normal.diagonal().add_(damping * normal.diagonal().mean())
        step = jacobian.T @ torch.linalg.solve(normal, r)
        for halved in range(HALVINGS):
            tried = weights - step / 2**halved
            if float(residuals(tried).square().sum()) < errors[-1]:
                weights = tried
                break
        else:
            break
    return weights, errors
