"""Frames between observed frames: neighbours that fade into each other, and what a decoder makes of them."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from dynode.dynamics.baselines.recurrent import neighbours


@dataclass(frozen=True)
class Seen:
    """Observed frames (n, 3, R, R) in [-1, 1] at increasing times ts (n,) in seconds."""

    images: torch.Tensor
    ts: torch.Tensor

    def __len__(self):
        return len(self.ts)

    def taus(self, ts) -> torch.Tensor:
        """Times (T,) in seconds as shares of the span, float32."""
        ts = torch.as_tensor(ts, dtype=torch.float64)
        return ((ts - self.ts[0]) / (self.ts[-1] - self.ts[0])).float()

    def where(self, keep: torch.Tensor) -> "Seen":
        return Seen(self.images[keep], self.ts[keep])


@dataclass(frozen=True)
class Between:
    """The observed frames left and right of each of T times, (T, 3, R, R), and the share of the way from left to right.

    share (T, 1, 1, 1) in [0, 1]: beyond the ends the last frame stands still.
    """

    left: torch.Tensor
    right: torch.Tensor
    share: torch.Tensor

    @classmethod
    def of(cls, images: torch.Tensor, taus: torch.Tensor, asked: torch.Tensor) -> "Between":
        """images (n, 3, R, R) at times taus (n,), for the times asked (T,)."""
        k = neighbours(taus, asked)
        share = ((asked - taus[k]) / (taus[k + 1] - taus[k])).clamp(0, 1)
        return cls(images[k], images[k + 1], share[:, None, None, None])

    @property
    def inside(self) -> torch.Tensor:
        """1 half-way, 0 at an observed frame: what is decoded is weighed by it, so that observed frames are met."""
        return 4 * self.share * (1 - self.share)

    def beside(self) -> torch.Tensor:
        """Left, right and share, (T, 7, R, R)."""
        return torch.cat([self.left, self.right, self.share.expand(-1, 1, *self.left.shape[2:])], 1)

    def faded(self) -> torch.Tensor:
        return torch.lerp(self.left, self.right, self.share)


def whole(decoded: torch.Tensor, between: Between, mean: torch.Tensor) -> torch.Tensor:
    """The frame is decoded (3 channels), as what it differs by from the mean of all."""
    return mean + decoded


def fade(decoded: torch.Tensor, between: Between, mean: torch.Tensor) -> torch.Tensor:
    """What a cross-fade lacks is decoded (3 channels)."""
    return between.faded() + between.inside * decoded


def warp(decoded: torch.Tensor, between: Between, mean: torch.Tensor) -> torch.Tensor:
    """Both neighbours move along decoded flows (2 + 2 channels, in frame widths), are mixed by a decoded mask (1), and
    a decoded change (3) is added, in the manner of Vid-ODE (Park et al. 2021).
    """
    to_left, to_right, mask, change = decoded.split([2, 2, 1, 3], 1)
    left = moved(between.left, to_left * between.share)
    right = moved(between.right, to_right * (1 - between.share))
    return torch.lerp(left, right, (between.share + between.inside * mask).clamp(0, 1)) + between.inside * change


def moved(images: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Images (T, 3, R, R) looked up where flow (T, 2, R, R) points, x before y, in frame widths; edges are held."""
    size = images.shape[-1]
    centres = (torch.arange(size, device=images.device) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    grid = torch.stack([x, y], -1) + 2 * flow.movedim(1, -1)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


MAKING = {"whole": whole, "fade": fade, "warp": warp}
