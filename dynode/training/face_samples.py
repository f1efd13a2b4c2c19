"""Faces of a generator with their codes, drawn for training: varied codes of W+, and a pool in which each is used some times."""

from dataclasses import dataclass

import torch

from dynode.generators.protocol import Generator
from dynode.io.images import from_levels, to_levels


@dataclass(frozen=True)
class CodeDraws:
    """How codes are drawn: truncated, styles of up to three faces mixed, and rows moved apart, as codes of photographs are."""

    psi: tuple[float, float] = (0.5, 1.0)  # range of the truncation
    mixed: float = 0.5  # probability that styles of two or three faces follow each other
    apart: float = 0.6  # probability that every row gets an offset of its own
    apart_size: float = 0.35  # of the distance of a random code from the average, at most

    @torch.no_grad()
    def __call__(self, generator: Generator, n: int, rng: torch.Generator) -> torch.Tensor:
        """Codes (n, L, D)."""
        draw, rows = {"generator": rng, "device": rng.device}, generator.num_ws
        faces = torch.randn(3 * n, generator.z_dim, **draw)
        styles = generator.mapping(faces)[:, 0].view(n, 3, 1, -1).expand(-1, -1, rows, -1)
        cuts = torch.randint(1, rows, (n, 2, 1), **draw)
        face = (torch.arange(rows, device=rng.device) >= cuts).sum(1) * (torch.rand(n, 1, **draw) < self.mixed)
        chosen = styles.gather(1, face[:, None, :, None].expand(-1, -1, -1, generator.w_dim))[:, 0]
        offsets = generator.mapping(torch.randn(n * rows, generator.z_dim, **draw))[:, 0].view_as(chosen)
        size = self.apart_size * torch.rand(n, 1, 1, **draw) * (torch.rand(n, 1, 1, **draw) < self.apart)
        low, high = self.psi
        psi = low + (high - low) * torch.rand(n, 1, 1, **draw)
        return generator.w_avg + psi * (chosen - generator.w_avg) + size * (offsets - generator.w_avg)


class Pool:
    """The last `capacity` faces: codes (N, L, D) and levels uint8 (N, 3, R, R), on one device.

    Where images cost more than learning from them, as on a CPU, each is used several times before newer ones replace it.
    """

    def __init__(self, capacity: int, rng: torch.Generator):
        self.capacity, self.rng, self.added = capacity, rng, 0
        self.ws, self.levels = torch.empty(0), torch.empty(0, dtype=torch.uint8)

    def __len__(self):
        return min(self.added, self.capacity)

    def add(self, ws: torch.Tensor, images: torch.Tensor) -> None:
        """Take in codes (B, L, D) and their images (B, 3, R, R), in place of the oldest."""
        if not self.added:
            self.ws = ws.new_empty(self.capacity, *ws.shape[1:])
            self.levels = torch.empty(self.capacity, *images.shape[1:], dtype=torch.uint8, device=ws.device)
        places = (self.added + torch.arange(len(ws), device=ws.device)) % self.capacity
        self.ws[places], self.levels[places] = ws, to_levels(images.clamp(-1, 1))
        self.added += len(ws)

    def draw(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes (n, L, D) and their images (n, 3, R, R)."""
        chosen = torch.randint(len(self), (n,), generator=self.rng, device=self.rng.device)
        return self.ws[chosen], from_levels(self.levels[chosen])
