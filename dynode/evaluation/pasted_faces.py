"""What pasting does to an edited face, in grey levels of 255: colours that come into its cheeks, and steps along its seam.

Both are needed: a crop that is put in as it is has cheeks without a stain and a seam that anybody sees.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter
from scipy.spatial import ConvexHull
from skimage.draw import polygon2mask

from dynode.evaluation.records import Row
from dynode.io import images
from dynode.perception import alignment

UNIT = "grey levels"
LANDMARKS = 256  # pixels a side of the crops in which landmarks are found
CHEEKS = (
    (1, 2, 3, 4, 48, 31, 41, 36),
    (15, 14, 13, 12, 54, 35, 46, 45),
)  # landmarks around each, from jaw to nose and eye
FACE = tuple(range(27))  # jaw and brows
DETAIL = 0.007  # of the square: what is finer is no colour
RING = 0.08  # of the square: how far the seam reaches to each side of where a frame begins to change


@dataclass(frozen=True)
class Pasted:
    """A frame uint8 (H, W, 3), the crop (3, S, S) in [-1, 1] that was pasted into its square quad (4, 2) px, and the result."""

    frame: np.ndarray
    crop: torch.Tensor
    quad: np.ndarray
    result: np.ndarray


def cheek_difference(face: Pasted, points: np.ndarray) -> float:
    """How far the cheeks of a pasted face are from the crop's, once the face's tone is matched, in grey levels.

    The mean over the cheeks of |pasted - crop - tone|, without fine detail, where the tone is the median over the face.
    points: 68 landmarks (68, 2) of the crop, fractions of its square.
    """
    size = face.crop.shape[-1]
    off = alignment.crop(images.from_uint8(face.result), face.quad, size) - face.crop.cpu()
    levels = gaussian_filter(127.5 * off.double().numpy(), (0, DETAIL * size, DETAIL * size))
    whole, cheeks = hull(points, FACE, size), hull(points, CHEEKS[0], size) | hull(points, CHEEKS[1], size)
    tone = np.median(levels[:, whole], axis=1, keepdims=True)
    return float(np.abs(levels[:, cheeks] - tone).mean())


def hull(points: np.ndarray, which: tuple[int, ...], size: int) -> np.ndarray:
    """The pixels (S, S) of the convex hull of some landmarks."""
    chosen = points[list(which)]
    return polygon2mask((size, size), chosen[ConvexHull(chosen).vertices][:, ::-1] * size - 0.5)


def seam_step(face: Pasted) -> float:
    """The root mean square of what neighbouring pixels along the seam differ by more than in the frame and in the crop alike.

    In grey levels.  Along the seam are the pixels of a frame within `RING` of the edge of what changed; 0 where there is
    no such edge.
    """
    changed = np.asarray(binary_fill_holes((face.result != face.frame).any(-1)))
    if not changed.any() or changed.all():
        return 0.0
    crop, inside = alignment.uncrop(face.crop.double().cpu(), face.quad, *changed.shape)
    crop = np.where(inside.numpy()[..., None] > 0, ((crop + 1) * 127.5).movedim(0, -1).numpy(), face.frame)
    near = distance_to_edge(changed) < RING * np.linalg.norm(face.quad[1] - face.quad[0])
    steps = [beyond(axis, face.result, face.frame, crop)[pairs(axis, near)] for axis in (0, 1)]
    return float(np.sqrt(np.square(np.concatenate(steps)).mean()))


def distance_to_edge(inside: np.ndarray) -> np.ndarray:
    """Pixels (H, W) to the edge of a region, on either side of it."""
    within, beside = (np.asarray(distance_transform_edt(part)) for part in (inside, ~inside))
    return np.where(inside, within, beside)


def beyond(axis: int, result: np.ndarray, *originals: np.ndarray) -> np.ndarray:
    """By how much the largest channel's step from pixel to pixel exceeds that of every original."""
    steps = [np.abs(np.diff(picture.astype(float), axis=axis)) for picture in (result, *originals)]
    return np.clip(steps[0] - np.max(steps[1:], axis=0), 0, None).max(-1)


def pairs(axis: int, near: np.ndarray) -> np.ndarray:
    """Which steps along an axis begin at a pixel that is near."""
    return near[:-1] if axis == 0 else near[:, :-1]


def rows(faces: Iterable[Pasted], landmarks: Callable[[torch.Tensor], torch.Tensor], **identity) -> Iterator[Row]:
    """cheek_difference and seam_step of pasted faces, means over frames with their standard deviations.

    landmarks: images (1, 3, S, S) -> points (1, 68, 2).  identity: fields of the rows, such as clip, method, variant.
    """
    measured = []
    for face in faces:
        points = landmarks(images.resampled(face.crop[None], LANDMARKS))[0].double().cpu().numpy()
        measured.append((cheek_difference(face, points), seam_step(face)))
    for metric, values in zip(("cheek_difference", "seam_step"), zip(*measured, strict=True), strict=True):
        mean, std = float(np.mean(values)), float(np.std(values))
        yield Row(metric, mean, std=std, n=len(values), unit=UNIT, space="image", **identity)
