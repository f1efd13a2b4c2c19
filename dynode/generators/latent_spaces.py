"""Other latent spaces of a generator: views with codes of one row, in W or in Z."""

import torch
from torch import nn

from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.settings import choose

SPACES = ("w", "z")


class OneRow(nn.Module):
    """A generator with codes ws (B, 1, K): a vector of W used in every row, or a latent z.

    Raises UserError for a generator whose codes have one row already.
    """

    w_avg: torch.Tensor
    w_std: torch.Tensor
    hash: str = ""

    def __init__(self, generator: Generator, space: str):
        super().__init__()
        choose("latent space", space, SPACES)
        if generator.num_ws == 1:
            raise UserError(f"The codes of {generator.name} are latents already: leave the @{space} out.")
        self.generator, self.space, self.name = generator, space, f"{generator.name}@{space}"
        self.z_dim, self.resolution, self.img_channels = generator.z_dim, generator.resolution, generator.img_channels
        self.num_ws, self.w_dim = 1, generator.w_dim if space == "w" else generator.z_dim
        mean, std = (generator.w_avg, generator.w_std) if space == "w" else (torch.zeros(1), torch.ones(1))
        self.register_buffer("w_avg", mean.expand(self.w_dim).clone())
        self.register_buffer("w_std", std.expand(self.w_dim).clone())

    def mapping(self, z: torch.Tensor, truncation_psi: float = 1.0) -> torch.Tensor:
        """z (B, Z) -> codes (B, 1, K)."""
        if self.space == "z":
            return (truncation_psi * z)[:, None]
        return self.generator.mapping(z, truncation_psi)[:, :1]

    def synthesis(self, ws: torch.Tensor, resolution: int | None = None) -> torch.Tensor:
        """Images (B, 3, R, R) of codes (B, 1, K)."""
        if self.space == "z":
            ws = self.generator.mapping(ws[:, 0])
        return self.generator.synthesis(ws.expand(-1, self.generator.num_ws, -1), resolution)
