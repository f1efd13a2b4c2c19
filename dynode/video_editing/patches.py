"""One frame, the crop that replaces its face, and masks of where: what is pasted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from dynode.io import images
from dynode.perception import alignment
from dynode.video_editing import masks, over_time
from dynode.video_editing.masks import Masks, MaskSettings, RegionFinder

Aligned = tuple[
    np.ndarray, torch.Tensor, np.ndarray
]  # frame uint8 (H, W, 3), crop (3, S, S) in [-1, 1], quad (4, 2) px


@dataclass(frozen=True)
class Patch:
    """One frame uint8 (H, W, 3) and what replaces it there: crop (3, S, S) in [-1, 1], quad (4, 2) px, masks."""

    frame: np.ndarray
    crop: torch.Tensor
    quad: np.ndarray
    masks: Masks

    @property
    def own(self) -> torch.Tensor:
        """The frame's own crop (3, S, S), at the edited one's size."""
        return own_crop(self.frame, self.crop, self.quad)


def own_crop(frame: np.ndarray, crop: torch.Tensor, quad: np.ndarray) -> torch.Tensor:
    return alignment.crop(images.from_uint8(frame), quad, crop.shape[-1])


def masked(frames: Iterable[Aligned], find: RegionFinder | None, settings: MaskSettings) -> Iterator[Patch]:
    """The patches of one shot, in order.  find: what finds the face in a crop, for masks that depend on the picture.

    Such a mask covers the face of the frame and that of the crop; both are smoothed over time as distances to their edges.
    """
    if find is None:
        yield from (Patch(*each, masks.constant(settings)) for each in frames)
        return
    both = ((each, distances(each, find)) for each in frames)
    for each, (frame, crop) in over_time.filtered(both, settings.sigma):
        yield Patch(*each, masks.of_faces(frame, crop, settings))


def distances(aligned: Aligned, find: RegionFinder) -> np.ndarray:
    """Distances (2, M, M) to the edges of the face in the frame and of that in the crop, as `masks.signed_distance`."""
    frame, crop, quad = aligned
    return np.stack([masks.signed_distance(find(each)) for each in (own_crop(frame, crop, quad), crop)])
