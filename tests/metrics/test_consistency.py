"""Consistency of edited videos, against cases whose answers are known in closed form."""

import math

import pytest
import torch

from dynode.errors import UserError
from dynode.metrics import consistency
from dynode.metrics.consistency import acd, acd_reference, edit_id, src_id, tg_id, tl_id


def turning(*degrees: float) -> torch.Tensor:
    """Unit vectors (T, 2) at these angles."""
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], 1)


def cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))


SOURCE, EDITED = turning(0, 10, 30), turning(5, 25, 85)


def test_identity_ratios_are_means_of_ratios():
    assert tl_id(SOURCE, EDITED) == pytest.approx((cos(20) / cos(10) + cos(60) / cos(20)) / 2)
    pairs = (cos(20) / cos(10), cos(60) / cos(20), cos(80) / cos(30))
    assert tg_id(SOURCE, EDITED) == pytest.approx(sum(pairs) / 3)
    means = (cos(20) + cos(60)) / (cos(10) + cos(20))
    assert tl_id(SOURCE, EDITED) != pytest.approx(means, abs=1e-3)


def test_length_of_vectors_does_not_matter_and_the_source_has_one():
    lengths = torch.tensor([[2.0], [0.1], [7.0]], dtype=torch.float64)
    assert tg_id(SOURCE * lengths, EDITED / lengths) == pytest.approx(tg_id(SOURCE, EDITED))
    assert tl_id(SOURCE, SOURCE) == tg_id(SOURCE, SOURCE) == pytest.approx(1)


def test_a_frozen_video_wins_on_identity_and_its_motion_is_zero():
    frozen = EDITED[:1].expand(3, 2)
    assert tg_id(SOURCE, frozen) > tg_id(SOURCE, SOURCE)
    images = torch.linspace(-1, 1, 5)[:, None, None, None].expand(5, 3, 4, 4)
    assert consistency.motion_ratio(images, images[:1].expand_as(images)) == 0
    assert consistency.motion_ratio(images, images * 0.5) == pytest.approx(0.25)
    flows = torch.ones(4, 2, 3, 3)
    assert consistency.flow_ratio(flows, 0 * flows) == 0 and consistency.flow_ratio(flows, 2 * flows) == 2
    agreement = [consistency.flow_agreement(flows, k * flows) for k in (1.0, 0.0, -1.0)]
    assert agreement == pytest.approx([1, 0, -1])
    assert math.isnan(consistency.motion_ratio(images[:1].expand_as(images), images))


def test_identity_with_the_edited_first_frame_and_with_the_source():
    assert edit_id(EDITED) == pytest.approx((cos(20) + cos(80)) / 2)
    assert src_id(SOURCE, EDITED) == pytest.approx((cos(5) + cos(15) + cos(55)) / 3)


def test_a_source_similarity_of_nothing_makes_no_ratio():
    result = tg_id(turning(0, 90, 45), turning(0, 10, 20))
    assert (result.n, result.guarded) == (2, 1)
    assert result == pytest.approx((cos(20) / cos(45) + cos(10) / cos(45)) / 2)


def test_frames_without_a_face_are_refused_or_left_out_and_counted():
    holed = torch.cat([EDITED, turning(90)])
    source = torch.cat([SOURCE, turning(40)])
    holed[1] = torch.nan
    with pytest.raises(UserError, match="2 of 3 comparisons"):
        tl_id(source, holed)
    result = tl_id(source, holed, missing="skip")
    assert result == pytest.approx(cos(5) / cos(10)) and (result.n, result.missing) == (1, 2)
    assert edit_id(holed, missing="skip").missing == 1
    with pytest.raises(UserError, match="first edited frame"):
        edit_id(holed[1:], missing="skip")
    with pytest.raises(UserError, match="no two frames"):
        tl_id(source[:2], holed[:2], missing="skip")
    with pytest.raises(UserError, match="legal are raise, skip"):
        tl_id(SOURCE, EDITED, missing="skipp")


def test_content_distance_in_all_its_forms():
    chord = [2 * math.sin(math.radians(angle / 2)) for angle in (20, 60, 80)]
    assert acd(EDITED) == pytest.approx(sum(chord) / 3)
    assert acd(EDITED, pairs="adjacent") == pytest.approx(sum(chord[:2]) / 2)
    assert acd(10 * EDITED, normalise=False) == pytest.approx(10 * sum(chord) / 3)
    assert acd(10 * EDITED) == pytest.approx(sum(chord) / 3)
    between = [2 * math.sin(math.radians(angle / 2)) for angle in (5, 15, 55)]
    assert acd_reference(EDITED, SOURCE) == pytest.approx(sum(between) / 3)
    assert acd_reference(EDITED, EDITED[0]) == pytest.approx((chord[0] + chord[2]) / 3)
    with pytest.raises(UserError, match="did you mean 'adjacent'"):
        acd(EDITED, pairs="adjacen")


def test_videos_that_do_not_fit_and_single_frames_are_refused():
    with pytest.raises(UserError, match="same frames"):
        tl_id(SOURCE, EDITED[:2])
    with pytest.raises(UserError, match="at least 2"):
        tl_id(SOURCE[:1], EDITED[:1])
    with pytest.raises(UserError, match="at least 2"):
        acd(EDITED[:1])
