"""Match the colours of a crop to its frame's: the face by one tone, its own; what is around it by what is around there.

Added to the crop is the membrane c that minimises

    ∫ |∇c|² + h / DEPTH² |c - tone|²,   c = frame - crop where the mask ends,

with h the mask of the face in the crop, and the tone the median of frame - crop where both show the face.  So a
background's colours reach into a face no farther than DEPTH.  Poisson cloning is h = 0: there they fill it.  A difference
that is no tone, for frame and crop show different things there, counts the less the larger it is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch

from dynode.io import images
from dynode.video_editing import masks, over_time, poisson
from dynode.video_editing.masks import Masks
from dynode.video_editing.patches import Patch

DEPTH = 0.02  # of the square
USUAL = 40.0  # grey levels: differences from the tone that are hardly larger are colour, not content


def matched(patches: Iterable[Patch], sigma: float) -> Iterator[Patch]:
    """Patches whose crops have their frames' colours; differences are filtered over time (sigma in frames)."""
    with_differences = ((patch, difference(patch)) for patch in patches)
    for patch, smooth in over_time.filtered(with_differences, sigma):
        levels = torch.from_numpy(membrane(smooth, patch.masks)).to(patch.crop)
        yield replace(patch, crop=patch.crop + images.resampled(levels[None], patch.crop.shape[-1])[0] / 127.5)


def difference(patch: Patch) -> np.ndarray:
    """Frame minus crop in the crop's own square, at the masks' resolution, (3, M, M) grey levels."""
    return 127.5 * images.resampled((patch.own - patch.crop.cpu())[None], masks.SIZE)[0].numpy()


def membrane(difference: np.ndarray, mask: Masks) -> np.ndarray:
    """The correction (3, M, M) for frame minus crop (3, M, M), in grey levels."""
    tone = tone_of(difference, mask)
    colour = usual_part(difference - tone[:, None, None])
    held = mask.face / (DEPTH * masks.SIZE) ** 2
    smooth = poisson.membrane(np.moveaxis(colour, 0, -1), mask.changed > 0, held)
    return np.moveaxis(smooth, -1, 0) + tone[:, None, None]


def tone_of(difference: np.ndarray, mask: Masks) -> np.ndarray:
    """The median (3,) of frame minus crop where both show the face, else where the crop replaces the frame; 0 for neither."""
    regions = (region for region in (mask.shared > 0.5, mask.changed > 0.5) if region.any())
    region = next(regions, None)
    return np.zeros(len(difference)) if region is None else np.median(difference[:, region], axis=1)


def usual_part(off: np.ndarray) -> np.ndarray:
    """Differences from the tone (3, M, M), those beyond `USUAL` reduced towards none."""
    return off * np.exp(-np.square(np.abs(off).max(0) / USUAL))
