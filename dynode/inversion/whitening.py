"""Coordinates of codes along the axes of the loss's mean curvature, in which Adam makes the most of few steps.

Adam scales each coordinate by itself, so it depends on the axes (SOAP, Vyas et al. 2024, lives on that): along the rows' own
axes a step of the same length in all 512 directions spoils a good start, since some of them change the image a hundred times
as much.  Here each row is turned to the eigenvectors of its curvature, and scaled by a power of the eigenvalues.

A row acts on the image through the styles that an affine map makes of it, one factor for each channel.  The curvature is
taken as diagonal in them: one number for each channel (`loss_curvature`), and that of a row is A^T diag(h) A.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from dynode import runtime
from dynode.errors import UserError
from dynode.generators.protocol import Generator, StyleGenerator
from dynode.io import assets
from dynode.io.tensor_files import read_safetensors, undamaged, write_safetensors

FORMAT, WHAT = "dynode-curvature-1", "a curvature (as `dynode train curvature` writes it)"
DAMPING = 0.1  # of the mean eigenvalue over all rows, added to each
POWER = -0.25  # of the eigenvalues: 0 turns the axes only, -0.5 makes the mean curvature the identity
VISIBLE = 1e-5  # of a row's largest eigenvalue: Adam would follow the rounding errors along axes that change nothing


@dataclass(frozen=True)
class Whitening:
    """Coordinates u (B, L, D) of changes of codes (B, L, D).  axes (L, D, D): a unit step of each coordinate, in its row."""

    axes: torch.Tensor

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        """The change (B, L, D) of a code."""
        return torch.einsum("blk,lkd->bld", u, self.axes)


def whitening_of(curvature: torch.Tensor) -> Whitening:
    """The whitening of curvatures (L, D, D), one for each row, that are not damped; unit steps have a mean length of 1.

    Axes that change nothing are left out: codes stay as they are along them.
    """
    values, vectors = torch.linalg.eigh(curvature)
    lengths = (values.clamp(min=0) + DAMPING * values.mean()) ** POWER
    visible = values > VISIBLE * values.amax(1, keepdim=True)
    return Whitening(((visible * lengths / lengths.mean())[:, :, None] * vectors.mT).contiguous())


def require_styles(generator: Generator) -> StyleGenerator:
    """The generator itself.  Raises UserError for one without a style space."""
    if not hasattr(generator, "to_style"):
        raise UserError(f"{generator.name} has no style space, along whose axes whitened steps go: use optimiser=adam.")
    return cast(StyleGenerator, generator)


@torch.no_grad()
def row_curvature(generator: StyleGenerator, of_styles: torch.Tensor) -> torch.Tensor:
    """Curvatures (L, D, D) of the rows, from that of each channel of the style space (S,)."""
    rows, width = generator.num_ws, generator.w_dim
    units = torch.eye(width).to(generator.w_avg)[:, None].expand(-1, rows, -1)
    maps = generator.to_style(units) - generator.to_style(
        torch.zeros_like(units[:1])
    )  # (D, S), without their constants
    blocks, layers = maps.new_zeros(rows, width, width), generator.style_layers()
    sizes = [layer.channels for layer in layers]
    for layer, part, h in zip(layers, maps.split(sizes, 1), of_styles.to(maps).split(sizes), strict=True):
        blocks[layer.row] += (part * h) @ part.T
    return blocks


def save(of_styles: torch.Tensor, path: Path, generator: Generator, card: dict[str, Any]) -> None:
    """Write the curvature of each channel (S,) with the generator it belongs to; atomically."""
    owner = {"name": generator.name, "hash": generator.hash}
    write_safetensors(path, {"curvature": of_styles.float().cpu()}, FORMAT, generator=owner, card=card)


def load(path: Path) -> tuple[torch.Tensor, dict[str, str]]:
    """The curvature of each channel (S,), and the generator it belongs to.  Raises UserError for another or a damaged file."""
    tensors, metadata = read_safetensors(path, FORMAT, WHAT)
    with undamaged(path, WHAT):
        return tensors["curvature"], json.loads(metadata["generator"])


def hash_for(generator: Generator) -> str:
    """Twelve hex digits that identify the curvature that ships for a loaded generator; "" where it is measured."""
    return "" if shipped_for(generator) is None else assets.sha256_of(shipped()[generator.name])[:12]


def shipped() -> dict[str, Path]:
    """Curvatures that come with the package, by the generator's name."""
    return runtime.shipped("weights", "curvatures")


def shipped_for(generator: Generator) -> torch.Tensor | None:
    """The curvature (S,) that ships for a loaded generator, or for the base of a tuned one; None where there is none."""
    path = shipped().get(generator.name)
    if path is None:
        return None
    of_styles, owner = load(path)
    return of_styles if owner["hash"] == generator.hash else None
