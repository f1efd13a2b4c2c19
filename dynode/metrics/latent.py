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
