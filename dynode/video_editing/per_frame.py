"""Latent Transformer for videos (Yao et al. 2021): every frame is inverted, every code edited by itself.

`FIDELITY` says what of the published system is kept and what is not.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from skimage.color import rgb2gray
from skimage.registration import optical_flow_ilk

from dynode import generators
from dynode.clips import Clip
from dynode.editing import propagation
from dynode.generators import registry
from dynode.inversion.observer import Observer
from dynode.perception.face_detection import Face
from dynode.perception.face_tracking import FaceTrack, nearest_face
from dynode.video_editing import footage
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.registry import Detector, system
from dynode.video_editing.systems.fidelity import CHANGED, KEPT, LEFT_OUT, Part

SQUARES_SIGMA = 6.0  # frames
TRACK_VARIANCE = 100.0  # px^2: how far a landmark may be from its track before the track no longer counts
SIDE = 96  # pixels that a face is reduced to before it is tracked
FIDELITY = (
    Part("edit", "every frame is inverted, every code edited by itself", KEPT),
    Part(
        "editor",
        "a full matrix for every style row, a classifier of all rows, taught by codes of photographs",
        CHANGED,
        "one matrix of rank 8 that all rows share, a classifier of their mean, taught by random codes: small files",
    ),
    Part("generator", "StyleGAN2 of 1024 pixels", CHANGED, "any of the package; of faces MobileStyleGAN"),
    Part(
        "landmarks",
        "68, steadied by Lucas-Kanade tracks, smoothed over time with sigma 3",
        CHANGED,
        "5, steadied by Lucas-Kanade tracks on a small picture of the face, not smoothed: the squares are",
    ),
    Part("squares", "smoothed over time with sigma 6", KEPT),
    Part("fine rows", "kept as they are", KEPT),
    Part(
        "inversion",
        "the encoder pSp",
        CHANGED,
        "projection, or the package's own encoder and a few steps: no registry carries pSp",
    ),
    Part(
        "paste",
        "a polygon of jaw and brows, dilated, by Poisson cloning",
        CHANGED,
        "a soft mask with matched tones; Poisson cloning is `--paste poisson`",
    ),
    Part("frame rate", "24 a second whatever the footage has", LEFT_OUT, "the footage's own"),
)
EDITED_ROWS = {23: 16}  # style rows of the distilled generator; those after them, colour and texture, stay
OFFICIAL_ROWS = 11  # of StyleGAN2 itself, up to 128 pixels; one of fewer rows is edited in all


def rows_of(generator_name: str) -> int:
    """How many style rows are edited; 0: all, of generators of anything but faces."""
    if generators.category_of(generator_name) != "face":
        return 0
    rows, _ = registry.code_shape_of(generator_name.partition("@")[0])
    return EDITED_ROWS.get(rows, min(OFFICIAL_ROWS, rows))


@system("latent-transformer")
@dataclass(frozen=True)
class PerFrame:
    """The host: N inversions and N edits for N frames."""

    name: str = "latent-transformer"
    fidelity = FIDELITY

    @property
    def stride(self) -> int:
        return 1

    @property
    def settings(self) -> dict:
        return {"name": self.name}

    def steadied(self, detector: Detector, observer: Observer) -> Detector:
        return SteadiedDetector(detector, observer)

    def squares(self, track: FaceTrack) -> FaceTrack:
        return footage.smoothed(track, SQUARES_SIGMA)

    def wanted(self, track: FaceTrack) -> np.ndarray:
        return np.ones(len(track), dtype=bool)

    def edit_shot(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer) -> EditedShot:
        return EditedShot(clip.ws, propagation.reedited(clip.ws, edit.at(ts - start), edit.rows))


class SteadiedDetector:
    """A face detector whose landmarks are blended with where they went by optical flow (iterative Lucas-Kanade).

    A landmark that was detected d pixels from its track becomes (1 - a) detected + a tracked, a = exp(-d^2 / 100).
    """

    def __init__(self, detector: Detector, observer: Observer):
        self.detector, self.observer = detector, observer
        self.before: tuple[np.ndarray, list[Face]] | None = None  # the last picture (H, W), and its faces

    def __call__(self, frame: np.ndarray) -> list[Face]:
        picture = rgb2gray(frame)
        faces = [self.steadied(face, picture) for face in self.detector(frame)]
        self.before = picture, faces
        return faces

    def steadied(self, face: Face, picture: np.ndarray) -> Face:
        """The face of a picture (H, W), blended with the tracks of the nearest face of the picture before, if any."""
        if self.before is None:
            return face
        before, faces = self.before
        last = nearest_face(faces, face, reach=0.5)
        if last is None:
            return face
        self.observer.count("landmark_tracks")
        tracked = last.landmarks + landmark_flow(before, picture, last)
        weight = np.exp(-np.square(face.landmarks - tracked).sum(-1, keepdims=True) / TRACK_VARIANCE)
        return replace(face, landmarks=(1 - weight) * face.landmarks + weight * tracked)


def landmark_flow(before: np.ndarray, after: np.ndarray, face: Face) -> np.ndarray:
    """How far (5, 2), in pixels, each landmark went from one grey picture (H, W) to the next."""
    left, top = np.maximum(face.box[:2] - face.width / 4, 0).astype(int)
    right, bottom = np.ceil(face.box[2:] + face.width / 4).astype(int)
    step = max(1, round(face.width / SIDE))
    parts = [picture[top:bottom:step, left:right:step] for picture in (before, after)]
    rows, columns = optical_flow_ilk(*parts, radius=5)
    pixels = np.round((face.landmarks - (left, top)) / step).astype(int)
    x, y = (np.clip(pixels[:, k], 0, parts[0].shape[1 - k] - 1) for k in (0, 1))
    return step * np.stack([columns[y, x], rows[y, x]], axis=-1)
