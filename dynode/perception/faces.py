"""Find the face of every frame: MTCNN (Zhang et al. 2016) boxes and five landmarks, from `facenet-pytorch`."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dynode import images, video
from dynode.errors import UserError
from dynode.perception import alignment


@dataclass(frozen=True)
class FaceTrack:
    """One face through T frames: times (T,) s, quads (T, 4, 2) px, detected (T,) bool, crops (T, 3, S, S)."""

    ts: np.ndarray
    quads: np.ndarray
    detected: np.ndarray
    crops: torch.Tensor


class LandmarkDetector:
    """frame uint8 (H, W, 3) RGB -> five landmarks (5, 2) of the largest face, or None."""

    def __init__(self, device="cpu"):
        from facenet_pytorch import MTCNN

        self.mtcnn = MTCNN(keep_all=False, select_largest=True, device=device, post_process=False)

    def __call__(self, frame: np.ndarray) -> np.ndarray | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            boxes, _, points = self.mtcnn.detect(frame, landmarks=True)
        return None if boxes is None else np.asarray(points[0], dtype=np.float64)  # comes with dtype object


def fill_missing(points: list[np.ndarray | None], ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (T, 5, 2), interpolated in time where a face was not found, and detected (T,)."""
    detected = np.array([p is not None for p in points])
    known = np.stack([p for p in points if p is not None]).reshape(-1, 10)
    filled = np.stack([np.interp(ts, ts[detected], column) for column in known.T], axis=1)
    return filled.reshape(-1, 5, 2), detected


def track(path: Path | str, frames: int | None = None, size: int = 256, progress=None) -> FaceTrack:
    """Detect, smooth and crop the face of a video's first `frames` frames (default all).

    Frames without a face between others get an interpolated quad and detected = False.
    Raises UserError when the file cannot be read or no frame shows a face.
    """
    detector, points = LandmarkDetector(), []
    shots, ts = video.read(path, frames)
    for picture in shots:
        points.append(detector(picture))
        if progress is not None:
            progress.update()
    if all(p is None for p in points):
        raise UserError(
            f"No face was found in the {len(ts)} frames of {path}: give footage of a face seen from the front."
        )
    landmarks, detected = fill_missing(points, ts)
    quads = alignment.Squares.from_landmarks(landmarks).smoothed().quads()
    return FaceTrack(ts, quads, detected, cut(shots, quads, size))


def cut(frames: Iterable[np.ndarray], quads: np.ndarray, size: int = 256) -> torch.Tensor:
    """Aligned crops (T, 3, size, size) of frames uint8 (H, W, 3): cut at 1024 pixels, reduced by area."""
    pairs = zip(frames, quads, strict=True)
    large = (alignment.crop(images.from_uint8(frame), quad, size=1024)[None] for frame, quad in pairs)
    return torch.cat([images.area_resize(image, size) for image in large])
