"""Preconditioned conjugate gradients on the squared error of images, to refine codes near the minimum, as an encoder's.

There the Hessian of |G(ws) - c|^2 is about J^T J, the Gauss-Newton matrix of the generator, whose condition number is in
the thousands: plain gradient descent is slow.  The preconditioner is the inverse of its mean over random codes, block by
row.  The method is Polak and Ribiere's (Nocedal & Wright 2006, Sec. 5.2), with a line search for each frame: the minimum of
a parabola through one trial step.
"""

from collections.abc import Callable

import torch

LONGER = 4.0  # a step is at most this many times as long as its trial
Error = Callable[[torch.Tensor], torch.Tensor]  # codes (B, L, D) -> errors (B,)


class Preconditioner:
    """Multiplies gradients (B, L, D) by the inverse of a generator's mean curvature (L, D, D)."""

    def __init__(self, curvature: torch.Tensor):
        self.blocks = torch.linalg.inv(curvature)

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bld,lde->ble", gradient, self.blocks.to(gradient))


def gradient_of(error: Error, ws: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The errors of codes (B, L, D) as (B, 1, 1), and their gradients (B, L, D)."""
    with torch.enable_grad():
        ws = ws.detach().requires_grad_(True)
        values = error(ws)
        (gradient,) = torch.autograd.grad(values.sum(), ws)
    return values.detach()[:, None, None], gradient


def inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Inner products (B, 1, 1) of (B, L, D)."""
    return (a * b).sum((1, 2), keepdim=True)


@torch.no_grad()
def minimise(
    error: Error,
    ws: torch.Tensor,
    precondition: Callable[[torch.Tensor], torch.Tensor],
    steps: int,
    callback: Callable[[int, float], object] | None = None,
) -> torch.Tensor:
    """Codes (B, L, D) after `steps` steps; the error of each by itself never rises.

    A step costs one image for the trial, and one with its gradient.  callback(step, mean error) after each.
    """
    values, gradient = gradient_of(error, ws)
    natural = precondition(gradient)
    direction, length = -natural, torch.ones_like(values)
    for step in range(steps):
        slope = inner(gradient, direction)
        trial = error(ws + length * direction)[:, None, None]
        curvature = (trial - values - slope * length) / length**2
        longest = LONGER * length
        taken = torch.where(curvature > 0, -slope / (2 * curvature), longest).clamp(max=longest)
        new = ws + taken * direction
        new_values, new_gradient = gradient_of(error, new)
        better = new_values < values
        ws, values = torch.where(better, new, ws), torch.where(better, new_values, values)
        new_gradient = torch.where(better, new_gradient, gradient)
        new_natural = torch.where(better, precondition(new_gradient), natural)
        beta = inner(new_gradient, new_natural - natural) / inner(gradient, natural)
        direction = beta.clamp(min=0).nan_to_num(0) * direction - new_natural
        direction = torch.where(inner(new_gradient, direction) < 0, direction, -new_natural)
        length = torch.where(better, taken, taken / LONGER).clamp(min=1e-6)
        gradient, natural = new_gradient, new_natural
        if callback is not None:
            callback(step, values.mean().item())
    return ws
