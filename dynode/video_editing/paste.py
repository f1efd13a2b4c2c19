"""Put an edited crop back into its frame: the inverse of the alignment, a mask, and what hides the seam.

A mask is soft, (M, M) in [0, 1] over the crop's square; nothing outside it changes, not by a grey level.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from dynode.io import images
from dynode.perception import alignment
from dynode.settings import choose
from dynode.video_editing import poisson

PASTE_MODES = ("seamless", "mixed", "feather", "smooth", "none")
GRID = 96  # pixels a side of the square in which the smooth correction is solved
ROUNDS = (
    5  # of correcting the error of sampling; each leaves a fraction of it, most where a face is as wide as its crop
)
REACH = 3  # standard deviations that a filter over time looks to each side


@dataclass(frozen=True)
class PasteSettings:
    """How a crop goes back into its frame.

    mode: "seamless", Poisson cloning of every frame by itself; "mixed", the same with the larger of both gradients;
    "feather", a mask with a soft edge; "smooth", a soft edge after one membrane of colour whose differences along the
    mask's edge are filtered over time, so that it does not flicker; "none": the crops themselves are the video.
    """

    mode: str = "seamless"
    sigma: float = 2.0  # frames, of the filter of "smooth"

    def __post_init__(self):
        choose("mode of pasting", self.mode, list(PASTE_MODES))

    @property
    def reach(self) -> int:
        """How many frames to each side influence one frame."""
        return int(np.ceil(REACH * self.sigma)) if self.mode == "smooth" else 0


@dataclass(frozen=True)
class Patch:
    """One frame uint8 (H, W, 3) and what replaces it there: crop (3, S, S) in [-1, 1], quad (4, 2) px, mask (M, M)."""

    frame: np.ndarray
    crop: torch.Tensor
    quad: np.ndarray
    mask: np.ndarray


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
    source, inside = alignment.uncrop(crop, quad, height, width)
    for _ in range(ROUNDS):
        error = crop - alignment.crop(source, quad, crop.shape[-1])
        source = source + alignment.uncrop(error, quad, height, width)[0]
    mask, _ = alignment.uncrop(torch.tensor(patch.mask)[None].double(), quad, height, width)
    return box, ((source + 1) * 127.5).movedim(0, -1).numpy(), (mask[0] * inside).numpy()


def pasted(patch: Patch, settings: PasteSettings) -> np.ndarray:
    """The frame uint8 (H, W, 3) with the crop in it; outside the mask it is the frame itself, exactly."""
    result = patch.frame.copy()
    if not result[box_of(patch.quad, result.shape[:2])].size:  # the square lies beside the frame
        return result
    box, source, mask = placed(patch)
    frame = patch.frame[box].astype(np.float64)
    if settings.mode in ("seamless", "mixed"):
        changed = mask >= 0.5
        blended = poisson.cloned(frame, source, changed, "mixed" if settings.mode == "mixed" else "normal")
    else:
        changed, alpha = mask > 0, softened(mask)[..., None]
        blended = frame + alpha * (source - frame)
    levels = blended.round().clip(0, 255).astype(np.uint8)
    result[box] = np.where(changed[..., None], levels, patch.frame[box])
    return result


def softened(mask: np.ndarray) -> np.ndarray:
    """A linear edge with its corners rounded: 3 x^2 - 2 x^3."""
    return mask * mask * (3 - 2 * mask)


def stream(patches: Iterable[Patch], settings: PasteSettings) -> Iterator[np.ndarray]:
    """The pasted frames of one shot, in order; "smooth" holds as many patches as its filter reaches, others one."""
    if settings.mode == "none":
        yield from (images.to_uint8(patch.crop) for patch in patches)
        return
    corrected = smoothed(patches, settings) if settings.mode == "smooth" else patches
    for patch in corrected:
        yield pasted(patch, settings)


def smoothed(patches: Iterable[Patch], settings: PasteSettings) -> Iterator[Patch]:
    """Patches whose crops are corrected by a membrane of colour that matches the frame along the mask's edge, smooth in time.

    At the edge the membrane is the difference of frame and crop, filtered by a Gaussian over time; inside it is harmonic.
    It is solved in the crop's own square, for the mask of the middle frame of the filter's window.
    """
    held: list[tuple[Patch, np.ndarray]] = []
    source, reach, k = iter(patches), settings.reach, 0
    ended = False
    while not ended or k < len(held):
        while not ended and len(held) <= k + reach:
            patch = next(source, None)
            if patch is None:
                ended = True
            else:
                held.append((patch, difference(patch)))
        if k < len(held):
            patch, window = held[k][0], [each for _, each in held[max(0, k - reach) : k + reach + 1]]
            filtered = gaussian_filter1d(np.stack(window), settings.sigma, axis=0, mode="nearest", radius=reach)
            yield with_membrane(patch, filtered[min(k, reach)])
            dropped = max(0, k + 1 - reach)
            held, k = held[dropped:], k + 1 - dropped


def difference(patch: Patch) -> np.ndarray:
    """Frame minus crop, in the crop's own square at the membrane's resolution, float32 (G, G, 3)."""
    own = alignment.crop(images.from_uint8(patch.frame), patch.quad, patch.crop.shape[-1])
    return images.resampled((own - patch.crop.cpu())[None], GRID)[0].movedim(0, -1).numpy()


def with_membrane(patch: Patch, edge: np.ndarray) -> Patch:
    """The patch with its crop corrected by the membrane that equals `edge` (G, G, 3) where the mask ends."""
    mask = images.resampled(torch.tensor(patch.mask)[None, None].float(), GRID)[0, 0].numpy()
    membrane = poisson.cloned(edge * 255, np.zeros_like(edge), mask >= 0.5) / 255
    large = images.resampled(torch.from_numpy(membrane).movedim(-1, 0)[None], patch.crop.shape[-1])[0]
    return Patch(patch.frame, patch.crop + large.to(patch.crop), patch.quad, patch.mask)
