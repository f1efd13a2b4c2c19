"""RIGID's recurrent encoder (Xu et al. 2023): offsets of codes that depend on the frames before; our re-implementation.

offsets_t, h_t = R(source_(t-1), source_t, reconstruction_(t-1), edited_(t-1); h_(t-1))
w_t = [coarse rows of the encoder's code of frame t; fine rows of that of frame 0] + [offsets_t; 0]
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from dynode.generators.protocol import Generator
from dynode.inversion.encoder import SMALLEST, Block
from dynode.settings import require_positive

LARGEST = 256  # pixels a side of the frames that are read
INPUTS = 12  # channels: four images
State = tuple[torch.Tensor, torch.Tensor]  # of a ConvLSTM: hidden and cell, (B, C, 4, 4) each


@dataclass(frozen=True)
class RecurrentSettings:
    """The shape of a recurrent encoder; the defaults are those published.

    widths: channels at 128, 64, 32, 16, 8 and 4 pixels, multiples of 8; those of smaller images are the last ones.
    hidden: width of a layer before the offsets; 0: there is none.  coarse: rows of layers up to that many pixels get offsets.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 512, 512)
    hidden: int = 0
    coarse: int = 64

    def __post_init__(self):
        require_positive(self, "coarse")


EMBEDDED = RecurrentSettings(widths=(16, 24, 32, 48, 64, 64), hidden=64)


class ConvLSTM(nn.Module):
    """A convolutional LSTM cell (Shi et al. 2015) of as many channels inside as outside, 3 x 3 kernels."""

    def __init__(self, channels: int):
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)

    def forward(self, x: torch.Tensor, state: State | None) -> State:
        """x (B, C, H, W); the state before, None at first."""
        hidden, cell = state if state is not None else (torch.zeros_like(x), torch.zeros_like(x))
        into, forget, out, new = self.gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = forget.sigmoid() * cell + into.sigmoid() * new.tanh()
        return out.sigmoid() * cell.tanh(), cell


class RecurrentEncoder(nn.Module):
    """Four images (B, 3, R, R) in [-1, 1] and a state -> offsets (B, L, D) of codes of one generator, and the next state.

    size: R.  rows: the first ones, which get offsets; those of the others are 0.
    """

    unit: torch.Tensor

    def __init__(self, settings: RecurrentSettings, generator: Generator):
        super().__init__()
        self.settings, self.size = settings, min(LARGEST, generator.resolution)
        self.num_ws, self.rows = generator.num_ws, coarse_rows(generator, settings.coarse)
        halvings = (self.size // SMALLEST).bit_length() - 1
        widths = settings.widths[-halvings:]
        self.stem = nn.Conv2d(INPUTS, widths[0], 5, stride=2, padding=2)
        self.blocks = nn.ModuleList(Block(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.memory = ConvLSTM(widths[-1])
        flat = widths[-1] * SMALLEST**2
        self.before = nn.Linear(flat, settings.hidden) if settings.hidden else nn.Identity()
        self.offsets = nn.Linear(settings.hidden or flat, self.rows * generator.w_dim)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)
        spread = generator.w_std if generator.w_std.dim() else generator.w_std * generator.w_dim**-0.5
        self.register_buffer("unit", spread.detach().clone(), persistent=False)  # of a number of a random code

    def forward(self, images: tuple[torch.Tensor, ...], state: State | None) -> tuple[torch.Tensor, State]:
        """images: the source before, the source, the reconstruction and the edited frame before."""
        x = F.silu(self.stem(torch.cat(images, 1)))
        for block in self.blocks:
            x = block(x)
        hidden, cell = self.memory(x, state)
        offsets = self.offsets(F.silu(self.before(hidden.flatten(1)))).unflatten(1, (self.rows, -1))
        none = offsets.new_zeros(len(offsets), self.num_ws - self.rows, offsets.shape[-1])
        return torch.cat([offsets * self.unit, none], 1), (hidden, cell)


def coarse_rows(generator: Generator, coarse: int) -> int:
    """How many style rows belong to layers of at most `coarse` pixels, a quarter of the images' at most; 1 or more."""
    limit = min(coarse, max(generator.resolution // 4, SMALLEST))
    layers = generator.style_layers() if hasattr(generator, "style_layers") else []  # pyright: ignore[reportAttributeAccessIssue]
    if not layers:
        return max(1, round(generator.num_ws * 10 / 14))  # as published of a generator of 256 pixels
    first_fine = min((layer.row for layer in layers if layer.resolution > limit and not layer.to_rgb), default=0)
    return first_fine or generator.num_ws


def base_codes(encoded: torch.Tensor, rows: int, fine: bool = True) -> torch.Tensor:
    """Codes (T, L, D): the first `rows` rows of each encoder's code, all others of frame 0; fine False: all of each."""
    if not fine:
        return encoded
    return torch.cat([encoded[:, :rows], encoded[:1, rows:].expand(len(encoded), -1, -1)], 1)
