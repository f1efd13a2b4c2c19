"""Latent flows (Khrulkov et al. 2021, "Latent transformations via neural ODEs"): an attribute is a field in W.

The field has unit speed, dw/dt = net(w) / |net(w)|, so the time of the flow, the strength of the edit, is the length of
the path.  Depth 0 is a constant direction (depth -1 in the published code), initialised with the difference of the
classes' mean codes; depth d has d residual layers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from dynode.border import ordinary_numbers
from dynode.editing.editor_files import FORMATS, EditorFormat
from dynode.editing.editors import Strength, editing_method, first_rows
from dynode.editing.listing import attribute_file
from dynode.generators.protocol import Generator
from dynode.io.tensor_files import undamaged
from dynode.settings import require_positive

FILES = FORMATS.add("flow", EditorFormat("flow", "dynode-flow-1", "flows", "train flow"))


@dataclass(frozen=True)
class FlowSettings:
    """Which factor, and how the field is built and integrated."""

    factor: str = ""
    source: int = 0  # the class an edit starts from
    target: int = -1  # the class it leads to; -1: the last
    depth: int = 1
    step: float = 0.25  # of the Runge-Kutta solver, the same in training and in use

    def __post_init__(self):
        require_positive(self, "step")


class LatentFlow(nn.Module):
    """An editor: every row of a code (B, L, D) flows along the same field in W (D,); strength is the path's length."""

    space = "w+"

    def __init__(self, settings: FlowSettings, w_dim: int, name: str = ""):
        super().__init__()
        self.settings, self.name = settings, name or settings.factor
        shape = (1, w_dim)
        if not settings.depth:
            self.constant = nn.Parameter(torch.randn(shape) / w_dim**0.5)
        self.layers = nn.ModuleList(nn.Linear(w_dim, w_dim) for _ in range(settings.depth))
        for layer in self.layers:
            nn.init.normal_(cast(torch.Tensor, layer.weight), std=0.1 / w_dim**0.5)
            nn.init.normal_(cast(torch.Tensor, layer.bias), std=0.1)

    @property
    def target_class(self) -> int | None:
        """The class of its factor that it was trained to reach, where that is known."""
        return self.settings.target if self.settings.target >= 0 else None

    @torch.no_grad()
    def begin(self, direction: torch.Tensor) -> None:
        """Initialise a constant flow (depth 0) with a direction (D,)."""
        self.constant.copy_(F.normalize(direction, dim=-1))

    def field(self, w: torch.Tensor) -> torch.Tensor:
        """dw/dt (..., D) at w (..., D), of unit length."""
        if not self.settings.depth:
            return F.normalize(self.constant, dim=-1).expand_as(w)
        x = w
        for k, layer in enumerate(self.layers):
            x = x + layer(x)
            if k < len(self.layers) - 1:
                x = F.leaky_relu(x, 0.2)
        return x / (x.norm(dim=-1, keepdim=True) + 1e-6)

    def flowed(self, w: torch.Tensor, strength: Strength) -> torch.Tensor:
        """w (..., D) after a flow of that length, a number or one for each (B,); fourth-order Runge-Kutta."""
        length = torch.as_tensor(strength, dtype=w.dtype, device=w.device)
        steps = max(1, int((length.abs().max() / self.settings.step).ceil()))
        h = (length / steps).reshape(-1, *[1] * (w.dim() - 1)) if length.dim() else length / steps
        for _ in range(steps):
            a = self.field(w)
            b = self.field(w + h / 2 * a)
            c = self.field(w + h / 2 * b)
            d = self.field(w + h * c)
            w = w + h / 6 * (a + 2 * b + 2 * c + d)
        return w

    @ordinary_numbers
    def edit(self, ws: torch.Tensor, strength: Strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) edited; each row flows by itself, the first `rows` of them only (0: all).

        The published code edits the first 6 of 14 rows of real images and keeps the others.
        """
        return first_rows(self.flowed(ws, strength), ws, rows)


def save(flow: LatentFlow, path: Path, generator: Generator, card: dict) -> None:
    FILES.save(flow.state_dict(), path, generator, card, flow.settings)


def load(name_or_path: Path | str, generator: Generator) -> LatentFlow:
    """A saved flow, frozen, of a loaded generator.

    Raises UserError for an unknown name and for the flow of another generator.
    """
    path = FILES.locate(name_or_path)
    tensors, settings, _ = FILES.read(path, generator)
    with undamaged(path, FILES.what):
        flow = LatentFlow(FlowSettings(**settings), generator.w_dim, path.stem)
        flow.load_state_dict(tensors)
    return flow.to(generator.w_avg.device).eval().requires_grad_(False)


@editing_method("flow")
def load_attribute(attribute: str, generator: Generator) -> LatentFlow:
    """The shipped flow of an attribute, or a file of the user's."""
    return load(attribute_file(FILES, attribute, generator), generator)
