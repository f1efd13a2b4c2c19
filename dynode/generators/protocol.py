"""What a generator is: the protocol that every generator satisfies, and that of those with a style space."""

from dataclasses import dataclass
from typing import Protocol

import torch


@dataclass(frozen=True)
class StyleLayer:
    """One part of a code of the style space: its row of W+, its number of channels, its resolution in pixels.

    to_rgb: the part belongs to a layer that maps features to colours.
    """

    row: int
    channels: int
    resolution: int
    to_rgb: bool


class Generator(Protocol):
    """A pretrained GAN.  Codes ws are (B, num_ws, w_dim), images (B, 3, R, R) in [-1, 1], differentiable in ws.

    w_avg (w_dim,), w_std (w_dim,) or (): mean and standard deviation of random codes.  hash: identifies the weights.
    """

    name: str
    z_dim: int
    w_dim: int
    num_ws: int
    resolution: int
    img_channels: int
    hash: str
    w_avg: torch.Tensor
    w_std: torch.Tensor

    def mapping(self, z: torch.Tensor, truncation_psi: float = 1.0) -> torch.Tensor: ...

    def synthesis(self, ws: torch.Tensor, resolution: int | None = None) -> torch.Tensor: ...


class StyleGenerator(Generator, Protocol):
    """A generator with a style space (Wu et al. 2021): codes s (B, S), the styles of all layers in a row."""

    def to_style(self, ws: torch.Tensor) -> torch.Tensor: ...

    def style_layers(self) -> list[StyleLayer]: ...

    def synthesis_from_style(self, s: torch.Tensor, resolution: int | None = None) -> torch.Tensor: ...
