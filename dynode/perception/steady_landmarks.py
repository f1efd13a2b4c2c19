"""Landmarks of a face in one frame that hardly jitter: 68 points, averaged over crops that are moved, scaled, turned and mirrored.

The five points of MTCNN differ from frame to frame by as much as a face moves; a square of these, of a frame by itself,
makes a video of crops that shakes.
"""

import numpy as np
import torch

from dynode.perception.alignment import Squares, crop
from dynode.perception.face_api import Landmarks

CROPS, CROPS_SEED = 4, 0  # each of them is mirrored too
MOVED, SCALED, TURNED = 0.04, 0.08, 4.0  # at most: of a side, as a factor, degrees
SIZE = 160  # pixels a side of a crop
MIRRORED = np.array(  # the point that each of the 68 becomes in a mirror
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1)]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65]
)


class SteadyLandmarks:
    """A frame uint8 (H, W, 3) and five landmarks (5, 2) of a face in it -> the five, steadier: eyes, nose, mouth corners."""

    def __init__(self, device: torch.device | str = "cpu"):
        self.network, self.device = Landmarks().to(device), device
        rng = np.random.default_rng(CROPS_SEED)
        self.changes = [
            (rng.uniform(-MOVED, MOVED, 2), 1 + rng.uniform(-SCALED, SCALED), np.radians(rng.uniform(-TURNED, TURNED)))
            for _ in range(CROPS)
        ]

    def __call__(self, frame: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1).float() / 127.5 - 1
        square = Squares.from_landmarks(landmarks[None])
        quads = [changed(square, *change).quads()[0] for change in self.changes]
        points = self.points(torch.stack([crop(image, quad, SIZE) for quad in quads]))
        return five_of(np.mean([in_frame(p, quad) for p, quad in zip(points, quads, strict=True)], axis=0))

    @torch.no_grad()
    def points(self, crops: torch.Tensor) -> np.ndarray:
        """68 points (n, 68, 2) of crops (n, 3, S, S), as fractions of their sides: means of a crop's and its mirror image's."""
        detected = self.network(torch.cat([crops, crops.flip(3)]).to(self.device)).double().cpu().numpy()
        plain, mirrored = np.split(detected, 2)
        return (plain + np.stack([1 - mirrored[:, MIRRORED, 0], mirrored[:, MIRRORED, 1]], axis=2)) / 2


def changed(square: Squares, moved: np.ndarray, scaled: float, turned: float) -> Squares:
    """A square moved by a part of its side, scaled, and turned by radians."""
    cosine, sine = np.cos(turned), np.sin(turned)
    side = 2 * np.linalg.norm(square.x, axis=1, keepdims=True)
    return Squares(square.centre + moved * side, scaled * square.x @ np.array([[cosine, sine], [-sine, cosine]]))


def in_frame(points: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """Points (K, 2) given as fractions of a square, in pixels of the frame."""
    upper_left, lower_left, _, upper_right = quad
    return upper_left + points[:, :1] * (upper_right - upper_left) + points[:, 1:] * (lower_left - upper_left)


def five_of(points: np.ndarray) -> np.ndarray:
    """The five points (5, 2) of MTCNN of 68 (68, 2): centres of the eyes, tip of the nose, corners of the mouth."""
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
