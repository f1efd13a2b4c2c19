"""Contours and irises of eyes: MediaPipe Iris (Ablavatski et al. 2020), its weights from the package @vladmandic/human.

The 68 landmarks of `face_api` hardly follow a lid: on closed eyes their aspect ratio is that of open ones less a fifth, and
eyes opened wide have the same.  This network sees each eye by itself, and its aspect ratio falls to a fifth, of blurred eyes to
less than a half.
"""

import torch
from torch import nn

from dynode.perception.face_regions import cut, downward, eye_squares
from dynode.perception.graph_model import GraphModel

SIZE = 64  # pixels a side of the network's input
# Its side, in distances of the eye's corners: that of training, and one more, whose mean has half the noise of either.
EYE_WIDTHS = (2.3, 2.8)
POINTS = 76  # 71 of contours, 5 of the iris


class EyeLandmarks(nn.Module):
    """Aligned faces (B, 3, R, R) in [-1, 1] and their 68 landmarks (B, 68, 2) -> points of both eyes (B, 2, 76, 2).

    x and y are fractions of the image, the left eye of the image comes first.  Points 0-8 are the lower lid from the outer
    corner to the inner one, 9-15 the upper lid between them, 71 is the iris's centre.
    """

    def __init__(self):
        super().__init__()
        self.network = GraphModel("eye-landmarks")

    def forward(self, images: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        squares = [eye_squares(points, widths) for widths in EYE_WIDTHS]
        return torch.stack([self.within(images, *each) for each in squares]).mean(0)

    def within(self, images: torch.Tensor, centres: torch.Tensor, axes: torch.Tensor) -> torch.Tensor:
        """The points of both eyes as the network sees them in these squares."""
        left, right = cut(images, centres, axes, SIZE).unbind(1)
        eyes = torch.cat([left, right.flip(3)])  # the network knows the eye that is on the left in the image
        at = self.network((eyes + 1) / 2).view(2, -1, POINTS, 3)[..., :2] * (2 / SIZE) - 1
        x = torch.stack([at[0, ..., 0], -at[1, ..., 0]], 1)[..., None]  # (B, 2, 76, 1), -1 to 1 across the square
        y = torch.stack([at[0, ..., 1], at[1, ..., 1]], 1)[..., None]
        return centres[:, :, None] + x * axes[:, :, None] + y * downward(axes)[:, :, None]
