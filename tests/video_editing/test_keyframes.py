"""Edits as texts, and strengths over time."""

import numpy as np
import pytest

from dynode.errors import UserError
from dynode.video_editing.keyframes import EditTrack, parse_keyframes


@pytest.mark.parametrize("text", ["smile", "=1", "smile=", "smile=x", "smile=0:1,0:2", "smile=0:0,1", "smile=nan"])
def test_edits_that_are_none_are_refused(text):
    with pytest.raises(UserError):
        EditTrack.parsed(text)


def test_a_strength_over_time_multiplies_another():
    track = EditTrack.parsed("smile=0:1,1:3").scaled(parse_keyframes("0:0,0.5:1"))
    assert track.strength([0.0, 0.5, 1.0, 9.0]).tolist() == [0.0, 2.0, 3.0, 3.0] and track.largest == 3.0


def test_the_product_of_two_strengths_holds_between_their_keyframes_too():
    track = EditTrack.parsed("smile=0:0,1:2").scaled(parse_keyframes("0:0,1:1"))
    times = np.linspace(0, 1, 41)
    assert track.strength(times).tolist() == pytest.approx(list(2 * times**2), abs=2e-3)
    assert EditTrack.parsed("smile=3").scaled(parse_keyframes("0:0,1:1")).keyframes == ((0.0, 0.0), (1.0, 3.0))
