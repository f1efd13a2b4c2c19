"""A Gaussian filter over time of what streams by: an item comes out as soon as the frames that influence it are in."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

WIDTH = 2  # standard deviations that the filter reaches to each side

Item = TypeVar("Item")


def reach(sigma: float) -> int:
    """How many frames to each side influence one frame."""
    return int(np.ceil(WIDTH * sigma))


def weights(sigma: float) -> np.ndarray:
    """The filter (2 reach + 1,), sum 1."""
    steps = np.arange(-reach(sigma), reach(sigma) + 1)
    bell = np.exp(-0.5 * np.square(steps / sigma)) if sigma else np.ones(1)
    return bell / bell.sum()


def filtered(items: Iterable[tuple[Item, np.ndarray]], sigma: float) -> Iterator[tuple[Item, np.ndarray]]:
    """Items with arrays, the arrays filtered over time (sigma in frames); the first and the last array go on at the ends.

    Held are the `reach` items that come next, and the arrays that the filter covers: memory does not grow with length.
    """
    bell, ahead = weights(sigma), reach(sigma)
    window: deque[np.ndarray] = deque(maxlen=len(bell))
    waiting: deque[Item] = deque()
    for item, array in items:
        window.extend([array] * (1 if window else ahead + 1))
        waiting.append(item)
        if len(window) == len(bell):
            yield waiting.popleft(), np.tensordot(bell, np.stack(window), axes=1)
    while waiting:
        window.append(window[-1])
        if len(window) == len(bell):
            yield waiting.popleft(), np.tensordot(bell, np.stack(window), axes=1)
