"""Metrics on codes (T, L, D), and the skill score."""

import torch

from dynode.metrics import metric


@metric("latent_mse", unit="w^2", better="lower", space="latent")
def latent_mse(pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Mean squared error over all entries of a code, (T,)."""
    return (pred.double() - true.double()).square().mean((1, 2))


def skill(errors: torch.Tensor, linear_errors: torch.Tensor) -> float:
    """1 - sum of the method's errors / sum of linear interpolation's, over unobserved frames.

    0 equals linear, 1 is perfect, negative is worse than linear; NaN where linear makes no error.
    """
    return float(1 - errors.sum() / linear_errors.sum()) if linear_errors.sum() > 0 else float("nan")


def path_length(ws: torch.Tensor) -> float:
    """Length of the polygon through codes ws (T, L, D): the sum of its steps."""
    return float(ws.double().diff(dim=0).flatten(1).norm(dim=1).sum())


def roughness(ws: torch.Tensor, ts: torch.Tensor) -> float:
    """Mean squared second derivative of a path by divided differences, codes ws (T, L, D) at times ts (T,), T >= 3."""
    velocity = ws.double().diff(dim=0) / ts.diff()[:, None, None]
    middle = (ts[2:] - ts[:-2])[:, None, None] / 2
    return float((velocity.diff(dim=0) / middle).square().mean())
