"""Soft masks (M, M) in [0, 1] of the face in the aligned square: where an edited crop may replace its frame."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
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
    dilation: float = (
        0.0  # how much the face is enlarged, in sides of the square: an edge on the background stains the cheek
    )
    feather: float = 0.06  # width of the soft edge, in sides of the square
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


def signed_distance(inside: np.ndarray) -> np.ndarray:
    """Pixels (M, M) to the edge of a region, positive inside; SIZE everywhere where it is the whole square."""
    if inside.all():
        return np.full(inside.shape, SIZE)
    return np.asarray(distance_transform_edt(inside)) - np.asarray(distance_transform_edt(~inside))


def soft(inside: np.ndarray, settings: MaskSettings) -> np.ndarray:
    """The mask float32 (M, M) of a region: 0.5 at its edge once it is enlarged, a linear ramp across; 0 at the margin."""
    signed = signed_distance(inside)
    edge = np.abs(grid() - 0.5).max(-1)
    ramp = np.clip(0.5 + (signed / SIZE + settings.dilation) / settings.feather, 0, 1)
    return np.minimum(ramp, np.clip((0.5 - MARGIN - edge) / settings.feather, 0, 1)).astype(np.float32)


RegionFinder = Callable[[torch.Tensor], np.ndarray]  # crop (3, S, S) in [-1, 1] -> (M, M) bool


def region_finder(
    settings: MaskSettings, landmarks: Callable | None = None, device: torch.device | str = "cpu"
) -> RegionFinder:
    """What finds the region of a mask that depends on the picture.

    landmarks: (1, 3, R, R) -> points (1, 68, 2) as fractions of the square, for masks of the kind landmarks.
    Raises UserError for a file that is no network.
    """
    if settings.kind == "landmarks" and landmarks is not None:
        return lambda crop: polygon(np.asarray(landmarks(crop[None].to(device)).cpu(), dtype=np.float64)[0, :27])
    parser = face_parser(settings.kind, device)
    return lambda crop: parsed(parser, crop.to(device))


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


def over_time(
    crops: Iterable[torch.Tensor], find: RegionFinder, shots: np.ndarray, settings: MaskSettings
) -> np.ndarray:
    """The masks float32 (T, M, M) of crops, smoothed over time within each shot (T,)."""
    masks = np.stack([soft(find(crop), settings) for crop in crops])
    for shot in np.unique(shots):
        part = masks[shots == shot]
        masks[shots == shot] = (
            gaussian_filter1d(part, settings.sigma, axis=0, mode="nearest") if settings.sigma else part
        )
    return masks


def constant(frames: int, settings: MaskSettings) -> np.ndarray:
    """The masks (T, M, M) that are the same in every frame."""
    mask = soft(ellipse() if settings.kind == "ellipse" else np.ones((SIZE, SIZE), dtype=bool), settings)
    return np.broadcast_to(mask, (frames, SIZE, SIZE))
