"""Measuring other processes."""

import numpy as np
import pytest

from dynode import runtime


def test_peak_memory_is_that_of_the_command_alone():
    ours = np.ones(3 * 2**26)  # 1.5 GiB, more than any small command takes
    assert 2**24 < runtime.peak_memory("list") < ours.nbytes / 2


def test_peak_memory_of_a_command_that_fails_is_no_number():
    with pytest.raises(RuntimeError, match="no-such-clip"):
        runtime.peak_memory("diagnose", "no-such-clip")
