"""Latent Transformer's way with videos (Yao et al. 2021): every frame is inverted, every code edited by itself.

Landmarks are steadied by Lucas-Kanade tracks, squares are smoothed, fine rows are kept.  Not taken over: the encoder pSp,
whose weights cannot be had here, and 24 frames a second whatever the footage has.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from skimage.color import rgb2gray
from skimage.registration import optical_flow_ilk

from dynode import generators
from dynode.clips import Clip
from dynode.editing import propagation
from dynode.perception.face_detection import Face
from dynode.perception.face_tracking import FaceTrack, nearest
from dynode.video_editing import footage
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.methods import EditedCodes, system

SQUARES_SIGMA = 6.0  # frames
SPREAD = 100.0  # px^2: how far a landmark may be from its track before the track no longer counts
SIDE = 96  # pixels that a face is reduced to before it is tracked
KEPT = {
    "face": 16
}  # style rows that are edited; those after them, colour and texture, stay (rows >= 11 of the official 18)


def rows_of(generator_name: str) -> int:
    """How many style rows are edited; 0: all."""
    return KEPT.get(generators.category_of(generator_name), 0)


@system("latent-transformer")
@dataclass(frozen=True)
class EveryFrame:
    """The host: N inversions and N edits for N frames."""

    name: str = "latent-transformer"

    def steadied(self, detector, counters: Counters):
        return Steadied(detector, counters)

    def squares(self, track: FaceTrack) -> FaceTrack:
        return footage.smoothed(track, SQUARES_SIGMA)

    def wanted(self, track: FaceTrack) -> np.ndarray:
        return np.ones(len(track), dtype=bool)

    def edited(self, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, counters: Counters) -> EditedCodes:
        return EditedCodes(clip.ws, propagation.reedited(clip.ws, edit.at(ts - start), edit.rows), {})


class Steadied:
    """A face detector whose landmarks are blended with where they went by optical flow (iterative Lucas-Kanade).

    A landmark that was found d pixels from where its track leads becomes (1 - a) found + a tracked, a = exp(-d^2 / 100).
    """

    def __init__(self, detector, counters: Counters):
        self.detector, self.counters, self.before = detector, counters, None

    def __call__(self, frame: np.ndarray) -> list[Face]:
        found = self.detector(frame)
        picture, kept = rgb2gray(frame), []
        for face in found:
            last = None if self.before is None else nearest(self.before[1], face, reach=0.5)
            kept.append(face if last is None else self.blended(face, last, picture))
        self.before = picture, kept
        return kept

    def blended(self, face: Face, last: Face, picture: np.ndarray) -> Face:
        self.counters.landmark_tracks += 1
        tracked = last.landmarks + moved(self.before[0], picture, last)
        share = np.exp(-np.square(face.landmarks - tracked).sum(-1, keepdims=True) / SPREAD)
        return replace(face, landmarks=(1 - share) * face.landmarks + share * tracked)


def moved(before: np.ndarray, after: np.ndarray, face: Face) -> np.ndarray:
    """How far (5, 2), in pixels, each landmark went from one grey picture (H, W) to the next."""
    left, top = np.maximum(face.box[:2] - face.width / 4, 0).astype(int)
    right, bottom = np.ceil(face.box[2:] + face.width / 4).astype(int)
    step = max(1, round(face.width / SIDE))
    parts = [picture[top:bottom:step, left:right:step] for picture in (before, after)]
    rows, columns = optical_flow_ilk(*parts, radius=5)
    places = np.round((face.landmarks - (left, top)) / step).astype(int)
    x, y = (np.clip(places[:, k], 0, parts[0].shape[1 - k] - 1) for k in (0, 1))
    return step * np.stack([columns[y, x], rows[y, x]], axis=-1)
