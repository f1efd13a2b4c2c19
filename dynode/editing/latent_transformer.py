"""Latent transformers (Yao et al. 2021): an attribute is one linear map for each style row.

w'_r = w_r + alpha * (A_r w_r + b_r), without an activation.  The paper's A_r are full matrices, 512 x 512 a row; here
their rank is a setting, so that an editor fits into a small file.  The input is the standardised code, which b_r makes up
for.  By default all rows share one map: training codes are the same in all rows, and a classifier of their mean gives
every row the same gradient (separate maps differ by less than 2 % at rank 1, not at all at rank 0).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import nn

from dynode.border import ordinary_numbers
from dynode.editing.editor_files import FORMATS, EditorFormat
from dynode.editing.editors import Strength, editing_method, first_rows, per_code
from dynode.editing.listing import attribute_file
from dynode.generators.protocol import Generator
from dynode.io.tensor_files import half_precision, undamaged

FILES = FORMATS.add(
    "latent-transformer",
    EditorFormat("latent transformer", "dynode-transformer-1", "transformers", "train transformer"),
)


@dataclass(frozen=True)
class TransformerSettings:
    """Which attribute, and the size of the map; the paper: rank 512 and a map for every row."""

    attribute: str = ""
    rank: int = 8  # 0 leaves the bias alone: one offset for all codes
    apart: bool = False  # each row has a map of its own


class LatentTransformer(nn.Module):
    """An editor of codes (B, L, D): strength 1 turns a code without the attribute into one with it, -1 back.

    mean (D,), scale (): what the codes are standardised by.  Weights are kept times the square root of their width
    (equalised learning rate).
    """

    space = "w+"
    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, settings: TransformerSettings, mean: torch.Tensor, scale: torch.Tensor, rows: int):
        super().__init__()
        self.settings, self.name, (width,) = settings, f"latent-transformer {settings.attribute}", mean.shape
        rows = rows if settings.apart else 1
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.bias = nn.Parameter(torch.zeros(rows, width))
        if settings.rank >= width:
            self.matrix = nn.Parameter(torch.zeros(rows, width, width))
        elif settings.rank:
            self.right = nn.Parameter(torch.randn(rows, width, settings.rank))
            self.left = nn.Parameter(torch.zeros(rows, settings.rank, width))

    @property
    def stand_in(self) -> str:
        """What of it stands for the published matrices, one of full rank for each row; "" where these are as published."""
        rank, (width,) = self.settings.rank, self.mean.shape
        less = [f"rank {rank}"] * (rank < width) + ["one map for all rows"] * (not self.settings.apart)
        return f"latent-transformer[{', '.join(less)}]" if less else ""

    def offset(self, ws: torch.Tensor) -> torch.Tensor:
        """A_r w_r + b_r (B, L, D): what strength 1 adds."""
        x, step = (ws - self.mean) / self.scale / self.mean.numel() ** 0.5, cast(torch.Tensor, self.bias)
        if hasattr(self, "matrix"):
            step = step + each_row(x, self.matrix)
        elif self.settings.rank:
            step = step + each_row(each_row(x, self.right), self.left)
        return (self.scale * step).expand_as(ws)

    @ordinary_numbers
    def edit(self, ws: torch.Tensor, strength: Strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) edited in their first `rows` rows only (0: all).

        The published video code keeps rows 11 and later of 18; these are rows 16 and later of the face generator's 23.
        """
        return first_rows(ws + per_code(strength, ws) * self.offset(ws), ws, rows)


def each_row(x: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """Rows x (B, L, D) times their matrices (L, D, K), or all times one (1, D, K): (B, L, K)."""
    return x @ matrices[0] if len(matrices) == 1 else torch.einsum("bld,ldk->blk", x, matrices)


def save(editor: LatentTransformer, path: Path, generator: Generator, card: dict) -> None:
    """Write an editor in half precision."""
    FILES.save(half_precision(editor), path, generator, card, editor.settings)


def load(name_or_path: Path | str, generator: Generator) -> LatentTransformer:
    """A saved editor, frozen, of a loaded generator.

    Raises UserError for an unknown name and for the editor of another generator.
    """
    path = FILES.locate(name_or_path)
    state, settings, _ = FILES.read(path, generator)
    with undamaged(path, FILES.what):
        editor = LatentTransformer(TransformerSettings(**settings), state["mean"], state["scale"], generator.num_ws)
        editor.load_state_dict(state)
    return editor.to(generator.w_avg.device).eval().requires_grad_(False)


@editing_method("latent-transformer")
def load_attribute(attribute: str, generator: Generator) -> LatentTransformer:
    """The shipped latent transformer of an attribute, or a file of the user's."""
    return load(attribute_file(FILES, attribute, generator), generator)
