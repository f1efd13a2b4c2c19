"""Metrics of codes (T, L, D), the skill score, length and roughness of a path."""

import torch

from dynode.metrics.registry import metric, quantity


@metric("latent_mse", unit="w^2", better="lower", space="latent", label="latent MSE", column="all", order=6)
def latent_mse(pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Mean squared error over all entries of a code, (T,)."""
    return (pred.double() - true.double()).square().mean((1, 2))


@metric(
    "code_distance",
    unit="steps",
    better="lower",
    space="latent",
    label="to the code of the time (steps)",
    evaluated=False,
)
def code_distance(pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Distance (T,) to the code of the same time, in mean steps between neighbouring codes of `true`."""
    return (pred.double() - true.double()).flatten(1).norm(dim=1) / mean_step(true)


@metric("curve_distance", unit="steps", better="lower", space="latent", label="to the curve (steps)", evaluated=False)
def curve_distance(pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Distance (T,) to the nearest point of the polygon through all of `true`, in its mean steps.

    A path that keeps to the curve and is late or early has a distance of zero: what is left is geometry.
    """
    return nearest_on_polygon(pred.flatten(1), true.flatten(1)) / mean_step(true)


def mean_step(ws: torch.Tensor) -> float:
    """Mean distance of neighbouring codes ws (T, L, D), at least 1e-12."""
    return max(path_length(ws) / (len(ws) - 1), 1e-12)


def nearest_on_polygon(points: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Distance (N,) of points (N, K) to the nearest point of the polygon through corners (M, K), M >= 2."""
    points, corners = points.double(), corners.double()
    starts, sides = corners[:-1], corners.diff(dim=0)
    squared = sides.square().sum(1).clamp(min=1e-24)
    nearest = []
    for point in points:  # one by one: a face's codes at once would take hundreds of MB
        fraction = ((point - starts) * sides).sum(1) / squared
        nearest.append((point - starts - fraction.clamp(0, 1)[:, None] * sides).norm(dim=1).min())
    return torch.stack(nearest)


quantity("skill_latent", better="higher", space="latent", label="skill in codes")


@quantity("skill", better="higher", space="image", column="short", order=1000)
def skill(errors: torch.Tensor, linear_errors: torch.Tensor) -> float:
    """1 - sum of the method's errors / sum of linear interpolation's, over unobserved frames.

    0 equals linear, 1 is perfect, negative is worse than linear; NaN where linear makes no error.
    """
    return float(1 - errors.sum() / linear_errors.sum()) if linear_errors.sum() > 0 else float("nan")


@quantity("path_length", unit="ratio", space="latent", label="path length")
def path_length(ws: torch.Tensor) -> float:
    """Length of the polygon through codes ws (T, L, D): the sum of its steps."""
    return float(ws.double().diff(dim=0).flatten(1).norm(dim=1).sum())


@quantity("roughness", unit="ratio", space="latent")
def roughness(ws: torch.Tensor, ts: torch.Tensor) -> float:
    """Mean squared second derivative of a path by divided differences, codes ws (T, L, D) at times ts (T,), T >= 3."""
    velocity = ws.double().diff(dim=0) / ts.diff()[:, None, None]
    middle = (ts[2:] - ts[:-2])[:, None, None] / 2
    return float((velocity.diff(dim=0) / middle).square().mean())
