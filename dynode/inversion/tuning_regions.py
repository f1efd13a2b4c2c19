"""Where eyes and mouth are in an FFHQ-aligned face: by landmarks, else where alignment puts them."""

from dataclasses import dataclass, field

import torch

from dynode.perception.face_api import Landmarks
from dynode.perception.face_geometry import eye_centres

LEFT, RIGHT, MOUTH = slice(36, 42), slice(42, 48), slice(48, 68)  # iBUG's 68 landmarks
WIDER = 1.5  # radius of a region in half extents of its landmarks
PADDING = 0.02  # added to it, in fractions of the square: lids, lashes, lips
EDGE = 0.4  # part of the radius over which a region fades out
# FFHQ's alignment puts the eyes at a height of about .47, a quarter of the square apart, the mouth's corners at about .73
EYES = ((0.375, 0.47), (0.625, 0.47))
FIXED = ((*EYES[0], 0.08, 0.055), (*EYES[1], 0.08, 0.055), (0.5, 0.73, 0.14, 0.075))  # centres and radii
FAR = 0.09  # centres of eyes farther than this from there are no landmarks of an aligned face


@dataclass
class FaceRegions:
    """Masks of eyes and mouth.  by: how many images' regions came from what: "landmarks", or "fixed" where these fail."""

    landmarks: Landmarks
    by: dict[str, int] = field(default_factory=lambda: {"landmarks": 0, "fixed": 0})

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(1, 1, R, R) in [0, 1] of an image (1, 3, R, R)."""
        points = self.landmarks(images)
        trusted = is_aligned(points)
        self.by["landmarks" if trusted else "fixed"] += 1
        ellipses = of_landmarks(points[0]) if trusted else torch.tensor(FIXED, device=images.device)
        return mask_of_ellipses(ellipses, images.shape[-1])[None, None]


def is_aligned(points: torch.Tensor) -> bool:
    """Whether landmarks (1, 68, 2) have both eyes about where FFHQ's alignment puts them."""
    centres = torch.cat(eye_centres(points))
    return bool((centres - torch.tensor(EYES).to(centres)).norm(dim=1).amax() < FAR)


def of_landmarks(points: torch.Tensor) -> torch.Tensor:
    """Ellipses (3, 4), centre and radii as fractions of the square, around eyes and mouth of landmarks (68, 2)."""
    boxes = [torch.stack([points[part].amin(0), points[part].amax(0)]) for part in (LEFT, RIGHT, MOUTH)]
    return torch.stack([torch.cat([box.mean(0), WIDER * (box[1] - box[0]) / 2 + PADDING]) for box in boxes])


def mask_of_ellipses(ellipses: torch.Tensor, size: int) -> torch.Tensor:
    """(size, size) in [0, 1]: 1 within ellipses (N, 4), fading to 0 at their edge."""
    at = (torch.arange(size, device=ellipses.device) + 0.5) / size
    x, y, across, up = ellipses.T[:, :, None, None]  # (N, 1, 1) each
    distance = (((at - x) / across).square() + ((at[:, None] - y) / up).square()).sqrt()
    return ((1 - distance) / EDGE).clamp(0, 1).amax(0)
