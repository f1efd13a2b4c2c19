"""Put an edited crop back into its frame: the inverse of the alignment, a mask, and what hides the seam.

Nothing outside the mask changes, not by a grey level.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from dynode.io import images
from dynode.perception import alignment
from dynode.settings import choose
from dynode.video_editing import poisson, tone
from dynode.video_editing.patches import Patch

PASTE_MODES = ("seamless", "poisson", "feather", "none")
ROUNDS = (
    5  # of correcting the error of sampling; each leaves a fraction of it, most where a face is as wide as its crop
)


@dataclass(frozen=True)
class PasteSettings:
    """How a crop goes back into its frame.

    mode: "seamless", a mask with a soft edge once the crop's colours are matched to the frame's, see `tone`; "poisson",
    then Poisson cloning of every frame before the soft edge; "feather", the soft edge alone; "none": the crops themselves
    are the video.  There is no cloning with mixed gradients: the contours of the face that is replaced come through it.
    """

    mode: str = "seamless"
    sigma: float = 2.0  # frames, of the filter of the colours that are matched

    def __post_init__(self):
        choose("mode of pasting", self.mode, list(PASTE_MODES))


def box_of(quad: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of a frame (H, W, ...) of that shape that a square lies in, with a pixel around it."""
    low, high = np.floor(quad.min(0)).astype(int) - 1, np.ceil(quad.max(0)).astype(int) + 2
    rows, columns = (slice(max(low[k], 0), max(min(high[k], shape[1 - k]), 0)) for k in (1, 0))
    return rows, columns


def placed(patch: Patch) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Where in its frame the square lies; there the crop, grey levels float64 (h, w, 3), and its mask (h, w).

    Sampling there and back blurs: the error of the crop, were it cut out again, is added, and again what is then left of
    it, so that a frame's own crop returns as it was.
    """
    box = box_of(patch.quad, patch.frame.shape)
    height, width = patch.frame[box].shape[:2]
    crop, quad = patch.crop.double().cpu(), patch.quad - (box[1].start, box[0].start)
    source, _ = alignment.uncrop(crop, quad, height, width)
    for _ in range(ROUNDS):
        error = crop - alignment.crop(source, quad, crop.shape[-1])
        source = source + alignment.uncrop(error, quad, height, width)[0]
    return box, ((source + 1) * 127.5).movedim(0, -1).numpy(), mask_in(patch, patch.masks.changed, box)


def mask_in(patch: Patch, mask: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """A mask (M, M) of the square in that part (h, w) of the frame."""
    quad = patch.quad - (box[1].start, box[0].start)
    large, inside = alignment.uncrop(torch.tensor(mask)[None].double(), quad, *patch.frame[box].shape[:2])
    return (large[0] * inside).numpy()


def pasted(patch: Patch, settings: PasteSettings) -> np.ndarray:
    """The frame uint8 (H, W, 3) with the crop in it; outside the mask it is the frame itself, exactly."""
    result = patch.frame.copy()
    if not result[box_of(patch.quad, result.shape[:2])].size:  # the square lies beside the frame
        return result
    box, source, mask = placed(patch)
    frame, changed = patch.frame[box].astype(np.float64), mask > 0
    if settings.mode == "poisson":
        depth = tone.DEPTH * np.linalg.norm(patch.quad[1] - patch.quad[0])
        source = poisson.cloned(frame, source, changed, mask_in(patch, patch.masks.face, box) / depth**2)
    blended = frame + softened(mask)[..., None] * (source - frame)
    levels = blended.round().clip(0, 255).astype(np.uint8)
    result[box] = np.where(changed[..., None], levels, patch.frame[box])
    return result


def softened(mask: np.ndarray) -> np.ndarray:
    """A linear edge with its corners rounded: 3 x^2 - 2 x^3."""
    return mask * mask * (3 - 2 * mask)


def stream(patches: Iterable[Patch], settings: PasteSettings) -> Iterator[np.ndarray]:
    """The pasted frames of one shot, in order; where colours are matched as many patches are held as their filter reaches."""
    if settings.mode == "none":
        yield from (images.to_uint8(patch.crop) for patch in patches)
        return
    for patch in patches if settings.mode == "feather" else tone.matched(patches, settings.sigma):
        yield pasted(patch, settings)
