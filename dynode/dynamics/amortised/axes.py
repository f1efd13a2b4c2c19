"""Visible coordinates: the directions of codes that change images most, weighted so that equal distances look alike."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

AXES = 200  # principal directions of codes, among which the visible ones are sought
PROBES = 48  # codes at which images are differentiated
STEP = 0.1  # of the differences, in standard deviations
AT_ONCE = 50  # images


@dataclass(frozen=True)
class VisibleAxes:
    """Codes (..., L, D) -> states (..., K) and back.

    mean (L, D).  basis (K, L*D): the change of a code for a unit of each coordinate.  dual (K, L*D): reads coordinates, dual @
    basis.T is the identity.  Squared distances between states are those of images, on average over the codes that the axes
    were made of, in units of these images' variance.
    """

    mean: torch.Tensor
    basis: torch.Tensor
    dual: torch.Tensor

    def encode(self, ws: torch.Tensor) -> torch.Tensor:
        return (ws - self.mean).flatten(-2) @ self.dual.T

    def change(self, du: torch.Tensor) -> torch.Tensor:
        """The change (..., L, D) of codes for changes (..., K) of states."""
        return (du @ self.basis).unflatten(-1, self.mean.shape)

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"mean": self.mean, "basis": self.basis, "dual": self.dual}

    def to(self, device: torch.device | str) -> "VisibleAxes":
        return VisibleAxes(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    @classmethod
    @torch.no_grad()
    def fit(
        cls, ws: torch.Tensor, synthesis: Callable[[torch.Tensor], torch.Tensor], coordinates: int, seed: int = 0
    ) -> "VisibleAxes":
        """The axes of codes ws (N, L, D) of a generator; synthesis(ws) -> images (B, 3, R, R)."""
        mean, shape = ws.mean(0), ws.shape[1:]
        centred = (ws - mean).flatten(1)
        _, sizes, directions = torch.linalg.svd(centred, full_matrices=False)
        kept = min(AXES, len(sizes), int((sizes > 1e-6 * sizes[0]).sum()))
        std = sizes[:kept, None] / len(ws) ** 0.5
        forward, back = directions[:kept] * std, directions[:kept] / std
        chosen = torch.randperm(len(ws), generator=torch.Generator().manual_seed(seed))[:PROBES]
        metric = torch.stack([squared_changes(synthesis, ws[k], forward.view(-1, *shape)) for k in chosen]).mean(0)
        values, vectors = torch.linalg.eigh(metric)
        order = values.argsort(descending=True)[:coordinates]
        turn, size = vectors[:, order].T.float(), values[order].clamp(min=1e-12).sqrt().float()
        states = centred @ back.T @ turn.T * size
        size = (size / states.var(0, unbiased=False).sum().sqrt())[:, None]
        return cls(mean, turn @ forward / size, turn @ back * size)


def squared_changes(
    synthesis: Callable[[torch.Tensor], torch.Tensor], w: torch.Tensor, steps: torch.Tensor
) -> torch.Tensor:
    """Inner products (A, A) of the changes of the image of a code w (L, D) along steps (A, L, D), means over pixels."""
    image = synthesis(w[None])
    changes = [(synthesis(w + STEP * part) - image).flatten(1) / STEP for part in steps.split(AT_ONCE)]
    each = torch.cat(changes).double()
    return each @ each.T / each.shape[1]
