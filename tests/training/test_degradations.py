"""Degraded training images: each kind does what it is called, and nothing happens at probability 0."""

import dataclasses

import pytest
import torch

from dynode.training.degradations import (
    Degradations,
    Draws,
    blurred,
    compressed,
    degrade,
    moved,
    recoloured,
)

NOTHING = Degradations(colour=0, grey=0, moved=0, blurred=0, compressed=0, noise=0)
ALWAYS = {"colour": 1.0, "grey": 1.0, "moved": 1.0, "blurred": 1.0, "compressed": 1.0}


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def images():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    face = torch.stack([x * y, (6 * x).sin(), (9 * y).cos()])
    return 0.8 * torch.stack([face, face.flip(0), face.flip(1)])


def test_nothing_happens_at_probability_zero(images, rng):
    degraded, wanted, same = degrade(images, NOTHING, rng)
    assert torch.allclose(degraded, images, atol=2e-3) and torch.allclose(wanted, images, atol=1e-4)
    assert same.tolist() == [1, 1, 1]


def test_all_of_it_stays_in_range_and_differs_from_image_to_image(images, rng):
    same_image = images[:1].repeat(4, 1, 1, 1)
    degraded, wanted, same = degrade(same_image, Degradations(**ALWAYS), rng)
    assert degraded.abs().max() <= 1 and wanted.abs().max() <= 1 and same.tolist() == [0] * 4
    assert (degraded[0] - degraded[1]).abs().mean() > 0.01


def test_black_and_white(images, rng):
    grey, which = recoloured(images, dataclasses.replace(NOTHING, grey=1.0), Draws(3, rng))
    assert torch.allclose(grey[:, 0], grey[:, 2], atol=1e-5) and which.flatten().tolist() == [1, 1, 1]


def test_blur_takes_detail_and_keeps_the_mean(images, rng):
    d = dataclasses.replace(NOTHING, blurred=1.0, sigma=2.5)
    soft = blurred(images, d, Draws(3, rng))
    detail = [(each[..., 1:] - each[..., :-1]).square().mean((1, 2, 3)) for each in (soft, images)]
    assert (detail[0] < detail[1]).all()
    assert torch.allclose(soft.mean((2, 3)), images.mean((2, 3)), atol=0.05)


def test_compression_moves_nothing_and_quantises_blocks(images, rng):
    coded = compressed(images, dataclasses.replace(NOTHING, compressed=1.0), Draws(3, rng))
    error = (coded - images).abs()
    assert 1e-3 < error.mean() < 0.1
    fine = compressed(images, dataclasses.replace(NOTHING, compressed=1.0, step=1e-4), Draws(3, rng))
    assert (fine - images).abs().mean() < error.mean()


def test_a_move_is_a_few_pixels_at_most(images, rng):
    d = dataclasses.replace(NOTHING, moved=1.0, shift=0.0, scale=0.0, turn=0.0)
    assert torch.allclose(moved(images, d, Draws(3, rng))[0], images, atol=1e-4)
    d = dataclasses.replace(NOTHING, moved=1.0, shift=2 / 64, scale=0.0, turn=0.0)
    turned = moved(images, d, Draws(3, rng))[0]
    errors = [
        (turned[:1, :, 8:-8, 8:-8] - images[:1].roll((i, j), (2, 3))[:, :, 8:-8, 8:-8]).abs().mean()
        for i in range(-3, 4)
        for j in range(-3, 4)
    ]
    assert min(errors) < 0.05 < (images[:1] - images[:1].roll((8, 8), (2, 3))).abs().mean()
