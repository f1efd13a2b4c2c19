"""Soft masks (M, M) in [0, 1] of the face in the aligned square: where an edited crop replaces its frame, and its face."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt
from scipy.spatial import ConvexHull
from skimage.draw import polygon2mask

from dynode import runtime
from dynode.errors import UserError
from dynode.io import images
from dynode.io.inputs import require_file

SIZE = 128  # pixels a side of a mask
KINDS = ("landmarks", "ellipse", "whole")
CENTRE, AXES = (0.5, 0.57), (0.26, 0.34)  # x, y of a face in an FFHQ square: eyes at 0.47, mouth at 0.69 of its height
MARGIN = 0.02  # of the square, that no mask enters
CORE = 0.03  # of the square: the width of the soft edge of a face's own mask
LANDMARKS_RESOLUTION = 256  # pixels a side of the crops in which landmarks are found
SEGMENTED = 512  # pixels a side that face parsing takes
BACKGROUND = (0, 16, 18)  # its classes that are no face: nothing, cloth, hat
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as such networks are trained


@dataclass(frozen=True)
class MaskSettings:
    """Which region is the face, and how its mask is made.

    kind: "landmarks", the convex hull of jaw and brows; "ellipse", where a face lies in every aligned square; "whole",
    all of the square, hair and background with it; or a TorchScript file of a face parser with the 19 classes of
    CelebAMask-HQ (images (B, 3, 512, 512), normalised as ImageNet's, to logits).
    """

    kind: str = "landmarks"
    dilation: float = 0.04  # how much the face is enlarged, in sides of the square
    feather: float = 0.08  # width of the soft edge, in sides of the square
    sigma: float = 3.0  # frames; masks are smoothed over time by a Gaussian

    def __post_init__(self):
        if self.kind not in KINDS and Path(self.kind).suffix not in (".pt", ".ts", ".torchscript"):
            raise UserError(
                f"There is no mask {self.kind!r}: legal are {', '.join(KINDS)}, or a TorchScript file of a face parser."
            )
        if self.kind not in KINDS:
            require_file(self.kind, "name a TorchScript file of a face parser")
        if not 0 < self.feather < 0.5 or not 0 <= self.dilation < 0.5:
            raise UserError(
                f"Feather and dilation are fractions of the face's square below 0.5, got {self.feather:g}, {self.dilation:g}."
            )

    @property
    def name(self) -> str:
        """As outputs name it: all but a face parser are stand-ins for one."""
        return f"mask[{self.kind}]" if self.kind in KINDS else f"mask[{Path(self.kind).name}]"

    @property
    def varies(self) -> bool:
        """Whether the mask depends on the picture, so that it may differ from frame to frame."""
        return self.kind not in ("ellipse", "whole")


def grid() -> np.ndarray:
    """The middles (M, M, 2) of a mask's pixels as fractions x, y of the square."""
    middle = (np.arange(SIZE) + 0.5) / SIZE
    return np.stack(np.meshgrid(middle, middle), axis=-1)


def ellipse() -> np.ndarray:
    return np.square((grid() - CENTRE) / AXES).sum(-1) < 1


def polygon(points: np.ndarray) -> np.ndarray:
    """The pixels (M, M) of the convex hull of points (n, 2), fractions x, y of the square."""
    hull = points[ConvexHull(points).vertices]
    return polygon2mask((SIZE, SIZE), hull[:, ::-1] * SIZE - 0.5)


@dataclass(frozen=True)
class Masks:
    """Soft masks (M, M) of one square.

    changed: where the crop replaces the frame.  face: where the crop shows the face, zero where none is known.
    shared: where the frame shows it too.
    """

    changed: np.ndarray
    face: np.ndarray
    shared: np.ndarray


def signed_distance(inside: np.ndarray) -> np.ndarray:
    """Distance float32 (M, M) to the edge of a region, in sides of the square, positive inside; 1 where it is all of it, -1 where it is empty."""
    if inside.all() or not inside.any():
        return np.full(inside.shape, 1.0 if inside.any() else -1.0, dtype=np.float32)
    within, beside = (np.asarray(distance_transform_edt(part)) for part in (inside, ~inside))
    return ((within - beside) / SIZE).astype(np.float32)


def soft(distance: np.ndarray, feather: float, dilation: float = 0.0) -> np.ndarray:
    """The mask float32 (M, M) of distances to an edge: 0.5 there once it is enlarged, a linear ramp across; 0 at the margin."""
    edge = np.abs(grid() - 0.5).max(-1)
    ramp = np.clip(0.5 + (distance + dilation) / feather, 0, 1)
    return np.minimum(ramp, np.clip((0.5 - MARGIN - edge) / feather, 0, 1)).astype(np.float32)


def of_faces(frame: np.ndarray, crop: np.ndarray, settings: MaskSettings) -> Masks:
    """The masks for distances (M, M) to the edge of the face in a frame and of that in its crop: both are replaced."""
    return Masks(
        changed=soft(np.maximum(frame, crop), settings.feather, settings.dilation),
        face=soft(crop, CORE),
        shared=soft(np.minimum(frame, crop), CORE),
    )


def constant(settings: MaskSettings) -> Masks:
    """The masks that are the same in every frame; of the whole square no part is known to be a face."""
    if settings.kind == "ellipse":
        distance = signed_distance(ellipse())
        return of_faces(distance, distance, settings)
    whole = soft(np.ones((SIZE, SIZE)), settings.feather)
    return Masks(whole, np.zeros_like(whole), whole)


RegionFinder = Callable[[torch.Tensor], np.ndarray]  # crop (3, S, S) in [-1, 1] -> (M, M) bool


def region_finder(
    settings: MaskSettings, landmarks: Callable | None = None, device: torch.device | str = "cpu"
) -> RegionFinder:
    """What finds the region of a mask that depends on the picture.

    landmarks: (1, 3, R, R) -> points (1, 68, 2) as fractions of the square, for masks of the kind landmarks.
    Raises UserError for a file that is no network.
    """
    if settings.kind == "landmarks" and landmarks is not None:
        return lambda crop: hull_of(landmarks(images.resampled(crop[None].to(device), LANDMARKS_RESOLUTION))[0])
    parser = face_parser(settings.kind, device)
    return lambda crop: parsed(parser, crop.to(device))


def hull_of(points: torch.Tensor) -> np.ndarray:
    """The pixels (M, M) of a face with these landmarks (68, 2): the convex hull of jaw and brows."""
    return polygon(np.asarray(points.cpu(), dtype=np.float64)[:27])


def face_parser(path: str, device: torch.device | str = "cpu") -> Callable:
    """The network of a TorchScript file.  Raises UserError for a file that is none."""
    try:
        return runtime.load_archive(path, str(device))
    except (RuntimeError, ValueError, OSError):
        raise UserError(f"{path} is no TorchScript file that can be read: export a face parser by torch.jit.") from None


@torch.no_grad()
def parsed(parser: Callable, crop: torch.Tensor) -> np.ndarray:
    """The pixels (M, M) of a crop that a face parser labels as anything but background, cloth and hat."""
    picture = (images.resampled(crop[None], SEGMENTED) + 1) / 2
    mean, std = (picture.new_tensor(each)[:, None, None] for each in (MEAN, STD))
    output = parser((picture - mean) / std)
    logits = output[0] if isinstance(output, tuple | list) else output
    if logits.dim() != 4 or logits.shape[1] != 19:
        raise UserError(f"A face parser gives logits (B, 19, H, W), this one gave {tuple(logits.shape)}.")
    face = ~torch.isin(logits.argmax(1), logits.new_tensor(BACKGROUND).long())
    return (F.interpolate(face[None].float(), size=(SIZE, SIZE), mode="area")[0, 0] > 0.5).cpu().numpy()
