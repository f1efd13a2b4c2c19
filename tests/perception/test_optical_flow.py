"""Optical flow finds known motions; warping error is zero for them, and tells flicker and what was hidden."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from dynode.metrics.warping import visible, warped, warping_error
from dynode.perception import optical_flow

SHIFT = (2, 1)  # pixels right and down, each frame


def scenery(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """A smooth random picture (3, H, W) in [-1, 1]."""
    noise = np.random.default_rng(seed).normal(size=(3, height, width))
    smooth = gaussian_filter(noise, (0, 3, 3))
    return (smooth / np.abs(smooth).max()).astype(np.float32)


def moving(frames: int = 4) -> torch.Tensor:
    """A window (T, 3, 48, 64) on a picture that moves by SHIFT."""
    large, (right, down) = scenery(), SHIFT
    corners = [(20 - down * t, 30 - right * t) for t in range(frames)]
    return torch.from_numpy(np.stack([large[:, y : y + 48, x : x + 64] for y, x in corners]))


@pytest.fixture(scope="module")
def flow() -> optical_flow.Flows:
    return optical_flow.flows(moving())


def test_a_known_shift_is_found_both_ways(flow):
    inner = (..., slice(6, -6), slice(6, -6))
    wanted = torch.tensor(SHIFT)[:, None, None].float()
    assert (flow.backward[inner] + wanted).abs().mean() < 0.1  # back to where it came from
    assert (flow.forward[inner] - wanted).abs().mean() < 0.1
    assert flow.unoccluded[:, 6:-6, 6:-6].float().mean() > 0.95


def test_warping_by_a_known_flow_is_exact_inside():
    images = moving(2)
    back = -torch.tensor(SHIFT)[None, :, None, None].float().expand(1, 2, 48, 64)
    assert (warped(images[:1], back) - images[1:])[..., 2:, 2:].abs().max() < 1e-5
    half = torch.full((1, 2, 2, 3), 0.0)
    half[:, 0] = 0.5
    assert warped(torch.tensor([[[[0.0, 2, 4], [6, 8, 10]]]]), half)[0, 0].tolist() == [[1, 3, 4], [7, 9, 10]]


def test_what_comes_in_from_outside_is_not_seen():
    back = -torch.tensor(SHIFT)[None, :, None, None].float().expand(1, 2, 48, 64)
    unoccluded = visible(back, -back)
    assert not unoccluded[0, :1].any() and not unoccluded[0, :, :2].any()
    assert unoccluded[0, 1:, 2:].all()
    elsewhere = torch.zeros_like(back)  # the way back does not end where it began
    assert not visible(back * 2, elsewhere).any()


def test_warping_error_of_motion_is_small_and_that_of_flicker_its_variance(flow):
    images = moving()
    plain = warping_error(images, flow.backward, flow.unoccluded)
    unaligned = warping_error(images, 0 * flow.backward, torch.ones_like(flow.unoccluded))
    assert plain < 0.02 * unaligned
    flicker = images + torch.tensor([0.1, -0.1, 0.1, -0.1])[:, None, None, None]
    assert warping_error(flicker, flow.backward, flow.unoccluded) == pytest.approx(0.04, rel=0.1)
    frozen = images[:1].expand_as(images)
    assert warping_error(frozen, flow.backward, flow.unoccluded) > 10 * plain


def test_a_flow_that_sees_nothing_has_no_error():
    assert np.isnan(warping_error(moving(2), torch.zeros(1, 2, 48, 64), torch.zeros(1, 48, 64, dtype=torch.bool)))


def test_images_are_reduced_to_a_longest_side_and_never_enlarged():
    assert optical_flow.reduced(torch.zeros(1, 3, 360, 640)).shape == (1, 3, 72, 128)
    assert optical_flow.reduced(torch.zeros(1, 3, 64, 48)).shape == (1, 3, 64, 48)
