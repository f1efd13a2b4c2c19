"""Conjugate gradients on the squared error of images, for codes that are nearly right: an encoder's, say.

Near its minimum |G(ws) - c|^2 bends as J^T J, the Gauss-Newton matrix of the generator, thousands of times as much in one
direction as in another, which is what plain gradients lose their time on.  Its mean over random codes, row by row, makes
the directions alike: `Preconditioner`.  The method is Polak and Ribiere's (Nocedal & Wright 2006, Sec. 5.2), every frame
with a step of its own, the length from a parabola through one trial.
"""

import torch

LONGER = 4.0  # a step is at most so many times as long as its trial


class Preconditioner:
    """Takes a generator's mean curvature (L, D, D) out of gradients (B, L, D)."""

    def __init__(self, curvature: torch.Tensor):
        self.blocks = torch.linalg.inv(curvature)

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bld,lde->ble", gradient, self.blocks.to(gradient))


def gradient_of(error, ws: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The errors of codes (B, L, D) as (B, 1, 1), and the gradient of each."""
    with torch.enable_grad():
        ws = ws.detach().requires_grad_(True)
        values = error(ws)
        (gradient,) = torch.autograd.grad(values.sum(), ws)
    return values.detach()[:, None, None], gradient


def inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Inner products (B, 1, 1) of (B, L, D)."""
    return (a * b).sum((1, 2), keepdim=True)


@torch.no_grad()
def minimise(error, ws: torch.Tensor, precondition, steps: int, callback=None) -> torch.Tensor:
    """Codes (B, L, D) whose error(ws) (B,) is lower, each by itself, and never higher.

    A step costs one image to try its length on, and one with its gradient.  callback(step, mean error) after each.
    """
    values, gradient = gradient_of(error, ws)
    natural = precondition(gradient)
    direction, length = -natural, torch.ones_like(values)
    for step in range(steps):
        slope = inner(gradient, direction)
        tried = error(ws + length * direction)[:, None, None]
        bend = (tried - values - slope * length) / length**2
        furthest = LONGER * length
        taken = torch.where(bend > 0, -slope / (2 * bend), furthest).clamp(max=furthest)
        moved = ws + taken * direction
        reached, new_gradient = gradient_of(error, moved)
        better = reached < values
        ws, values = torch.where(better, moved, ws), torch.where(better, reached, values)
        new_gradient = torch.where(better, new_gradient, gradient)
        new_natural = torch.where(better, precondition(new_gradient), natural)
        kept = inner(new_gradient, new_natural - natural) / inner(gradient, natural)
        direction = kept.clamp(min=0).nan_to_num(0) * direction - new_natural
        direction = torch.where(inner(new_gradient, direction) < 0, direction, -new_natural)
        length = torch.where(better, taken, taken / LONGER).clamp(min=1e-6)
        gradient, natural = new_gradient, new_natural
        if callback is not None:
            callback(step, values.mean().item())
    return ws
