"""Decode edited codes, one frame at a time, at the size of the face in its footage."""

from collections.abc import Iterator

import numpy as np
import torch

from dynode import generators
from dynode.generators.protocol import Generator
from dynode.io import images


def decoding_size(width: float, resolution: int) -> int:
    """The power of two at which a face of `width` pixels is decoded: the next that holds it, at most the generator's own."""
    return min(resolution, 2 ** max(4, int(np.ceil(np.log2(max(width, 1))))))


def decoded_crops(generator: Generator, codes: torch.Tensor, resolution: int, width: float) -> Iterator[torch.Tensor]:
    """Images (3, S, S) of codes (T, L, D), one at a time: decoded at `resolution`, reduced to the face's width in the footage.

    Without that a crop holds finer detail than its frame, which would come and go from frame to frame.
    """
    for part in codes.split(1):
        image = generators.render(generator, part, resolution)
        yield images.area_resize(image, min(resolution, round(width)))[0]
