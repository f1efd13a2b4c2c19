"""Latent transformers (Yao et al. 2021): an attribute is one linear map for each style row.

w'_r = w_r + alpha * (A_r w_r + b_r), without an activation.  The paper's A_r are full, 512 x 512 numbers a row; here
their rank is a setting, so that an editor fits into a small file.  The map sees the code less the mean code over the
codes' spread, which b_r makes up for.  By default all rows share one map: codes that are the same in all rows, seen by
their mean, teach every row the same (by less than 2 % apart at rank 1, exactly the same at rank 0).
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from dynode.editing.editor_files import Kind
from dynode.io.tensor_files import half_precision, undamaged

FILES = Kind("latent transformer", "dynode-transformer-1", "transformers", "train-transformer")


@dataclass(frozen=True)
class TransformerSettings:
    """Which attribute, and how many numbers the map may have; the paper: rank 512 and every row apart."""

    attribute: str = ""
    rank: int = 8  # 0 leaves the bias alone: one offset for all codes
    apart: bool = False  # each row has a map of its own


class LatentTransformer(nn.Module):
    """An editor of codes (B, L, D): strength 1 carries a code that lacks the attribute to one that has it, -1 back.

    mean (D,), scale (): what the codes are standardised by.  Weights are kept times the square root of their width
    (equalised learning rate).
    """

    space = "w+"

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

    def offset(self, ws: torch.Tensor) -> torch.Tensor:
        """A_r w_r + b_r (B, L, D): what strength 1 adds."""
        x, step = (ws - self.mean) / self.scale / self.mean.numel() ** 0.5, self.bias
        if hasattr(self, "matrix"):
            step = step + each_row(x, self.matrix)
        elif self.settings.rank:
            step = step + each_row(each_row(x, self.right), self.left)
        return (self.scale * step).expand_as(ws)

    def edit(self, ws: torch.Tensor, strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) edited by a strength, a number or one for each (B,), the first `rows` rows only (0: all).

        The published video code keeps rows 11 and later of 18; the 23 of the face generator begin theirs at 16.
        """
        steps = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device).reshape(-1, 1, 1)
        moved = ws + steps * self.offset(ws)
        return moved if not rows else torch.cat([moved[:, :rows], ws[:, rows:]], 1)


def each_row(x: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """Rows x (B, L, D) times their matrices (L, D, K), or all times one (1, D, K): (B, L, K)."""
    return x @ matrices[0] if len(matrices) == 1 else torch.einsum("bld,ldk->blk", x, matrices)


def save(editor: LatentTransformer, path: Path, generator, card: dict) -> None:
    """Write an editor in half precision."""
    FILES.save(half_precision(editor), path, generator, card, editor.settings)


def load(name_or_path: Path | str, generator) -> LatentTransformer:
    """A saved editor, frozen, of a loaded generator.  Raises UserError for an unknown one and for that of another."""
    path = FILES.found(name_or_path)
    state, settings, _ = FILES.read(path, generator)
    with undamaged(path, FILES.what):
        editor = LatentTransformer(TransformerSettings(**settings), state["mean"], state["scale"], generator.num_ws)
        editor.load_state_dict(state)
    return editor.to(generator.w_avg.device).eval().requires_grad_(False)
