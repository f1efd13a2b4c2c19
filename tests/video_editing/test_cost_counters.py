"""What an edited video cost, as one line."""

import pytest

from dynode.video_editing.cost_counters import WORDS, Counters


def test_every_counter_has_words_of_its_own():
    assert list(WORDS) == list(Counters().counts()) and len({*WORDS.values()}) == len(WORDS)


def test_only_what_was_used_is_named_and_one_is_no_plural():
    counters = Counters(frames_inverted=1, steps_before=240, generator_forward=3, edits=1)
    assert counters.text() == (
        "1 frame inverted, 240 optimiser steps taken before, 3 passes of the generator, 1 edit, peak memory 0 MB"
    )


@pytest.mark.parametrize("name", WORDS)
def test_one_and_two_differ(name):
    one, two = (Counters(**{name: n}).text() for n in (1, 2))
    assert one.startswith("1 ") and two.startswith("2 ") and one[2:] != two[2:]
