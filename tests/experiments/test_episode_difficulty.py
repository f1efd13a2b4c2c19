"""How hard the test episodes are: factors and their coordinates, and errors that are known."""

import dataclasses

import numpy as np
import pytest
import torch

from dynode.evaluation import records
from dynode.evaluation.records import select
from dynode.experiments import episode_difficulty
from dynode.experiments.episode_difficulty import coordinates, difficulty_table, factors_at, rows_of
from dynode.experiments.test_set import conditions, episode_sets, episodes_of
from dynode.runtime import ROOT
from dynode.worlds import WORLDS

SETS = episode_sets()


@pytest.mark.parametrize("name", WORLDS)
def test_coordinates_are_factors_without_a_jump(name):
    world = WORLDS[name]
    drawn = world.sample(20, seed=1)
    assert torch.allclose(factors_at(world.factors, coordinates(world.factors, drawn)), drawn, atol=1e-4)
    for k, factor in enumerate(world.factors):
        if factor.circular:
            ends = drawn[:1].repeat(2, 1)
            ends[0, k], ends[1, k] = factor.low, factor.high - 1e-6
            near = coordinates(world.factors, ends)
            assert (near[0] - near[1]).abs().max() < 1e-5


def test_hold_errs_more_than_linear_interpolation_and_drawn_pictures_agree():
    episode = episodes_of("scene")[0]
    rows = list(rows_of(SETS["scene"], episode, [2, 8], resolution=8))
    values = {(row.metric, row.stride, row.method): row.value for row in rows}
    for metric in ("factor_mse", "mse"):
        assert values[metric, 2, "linear"] < values[metric, 8, "linear"] < values[metric, 8, "hold"]
    assert {row.clip for row in rows} == {"scene.day.3001"} and {row.frames for row in rows} == {23, 41}


def test_steady_beats_at_one_frame_a_beat_are_as_good_as_still():
    """At stride 8 every observed frame shows the same wing: no method can know of the beat there."""
    rows = episode_difficulty.measured(["bird.steady"], [8], resolution=0)
    table = difficulty_table(rows)
    assert len(table.cells) == 12 and all(0.9 < float(line[-1]) < 1.1 for line in table.cells)


def test_a_motion_on_a_line_is_interpolated_without_error():
    still = dataclasses.replace(episodes_of("isaac3d")[0], motions={"robot_x": lambda ts: 0.1 * np.asarray(ts)})
    rows = list(rows_of(SETS["isaac3d"], still, [4], resolution=0))
    (hold,), (linear,) = (select(rows, method=name) for name in ("hold", "linear"))
    assert linear.value < 1e-10 < hold.value


def test_the_shipped_record_has_every_test_episode_at_every_stride_and_its_numbers():
    rows, provenance = records.read(ROOT / "reports" / "recorded" / "test_set.json.xz")
    factors = select(rows, metric="factor_mse")
    names = {SETS[name].clip_name(episode) for name in SETS for episode in episodes_of(name)}
    strides = conditions().strides
    assert {row.clip for row in factors} == names and {row.stride for row in factors} == set(strides)
    assert len(factors) == len(names) * len(strides) * 2 and provenance["stand_ins"]
    for row in episode_difficulty.measured(["bird.fast"], [4], resolution=0):
        (shipped,) = [
            each for each in factors if dataclasses.replace(each, value=0.0) == dataclasses.replace(row, value=0.0)
        ]
        assert shipped.value == pytest.approx(row.value, rel=1e-5)
