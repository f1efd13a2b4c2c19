"""Frames between observed frames: cross-fades of neighbours, and the modes in which a decoder's output makes a frame."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from dynode.dynamics.baselines.recurrent import neighbours


@dataclass(frozen=True)
class ObservedFrames:
    """Observed frames (n, 3, R, R) in [-1, 1] at increasing times ts (n,) in seconds."""

    images: torch.Tensor
    ts: torch.Tensor

    def __len__(self) -> int:
        return len(self.ts)

    def taus(self, ts) -> torch.Tensor:
        """Times (T,) in seconds as fractions of the span, float32."""
        ts = torch.as_tensor(ts, dtype=torch.float64)
        return ((ts - self.ts[0]) / (self.ts[-1] - self.ts[0])).float()


@dataclass(frozen=True)
class Neighbours:
    """The observed frames left and right of each of T times, (T, 3, R, R), and each time's position between them.

    weight (T, 1, 1, 1) of the right one, 0 to 1: beyond the ends the last frame stands still.
    """

    left: torch.Tensor
    right: torch.Tensor
    weight: torch.Tensor

    @classmethod
    def of(cls, images: torch.Tensor, taus: torch.Tensor, times: torch.Tensor) -> "Neighbours":
        """images (n, 3, R, R) at times taus (n,), for the query times (T,)."""
        k = neighbours(taus, times)
        weight = ((times - taus[k]) / (taus[k + 1] - taus[k])).clamp(0, 1)
        return cls(images[k], images[k + 1], weight[:, None, None, None])

    @property
    def inside(self) -> torch.Tensor:
        """1 half-way, 0 at an observed frame: the weight of the decoder's output, so that observed frames are exact."""
        return 4 * self.weight * (1 - self.weight)

    def stacked(self) -> torch.Tensor:
        """Left, right and weight, (T, 7, R, R)."""
        return torch.cat([self.left, self.right, self.weight.expand(-1, 1, *self.left.shape[2:])], 1)

    def cross_fade(self) -> torch.Tensor:
        """Linear interpolation of the frames in time, (T, 3, R, R)."""
        return torch.lerp(self.left, self.right, self.weight)


def whole(decoded: torch.Tensor, between: Neighbours, mean: torch.Tensor) -> torch.Tensor:
    """The decoder's output (3 channels) is the frame's difference from the mean frame."""
    return mean + decoded


def fade(decoded: torch.Tensor, between: Neighbours, mean: torch.Tensor) -> torch.Tensor:
    """The decoder's output (3 channels) is the frame's difference from the cross-fade."""
    return between.cross_fade() + between.inside * decoded


def warp(decoded: torch.Tensor, between: Neighbours, mean: torch.Tensor) -> torch.Tensor:
    """Both neighbours are warped by decoded flows (2 + 2 channels, in frame widths) and mixed by a decoded mask (1), and
    a decoded change (3) is added, after Vid-ODE (Park et al. 2021).
    """
    to_left, to_right, mask, change = decoded.split([2, 2, 1, 3], 1)
    left = warped(between.left, to_left * between.weight)
    right = warped(between.right, to_right * (1 - between.weight))
    return torch.lerp(left, right, (between.weight + between.inside * mask).clamp(0, 1)) + between.inside * change


def warped(images: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Images (T, 3, R, R) sampled where flow (T, 2, R, R) points, x before y, in frame widths; edges are repeated."""
    size = images.shape[-1]
    centres = (torch.arange(size, device=images.device) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    grid = torch.stack([x, y], -1) + 2 * flow.movedim(1, -1)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


FRAME_MODES = {"whole": whole, "fade": fade, "warp": warp}
