"""One shot as a system sees it that tunes the generator: aligned frames, the face in each, the generator as it was."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from dynode.clips import Clip
from dynode.generators import tuned
from dynode.generators.protocol import Generator
from dynode.io import images
from dynode.video_editing import masks, over_time
from dynode.video_editing.masks import MaskSettings, RegionFinder
from dynode.video_editing.systems.kept_stages import KeptStages

EDGE = 0.08  # of the square, along its border, that no face is taken to reach where the mask is the whole square


@dataclass(frozen=True)
class Scene:
    """The T frames of one shot.

    frames: aligned crops (T, 3, R, R) in [-1, 1].  distances float32 (T, M, M): to the edge of the face in each, in sides of
    the square, positive inside.  inverted (T,) bool: frames in which the face was detected and whose codes were inverted.
    """

    generator: Generator
    frames: torch.Tensor
    distances: torch.Tensor
    inverted: torch.Tensor
    kept: KeptStages

    @property
    def resolution(self) -> int:
        """Pixels a side of the frames."""
        return self.frames.shape[-1]

    @property
    def device(self) -> torch.device:
        return self.generator.w_avg.device

    @property
    def weights(self) -> dict[str, str]:
        """What identifies the generator's weights as they were."""
        return {"generator": self.generator.hash, "tuning": tuned.hash_of(self.generator)}

    def of_inverted(self) -> "Scene":
        """The inverted frames alone."""
        keep = self.inverted
        return replace(self, frames=self.frames[keep], distances=self.distances[keep], inverted=keep[keep])


def pivots_of(clip: Clip) -> Clip:
    """The codes of a clip's frames in which the face was detected; those of others are interpolated, and no pivots."""
    return clip if clip.detected is None else clip.where(clip.detected)


def distances_of(frames: torch.Tensor, find: RegionFinder | None, settings: MaskSettings) -> torch.Tensor:
    """Distances float32 (T, M, M) to the edge of the face in frames (T, 3, R, R), smoothed over time as masks are.

    find: what finds the face in a crop, None for masks that do not depend on the picture.
    """
    if find is None:
        constant = masks.signed_distance(masks.ellipse()) if settings.kind == "ellipse" else inside_square()
        return torch.from_numpy(constant)[None].expand(len(frames), -1, -1)
    each = ((None, masks.signed_distance(find(frame))) for frame in frames)
    smooth = [array.astype(np.float32) for _, array in over_time.filtered(each, settings.sigma)]
    return torch.from_numpy(np.stack(smooth))


def inside_square() -> np.ndarray:
    """Distances float32 (M, M) to the edge of a square that is a little smaller than the whole."""
    return (0.5 - EDGE - np.abs(masks.grid() - 0.5).max(-1)).astype(np.float32)


def sized(distances: torch.Tensor, resolution: int) -> torch.Tensor:
    """Distances (B, M, M) at another resolution, (B, 1, R, R)."""
    return images.resampled(distances[:, None], resolution)
