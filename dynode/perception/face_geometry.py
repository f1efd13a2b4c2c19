"""Measures of a face from its landmarks: pose, opening of mouth and eyes, gaze, smile.

All are taken in the frame of the eyes: the origin between them, x from one to the other, the unit their distance.  Yaw and
pitch follow from the position of the nose's tip, which lies in front of the plane of eyes and mouth (weak perspective).
"""

import math

import torch

NOSE = 0.44  # depth of the nose's tip, in eye distances, of the six-point head model usual in pose estimation
TIP, CHIN = 0.27, 0.14  # depth of tip and chin, in distances from the eyes' line to the chin, of the same model
LEVEL = 0.333  # height of the tip between the eyes' line and the chin in a level face: the median of random faces


def eye_centres(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The centres (B, 2) of the left and the right eye of landmarks (B, 68, 2)."""
    return points[:, 36:42].mean(1), points[:, 42:48].mean(1)


def eye_frame(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The origin (B, 2) and the axes (B, 2, 2), x before y, of the frame of the eyes, in the unit of the landmarks."""
    left, right = eye_centres(points)
    x = right - left
    return (left + right) / 2, torch.stack([x, torch.stack([-x[:, 1], x[:, 0]], 1)], 1)


def in_eye_frame(points: torch.Tensor) -> torch.Tensor:
    """Landmarks (B, 68, 2) in the frame of the eyes."""
    origin, axes = eye_frame(points)
    return (points - origin[:, None]) @ axes.mT / axes[:, 0].square().sum(1)[:, None, None]


def smile(p: torch.Tensor) -> torch.Tensor:
    """Width of the mouth plus height of its corners above the middle of the lips; p in the eyes' frame."""
    corners, middle = p[:, [48, 54]], p[:, [51, 57, 62, 66]]
    return p[:, 54, 0] - p[:, 48, 0] + middle[:, :, 1].mean(1) - corners[:, :, 1].mean(1)


def mouth_open(p: torch.Tensor) -> torch.Tensor:
    """Distance of the inner lips, in distances of the eyes."""
    return p[:, 65:68, 1].mean(1) - p[:, 61:64, 1].mean(1)


def eyes_open(p: torch.Tensor) -> torch.Tensor:
    """Height by width of the eyes (Soukupová & Čech 2016, "eye aspect ratio"), mean of both."""
    upper, lower = p[:, [37, 38, 43, 44]], p[:, [41, 40, 47, 46]]
    heights = (lower - upper).norm(dim=2).unflatten(1, (2, 2)).mean(2)
    return (heights / (p[:, [39, 45]] - p[:, [36, 42]]).norm(dim=2)).mean(1)


def yaw(p: torch.Tensor) -> torch.Tensor:
    """Degrees; above 0 where the nose points to the right of the image."""
    return torch.atan(p[:, 30, 0] / NOSE).rad2deg()


def pitch(p: torch.Tensor) -> torch.Tensor:
    """Degrees; above 0 where the nose points up.  Measured against the chin, since a smile lifts the mouth."""
    down = p[:, 30, 1] / p[:, 8, 1]
    return torch.atan((LEVEL - down) / (TIP - CHIN * down)).rad2deg()


def roll(points: torch.Tensor) -> torch.Tensor:
    """Degrees by which the line of the eyes falls to the right, of landmarks in the image; alignment removes most of it."""
    left, right = eye_centres(points)
    return torch.atan2(right[:, 1] - left[:, 1], right[:, 0] - left[:, 0]) * 180 / math.pi


def mouth_opening(points: torch.Tensor) -> torch.Tensor:
    """Distance (B,) of the inner lips over the face's height, from between the eyes to the chin, of landmarks (B, 68, 2)."""
    lips = points[:, 65:68].flip(1) - points[:, 61:64]
    return lips.norm(dim=2).mean(1) / (points[:, 8] - points[:, 27]).norm(dim=1)


def lid_opening(eyes: torch.Tensor) -> torch.Tensor:
    """Eye aspect ratio (B, 2) of both eyes' points (B, 2, 76, 2), see `EyeLandmarks`: distance of the lids over the width.

    The mean over the middle five of seven pairs of lid points: those beside the corners hardly move.
    """
    height = (eyes[:, :, 10:15] - eyes[:, :, 2:7]).norm(dim=3).mean(2)
    return height / (eyes[:, :, 8] - eyes[:, :, 0]).norm(dim=2)


def iris_position(eyes: torch.Tensor) -> torch.Tensor:
    """Where (B, 2, 2) the irises of both eyes' points (B, 2, 76, 2) are: x to the right and y down from the middle between
    the corners, in eye widths."""
    corners = eyes[:, :, [0, 8]]
    corners = torch.stack([corners[:, 0], corners[:, 1].flip(1)], 1)  # from left to right in the image
    across = corners[:, :, 1] - corners[:, :, 0]
    offset = eyes[:, :, 71] - corners.mean(2)
    along = (offset * across).sum(2), across[..., 0] * offset[..., 1] - across[..., 1] * offset[..., 0]
    return torch.stack(along, 2) / across.square().sum(2, keepdim=True)
