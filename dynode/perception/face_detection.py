"""Face detection in one frame: MTCNN (Zhang et al. 2016), from `facenet-pytorch`, and landmarks that hardly jitter."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dynode.perception.steady_landmarks import SteadyLandmarks


@dataclass(frozen=True)
class Face:
    """box (left, top, right, bottom) and landmarks (5, 2): eyes, nose, mouth corners, left first; in pixels."""

    box: np.ndarray
    landmarks: np.ndarray

    @property
    def centre(self) -> np.ndarray:
        return (self.box[:2] + self.box[2:]) / 2

    @property
    def width(self) -> float:
        return float(self.box[2] - self.box[0])


class FaceDetector:
    """frame uint8 (H, W, 3) RGB -> its faces, largest first.

    smallest: pixels; narrower faces are left out.  certainty: least probability of the network, in [0, 1].
    """

    def __init__(self, device: torch.device | str = "cpu", smallest: int = 20, certainty: float = 0.9):
        from facenet_pytorch import MTCNN

        self.smallest, self.certainty = smallest, certainty
        self.steady = SteadyLandmarks(device)
        self.mtcnn = MTCNN(keep_all=True, device=device, min_face_size=smallest, post_process=False)

    def __call__(self, frame: np.ndarray) -> list[Face]:
        if min(frame.shape[:2]) <= self.smallest:  # MTCNN fails on an empty image pyramid
            return []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            detections: Any = self.mtcnn.detect(frame, landmarks=True)
        boxes, certainties, landmarks = detections
        if boxes is None:
            return []
        faces = [  # landmarks come with dtype object
            Face(np.asarray(box, dtype=np.float64), np.asarray(points, dtype=np.float64))
            for box, certainty, points in zip(boxes, certainties, landmarks, strict=True)
            if certainty >= self.certainty
        ]
        wide = [face for face in faces if face.width >= self.smallest]  # MTCNN's own limit lets halves of it pass
        steady = [Face(face.box, self.steady(frame, face.landmarks)) for face in wide]
        return sorted(steady, key=lambda face: -face.width)
