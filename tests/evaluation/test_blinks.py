"""Blinks of made-up curves, and which of them a reconstruction keeps."""

import numpy as np
import pytest

from dynode.evaluation.blinks import Blink, blinks, compared


def curve(*closed: tuple[int, int], frames: int = 40, openness: float = 0.3) -> np.ndarray:
    """Open eyes with a little noise, closed from each first to each last frame."""
    values = openness + 0.01 * np.sin(np.arange(frames))
    for first, last in closed:
        values[first : last + 1] = 0.3 * openness
    return values


@pytest.mark.parametrize("closed", [(), ((10, 10),), ((5, 8), (20, 21)), ((0, 2), (38, 39))])
def test_the_runs_of_closed_eyes_are_the_blinks(closed):
    assert blinks(curve(*closed)) == tuple(Blink(*each) for each in closed)


def test_half_lowered_lids_are_none_and_eyes_closed_for_half_a_clip_are_one():
    lowered = curve()
    lowered[10:20] *= 0.75
    assert blinks(lowered) == ()
    assert blinks(curve((0, 25))) == (Blink(0, 25),)


def test_how_far_this_person_opens_the_eyes_does_not_matter():
    assert blinks(curve((4, 6), openness=0.2)) == blinks(curve((4, 6), openness=0.4)) == (Blink(4, 6),)


def test_a_blink_one_frame_late_is_kept_and_others_are_missing_or_extra():
    source, made = curve((5, 6), (20, 21), (30, 30)), curve((7, 8), (25, 26), (31, 31))
    match = compared(source, made)
    assert match.missing == (Blink(20, 21),) and match.extra == (Blink(25, 26),)
    assert compared(source, source).missing == compared(source, source).extra == ()


@pytest.mark.parametrize(
    "source, made, text, lost, added",
    [
        ((), (), "", "", ""),
        ((), ((5, 6),), "1 added", "", "1 is added"),
        (((5, 6),), ((5, 6),), "the only one kept", "", ""),
        (((5, 6),), (), "the only one lost", "the only one is lost", ""),
        (((5, 6), (15, 16)), ((5, 6), (15, 16)), "all 2 kept", "", ""),
        (((5, 6), (15, 16)), ((15, 16),), "1 of 2 kept", "1 of 2 is lost", ""),
        (((5, 6), (15, 16)), ((25, 26), (35, 36)), "all 2 lost, 2 added", "all 2 are lost", "2 are added"),
    ],
)
def test_they_are_counted_in_words(source, made, text, lost, added):
    match = compared(curve(*source), curve(*made))
    assert (match.text, match.lost, match.added) == (text, lost, added)


def test_noise_about_the_threshold_loses_no_blink():
    source, made = curve(), curve()
    source[10], made[10] = 0.59 * 0.3, 0.62 * 0.3
    match = compared(source, made)
    assert (len(match.source), len(match.made), match.missing, match.extra) == (1, 0, (), ())
