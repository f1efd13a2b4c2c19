"""What a clip records of its inversion, and which of its frames have not arrived."""

import re

import numpy as np
import pytest
import torch
from conftest import circle_codes

from dynode import clips
from dynode.clips import Clip
from dynode.evaluation.diagnosis import diagnose, few_observed
from dynode.evaluation.inversion_quality import inversion_quality


def a_clip(mse, identity=(), detected=None, **settings) -> Clip:
    ts = torch.arange(len(detected or mse), dtype=torch.float64) / 10
    meta = {
        "name": "talk",
        "mse": list(mse),
        "settings": {"start": "previous", "first_steps": 200, "steps": 40} | settings,
    }
    meta |= {"identity": list(identity)} if identity else {}
    detected = None if detected is None else torch.tensor(detected)
    return Clip(circle_codes(ts), ts, detected=detected, meta=meta)


def test_a_frame_far_from_the_others_has_not_arrived_and_is_said_with_its_time_and_remedy():
    quality = inversion_quality(a_clip([0.0038, 0.0187]))
    assert quality.not_arrived == [1]
    (remark,) = quality.remarks
    assert "1 of 2 inverted frames has not arrived, at 0.10 s (MSE up to 0.0187)" in remark
    assert "-p steps=80 -p first_steps=400, or each by itself with --protocol independent" in remark
    assert remark in diagnose(a_clip([0.0038, 0.0187])).text()
    assert "-p first_steps=400." in inversion_quality(a_clip([0.0038, 0.0187], start="w_avg")).remarks[0]


def test_frames_that_are_all_far_are_said_too_and_usual_ones_are_not():
    assert inversion_quality(a_clip([0.3, 0.31, 0.29])).not_arrived == [0, 1, 2]
    assert inversion_quality(a_clip([0.004, 0.008, 0.006])).remarks == []


@pytest.mark.parametrize("name", clips.shipped_names())
def test_no_shipped_clip_has_a_frame_that_has_not_arrived(name):
    assert inversion_quality(clips.load(name)).remarks == []


def test_a_face_that_is_there_has_arrived_whatever_is_behind_it():
    mse = [0.04, 0.05, 0.051, 0.045, 0.12]
    assert inversion_quality(a_clip(mse, identity=[0.96, 0.96, 0.97, 0.97, 0.97])).not_arrived == [4]
    assert inversion_quality(a_clip(mse, identity=[0.96, 0.96, 0.6, 0.97, 0.97])).not_arrived == [2, 4]
    assert inversion_quality(a_clip(mse)).not_arrived == [2, 4]


def test_a_face_that_hardly_looks_like_its_source_is_said():
    (remark,) = inversion_quality(a_clip([0.01, 0.011], identity=[0.45, 0.5])).remarks
    assert remark.startswith("The mean identity cosine 0.47 is low")
    assert inversion_quality(a_clip([0.01, 0.011], identity=[0.6, 0.5])).remarks == []


def test_frames_without_the_face_have_no_numbers_and_some_frames_have_their_own():
    quality = inversion_quality(a_clip([0.004, 0.02, 0.005], detected=[True, False, True, True]))
    assert quality.ts == pytest.approx((0, 0.2, 0.3)) and quality.not_arrived == [1]
    assert quality.at([0.0, 0.3]).values["mse"] == (0.004, 0.005) and quality.at([0.0, 0.3]).remarks == []
    assert quality.text == "mean MSE 0.0097 (worst 0.0200 at 0.20 s)"
    assert not quality.at([9.0]) and not inversion_quality(a_clip([0.1, 0.2, 0.3]).head(2))


@pytest.mark.parametrize(
    "frames, stride, said",
    [
        (
            5,
            4,
            r"Only 2 of the 5 frames are observed: .*take a longer excerpt, or a stride of 1, which observes them all",
        ),
        (5, 9, r"Only 2 of the 5 frames are observed \(both ends: the stride of 9 is not below their number\): "),
        (9, 4, "Only 3 of the 9 frames are observed: .*a stride of 2 or less"),
        (3, 1, "Only 3 of the 3 frames are observed: .*a longer excerpt"),
        (13, 4, ""),
    ],
)
def test_a_stride_that_leaves_few_frames_is_said(frames, stride, said):
    observed = torch.from_numpy(np.arange(frames) % stride == 0) | (torch.arange(frames) == frames - 1)
    remark = few_observed(observed, None, stride)
    assert bool(remark) == bool(said)
    if said:
        assert re.match(said, remark)


def test_the_shot_with_the_fewest_is_named():
    observed, shots = torch.ones(12, dtype=torch.bool), torch.tensor([0] * 9 + [1] * 3)
    assert "Only 3 of the 3 frames of shot 1" in few_observed(observed, shots, 1)
    observed[9:] = False  # not fitted at all
    assert few_observed(observed, shots, 1) == ""
