"""Soft masks of the face in an aligned square, by its 68 landmarks: where a synthesised face replaces the frame."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial import ConvexHull
from skimage.draw import polygon2mask

from dynode.inversion.observer import Observer
from dynode.io.images import resampled

SIZE = 64  # pixels a side of a mask before it is enlarged
DILATION, FEATHER = 3, 4  # pixels of these: how much the hull is enlarged, and its soft edge to each side
JAW_AND_BROWS = slice(0, 27)  # of iBUG's 68 landmarks
STAND_IN = "mask[landmarks]"  # as outputs name it, in the place of a face parser


@dataclass(frozen=True)
class FaceMasks:
    """Masks (1, 1, R, R) in [0, 1] of images (1, 3, R, R).  landmarks: (1, 3, R, R) -> (1, 68, 2) in fractions of the square."""

    landmarks: Callable[[torch.Tensor], torch.Tensor]
    observer: Observer

    @torch.no_grad()
    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        self.observer.count("segmentations")
        points = self.landmarks(resampled(image.clamp(-1, 1), 256))[0].double().cpu().numpy()[JAW_AND_BROWS]
        hull = points[ConvexHull(points).vertices]
        inside = polygon2mask((SIZE, SIZE), hull[:, ::-1] * SIZE - 0.5).astype(np.float32)
        mask = F.max_pool2d(torch.from_numpy(inside)[None, None], 2 * DILATION + 1, 1, DILATION)
        mask = F.avg_pool2d(mask, 2 * FEATHER + 1, 1, FEATHER)
        return resampled(mask, image.shape[-1]).to(image)


def whole(image: torch.Tensor) -> torch.Tensor:
    """The mask of what is no face: all of the square."""
    return torch.ones_like(image[:, :1])
