"""Regions of aligned faces by their 68 landmarks: oriented squares around eyes and mouth, cut out at a stated size."""

import torch
import torch.nn.functional as F

EYE_CORNERS = ((36, 39), (42, 45))  # left eye before right eye, as seen in the image
EYE_WIDTHS = 2.0  # the side of an eye's square: lids, lashes and the fold above
MOUTH_WIDTHS = (
    1.4  # the side of the mouth's square, in the longer of its width and height: lips, teeth and folds beside
)


def eye_squares(points: torch.Tensor, widths: float = EYE_WIDTHS) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres (B, 2, 2) and half-axes x (B, 2, 2) of squares around both eyes of landmarks (B, 68, 2), in their unit."""
    outer, inner = (points[:, [pair[k] for pair in EYE_CORNERS]] for k in (0, 1))
    return (outer + inner) / 2, (inner - outer) / 2 * widths


def mouth_square(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centre (B, 1, 2) and half-axis x (B, 1, 2) of a square around the mouth."""
    across, down = points[:, 54] - points[:, 48], points[:, 57] - points[:, 51]
    length = across.norm(dim=1, keepdim=True)
    longer = torch.maximum(length, down.norm(dim=1, keepdim=True)) / length
    return points[:, 48:60].mean(1, keepdim=True), (across / 2 * MOUTH_WIDTHS * longer)[:, None]


def cut(images: torch.Tensor, centres: torch.Tensor, axes: torch.Tensor, size: int) -> torch.Tensor:
    """Squares (B, K, 2) of images (B, 3, R, R), in fractions of the image, as (B, K, 3, size, size), bilinear."""
    u = (2 * torch.arange(size, device=images.device) + 1) / size - 1
    x, y = axes[:, :, None, None], downward(axes)[:, :, None, None]
    grid = 2 * (centres[:, :, None, None] + u[:, None] * x + u[:, None, None] * y) - 1  # (B, K, size, size, 2)
    rows = F.grid_sample(images, grid.flatten(1, 2).to(images), padding_mode="border", align_corners=False)
    return rows.unflatten(2, (grid.shape[1], size)).transpose(1, 2)


def downward(axes: torch.Tensor) -> torch.Tensor:
    """The half-axes y (..., 2) of squares with half-axes x."""
    return torch.stack([-axes[..., 1], axes[..., 0]], -1)
