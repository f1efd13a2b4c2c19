"""Colours of a face at places that its landmarks give, in CIELAB: L* from black 0 to white 100, a* from green to red."""

import numpy as np
import torch
import torch.nn.functional as F

from dynode.io.images import resampled
from dynode.perception import face_geometry as geometry

RESOLUTION = 128  # pixels at which colours are read: each is a mean over a few of the picture
TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)  # D65
LIPS = ((50, 61), (51, 62), (52, 63), (56, 65), (57, 66), (58, 67))  # between outer and inner line
SKIN = ((2, 31), (14, 35), (28, 28), (29, 29))  # cheeks, ridge of the nose
HAIR = [
    (x, y) for y in (-1.55, -1.4, -1.25) for x in (-0.5, -0.25, 0.0, 0.25, 0.5)
]  # above the eyes, in their distances
BRIDGE = (np.linspace(-0.16, 0.16, 9), np.linspace(-0.25, 0.25, 21))  # between the eyes: x and y in the same frame
UNDER_EYES, BELOW = (np.linspace(-0.65, -0.35, 7), np.linspace(0.35, 0.65, 7)), np.linspace(0.15, 0.60, 19)


def lab(images: torch.Tensor) -> torch.Tensor:
    """Images (B, 3, H, W) in [-1, 1], sRGB, in CIELAB."""
    rgb = (images.clamp(-1, 1) + 1) / 2
    linear = torch.where(rgb > 0.04045, ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = torch.einsum("ij,bjhw->bihw", torch.tensor(TO_XYZ).to(images), linear)
    share = xyz / torch.tensor(WHITE).to(images)[:, None, None]
    root = torch.where(share > 0.008856, share.clamp(min=0.008856) ** (1 / 3), 7.787 * share + 16 / 116)
    x, y, z = root.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def sample_at(pictures: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """What pictures (B, C, H, W) hold at points (B, P, 2), shares of their sides: (B, P, C), NaN outside of them."""
    inside = ((points > 0) & (points < 1)).all(-1, keepdim=True)
    read = F.grid_sample(pictures, (2 * points - 1)[:, None], mode="bilinear", align_corners=False)[:, :, 0].mT
    return torch.where(inside, read, torch.nan)


def midpoints(points: torch.Tensor, pairs) -> torch.Tensor:
    """The middles (B, P, 2) between pairs of landmarks (B, 68, 2)."""
    first, second = zip(*pairs, strict=True)
    return (points[:, list(first)] + points[:, list(second)]) / 2


def image_points(points: torch.Tensor, places=HAIR) -> torch.Tensor:
    """Places (B, P, 2) in the image that are given in the frame of the eyes."""
    origin, axes = geometry.eye_frame(points)
    return origin[:, None] + torch.tensor(places).to(points) @ axes


def colours(images: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Lipstick, hair's and skin's brightness (B, 3) of aligned faces (B, 3, R, R) with landmarks (B, 68, 2).

    Lipstick: how much redder (a*) lips are than skin.  Brightness: L*, the median over the places.
    """
    picture = lab(resampled(images, RESOLUTION))
    lips, skin = sample_at(picture, midpoints(points, LIPS)), sample_at(picture, midpoints(points, SKIN))
    hair = sample_at(picture, image_points(points))
    redness = lips[..., 1].mean(1) - skin[..., 1].mean(1)
    return torch.stack([redness, hair[..., 0].nanmedian(1).values, skin[..., 0].nanmedian(1).values], 1)


def grid(xs, ys) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for y in ys for x in xs]


def ridge(brightness: torch.Tensor, points: torch.Tensor, xs, ys) -> torch.Tensor:
    """The strongest thin horizontal line (B,) across a patch: second difference of its mean brightness from row to row."""
    rows = sample_at(brightness, image_points(points, grid(xs, ys)))[..., 0].unflatten(1, (len(ys), len(xs))).mean(2)
    return (rows[:, 2:] - 2 * rows[:, 1:-1] + rows[:, :-2]).abs().amax(1)


def eyeglasses(images: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """How clear the lines of a frame are (B,): across the bridge of the nose, and below the fainter of both eyes.

    The sum of log(1 + L*) of both.  Of 2,000 random faces the 30 highest all wear glasses, so do those of rank 100, 150
    and 200, and none that was looked at from rank 300 on.  Rimless ones are missed, dark ones are found.
    """
    brightness = lab(resampled(images, 2 * RESOLUTION))[:, :1]
    bridge = ridge(brightness, points, *BRIDGE)
    below = torch.stack([ridge(brightness, points, xs, BELOW) for xs in UNDER_EYES]).amin(0)
    return bridge.log1p() + below.log1p()
