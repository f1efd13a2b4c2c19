"""Gauss-Newton steps of least norm, for networks with more weights than residuals."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.func import vjp, vmap

HALVINGS = 10  # of a step that does not lower the error, at most
Residuals: TypeAlias = Callable[[torch.Tensor], torch.Tensor]  # weights (P,) -> residuals (M,)


def least_norm(
    residuals: Residuals, weights: torch.Tensor, steps: int, tolerance: float, damping: float = 1e-9
) -> tuple[torch.Tensor, list[float]]:
    """Weights (P,) near those given at which residuals(weights) (M,) vanish, M < P, and the sum of squares before each step.

    Each step is the shortest that removes the linearised residuals, dw = -J^T (J J^T + damping)^-1 r (Nocedal and Wright
    2006, Sec. 10.3, for fewer residuals than unknowns), halved until the sum of squares falls.  Ends after `steps`
    steps, when the sum is at most `tolerance`, or when no step lowers it.
    """
    errors: list[float] = []
    for _ in range(steps):
        linearised: tuple[Any, ...] = vjp(residuals, weights)
        r, pull_back = linearised
        errors.append(float(r.square().sum()))
        if errors[-1] <= tolerance:
            break
        jacobian = vmap(lambda row, pull_back=pull_back: pull_back(row)[0])(torch.eye(len(r)).to(r))
        normal = jacobian @ jacobian.T
        normal.diagonal().add_(damping * normal.diagonal().mean())
        step = jacobian.T @ torch.linalg.solve(normal, r)
        for halved in range(HALVINGS):
            candidate = weights - step / 2**halved
            if float(residuals(candidate).square().sum()) < errors[-1]:
                weights = candidate
                break
        else:
            break
    return weights, errors
