"""Frames of a clip as one picture: a WebP sheet of eight columns, a sixth of the size of an H.264 video's key frames."""

import io
from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image

from dynode.io.images import area_resize, to_uint8

COLUMNS = 8
PIXELS = 192  # a side of a frame, unless the images are smaller
FINE = ((PIXELS, 75), (160, 70), (128, 65), (96, 55), (64, 50))  # pixels and quality, from the best to the smallest
SMALL = 100  # pixels below which compression shows: frames are stored nearly as they are


def sheet(images: torch.Tensor, pixels: int = PIXELS, quality: int = 75) -> bytes:
    """A WebP of images (T, 3, R, R) in [-1, 1], row by row; the rest of the last row is black."""
    images = area_resize(images, min(pixels, images.shape[-1]))
    frames = to_uint8(images)
    side, rows = frames.shape[1], -(-len(frames) // COLUMNS)
    grid = np.zeros((rows * COLUMNS, side, side, 3), np.uint8)
    grid[: len(frames)] = frames
    page = grid.reshape(rows, COLUMNS, side, side, 3).swapaxes(1, 2).reshape(rows * side, COLUMNS * side, 3)
    content = io.BytesIO()
    Image.fromarray(page).save(content, "WEBP", quality=92 if side <= SMALL else quality, method=5)
    return content.getvalue()


def sheets_within(images: Mapping[str, torch.Tensor], most: int) -> dict[str, bytes]:
    """A sheet of each of some images by name, all together at most `most` bytes where a smaller picture can do that."""
    made: dict[str, bytes] = {}
    for pixels, quality in FINE:
        made = {name: sheet(each, pixels, quality) for name, each in images.items()}
        if sum(map(len, made.values())) <= most:
            break
    return made
