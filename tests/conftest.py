"""Shared pieces of the tests: the real generator once, and small synthetic clips."""

import math

import pytest
import torch

from dynode import generators
from dynode.clips import Clip


@pytest.fixture(scope="session")
def generator():
    return generators.load()


def circle_codes(ts: torch.Tensor, rows: int = 3, width: int = 8, seed: int = 0) -> torch.Tensor:
    """Codes (T, rows, width) on a circle of period 1 in a random plane, off the origin."""
    plane = torch.randn(2, rows, width, generator=torch.Generator().manual_seed(seed))
    angle = 2 * math.pi * ts
    return 1 + angle.cos()[:, None, None] * plane[0] + angle.sin()[:, None, None] * plane[1]


@pytest.fixture
def circle() -> Clip:
    """Half a turn at 16 frames."""
    ts = torch.linspace(0, 0.5, 16, dtype=torch.float64)
    meta = {
        "name": "circle",
        "generator": "mobilestylegan-ffhq",
        "generator_hash": "none",
        "settings": {"start": "known"},
    }
    return Clip(circle_codes(ts), ts, meta=meta)
