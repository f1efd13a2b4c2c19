"""How entangled W is: on generators whose codes are the factors themselves, and on codes that say nothing."""

import numpy as np
import pytest
import torch

from dynode.errors import UserError
from dynode.evaluation import generator_quality


class Plain:
    """Codes are latents; an image is grey, as bright as the first number of its code."""

    z_dim, w_avg = 4, torch.zeros(4)

    def mapping(self, z):
        return z[:, None]

    def synthesis(self, ws):
        return (ws[:, 0, 0] / 3)[:, None, None, None].expand(-1, 3, 8, 8)


class Reader:
    """Reads brightness as dark or bright, and a second factor that has a single class."""

    factors = (type("F", (), {"name": "brightness"}), type("F", (), {"name": "constant"}))

    def __call__(self, images):
        mean = images.mean((1, 2, 3))
        return {"brightness": torch.stack([-mean, mean], 1), "constant": torch.ones(len(images), 1)}


def test_a_factor_that_a_code_holds_is_read_and_a_single_class_left_out():
    read = generator_quality.linear_readout(Plain(), Reader(), 200)
    assert set(read) == {"brightness"} and read["brightness"] > 0.9


def test_codes_that_say_nothing_are_read_no_better_than_the_most_frequent_class():
    rng = np.random.default_rng(0)
    assert generator_quality.agreement(rng.normal(size=(600, 3)), rng.integers(0, 3, 600), 0) < 0.15


def test_a_class_with_hardly_a_sample_is_left_out():
    labels = np.repeat([0, 1], [199, 1])
    assert generator_quality.agreement(np.zeros((200, 2)), labels, 0) is None


def test_a_path_twice_as_steep_is_four_times_as_long():
    def squared(a, b):
        return (a - b).square().mean((1, 2, 3))

    steep = Plain()
    steep.synthesis = lambda ws: 2 * Plain.synthesis(steep, ws / 8)
    gentle = Plain()
    gentle.synthesis = lambda ws: Plain.synthesis(gentle, ws / 8)
    lengths = [generator_quality.perceptual_path_length(each, squared, 64) for each in (gentle, steep)]
    assert lengths[1] == pytest.approx(4 * lengths[0], rel=0.05) and lengths[0] > 0


@pytest.mark.parametrize("measure", [generator_quality.linear_readout, generator_quality.perceptual_path_length])
def test_too_few_samples_are_refused(measure):
    with pytest.raises(UserError, match="at least 16 samples, got 3"):
        measure(Plain(), Reader(), 3)
