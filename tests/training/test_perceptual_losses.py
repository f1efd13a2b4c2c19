"""What refining measures: LPIPS, texture, and the discriminant."""

import pytest
import torch

from dynode.io.images import resampled
from dynode.perception.lpips import LPIPS
from dynode.training.perceptual_losses import PerceptualLosses, means, texture


@pytest.fixture(scope="module")
def network():
    return LPIPS("alex")


@pytest.fixture(scope="module")
def examples():
    torch.manual_seed(0)
    noise = resampled(torch.randn(96, 3, 8, 8).clamp(-1, 1), 32)
    return (noise + 0.2 * torch.randn(96, 3, 32, 32)).clamp(-1, 1)


def test_equal_pictures_are_alike_in_every_way(network, examples):
    likeness = PerceptualLosses(network, 64, examples)
    assert [round(float(value), 6) for value in likeness(examples[:4], examples[:4])] == [0, 0, 0]


def test_lpips_is_that_of_the_enlarged_pictures(network, examples):
    a, b = examples[:4], examples[4:8]
    lpips, _, _ = PerceptualLosses(network, 64, examples)(a, b)
    assert float(lpips) == pytest.approx(float(network(resampled(a, 64), resampled(b, 64)).mean()), rel=1e-4)


def test_texture_sees_blur_and_not_place(network, examples):
    likeness, blurred = PerceptualLosses(network, 64, examples), resampled(resampled(examples, 8), 32)
    flipped = examples.flip(-1)
    assert likeness(blurred[:8], examples[:8])[1] > 3 * likeness(flipped[:8], examples[:8])[1]


def test_what_gives_away_grows_with_the_difference_and_points_at_it(network, examples):
    likeness = PerceptualLosses(network, 64, examples, memory=16)
    for part in examples.split(16):
        same = likeness(part, part.clone())[2]
    assert abs(float(same)) < 1e-5
    for part in examples.split(16):
        part = (0.7 * part).requires_grad_(True)
        loss = likeness(part, part.detach() / 0.7)[2]
    assert loss.item() > 1
    (gradient,) = torch.autograd.grad(loss, part)
    with torch.no_grad():
        step = part - 0.05 * gradient / gradient.abs().max()
        gap = likeness.gap.clone()
        after = likeness(step, part / 0.7)[2]
        likeness.gap.copy_(gap)
        before = likeness(part, part / 0.7)[2]
    assert after < before


def test_texture_is_the_mean_and_the_spread_of_features():
    layer = torch.randn(2, 3, 5, 5)
    mean, spread = texture([layer])
    assert torch.equal(means([layer]), mean)
    assert torch.allclose(spread, layer.std((2, 3)), atol=1e-4)
