"""Ratios of summed errors with their intervals, on cases whose answers are known."""

import math

import numpy as np
import pytest
from scipy import stats

from dynode.metrics import paired_bootstrap
from dynode.metrics.paired_bootstrap import best_baseline, crossed_difference, expanded, paired_ratio

ERRORS = np.array([1.0, 2.0, 3.0, 4.0])


def test_a_method_with_half_of_the_errors_everywhere_has_a_ratio_without_doubt():
    ratio = paired_ratio(ERRORS / 2, ERRORS)
    assert (ratio.value, ratio.low, ratio.high, ratio.clips) == pytest.approx((0.5, 0.5, 0.5, 4))
    assert str(ratio) == "0.500 [0.500, 0.500]"


def test_two_clips_are_drawn_together_and_the_interval_spans_their_ratios():
    ratio = paired_ratio([1.0, 3.0], [1.0, 1.0])
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 1.0, 3.0)  # unpaired, 3 / 1 over 1 / 1 too
    assert paired_ratio([1.0, 1000.0], [1.0, 1000.0]).high == 1.0


def test_large_clips_count_for_what_they_are():
    assert paired_ratio([0.0, 50.0], [1.0, 99.0]).value == 0.5


def test_an_interval_holds_the_true_ratio_about_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(paired_bootstrap, "RESAMPLES", 999)
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        baseline = rng.uniform(0.5, 1.5, 12)
        ratio = paired_ratio(baseline * rng.uniform(0.6, 1.0, 12), baseline)
        held += ratio.low <= 0.8 <= ratio.high
    assert 0.90 <= held / 200 <= 0.99


def test_fewer_clips_have_wider_intervals_and_many_the_plain_percentiles():
    assert expanded(0.95, 12) == pytest.approx(0.9785, abs=1e-3)
    assert 0.95 < expanded(0.95, 1000) < 0.951 < expanded(0.95, 100) < expanded(0.95, 4)


def test_intervals_are_the_same_every_time_and_others_under_another_seed():
    errors, baseline = np.random.default_rng(0).uniform(1, 2, (2, 12))
    assert paired_ratio(errors, baseline) == paired_ratio(errors, baseline)
    assert paired_ratio(errors, baseline).low != paired_ratio(errors, baseline, seed=1).low
    narrow, wide = (paired_ratio(errors, baseline, confidence=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_intervals_are_those_of_scipy_by_its_percentile_bootstrap():
    pair = tuple(np.random.default_rng(1).lognormal(size=(2, 7)))
    choices = {"paired": True, "vectorized": True, "n_resamples": 9999, "method": "percentile"}
    level, rng = expanded(0.95, 7), np.random.default_rng(3)
    made = stats.bootstrap(pair, paired_bootstrap.ratio_of_sums, confidence_level=level, rng=rng, **choices)
    ratio = paired_ratio(*pair, seed=3)
    assert (ratio.low, ratio.high) == pytest.approx(tuple(made.confidence_interval), rel=1e-12)
    assert level == pytest.approx(1 - 2 * stats.norm.cdf(stats.t.ppf(0.025, 6) * (7 / 6) ** 0.5), rel=1e-12)


def test_one_clip_has_a_ratio_and_no_interval():
    ratio = paired_ratio([1.0], [2.0])
    assert ratio.value == 0.5 and math.isnan(ratio.low) and math.isnan(ratio.high)


@pytest.mark.parametrize(
    ("errors", "baseline", "said"),
    [([1.0], [1.0, 2.0], "same clips"), ([], [], "same clips"), ([1.0, 1.0], [0.0, 1.0], "makes no error")],
)
def test_what_has_no_ratio_is_refused(errors, baseline, said):
    with pytest.raises(ValueError, match=said):
        paired_ratio(errors, baseline)


def test_the_best_baseline_has_the_lowest_mean_error():
    assert best_baseline({"hold": [5, 5], "linear": [1, 4], "cubic": [3, 1]}) == "cubic"
    assert best_baseline({"linear": [1.0], "cubic": [1.0]}) == "linear"


def test_a_crossed_interval_is_wider_than_one_that_takes_videos_of_one_clip_for_independent():
    rng = np.random.default_rng(0)
    table = 1 + 0.1 * (rng.normal(size=(5, 1)) + rng.normal(size=(1, 5)))
    crossed = crossed_difference(table)
    alone = stats.bootstrap((table.flatten(),), np.mean, rng=np.random.default_rng(0)).confidence_interval
    assert crossed.low < alone.low < crossed.value < alone.high < crossed.high
    assert crossed.value == pytest.approx(table.mean()) and (crossed.clips, crossed.edits) == (5, 5)


def test_a_crossed_interval_moves_with_its_values_and_needs_two_clips_and_two_edits():
    table = np.random.default_rng(1).normal(size=(4, 3))
    one, moved = crossed_difference(table), crossed_difference(table + 2)
    assert (moved.value, moved.low, moved.high) == pytest.approx((one.value + 2, one.low + 2, one.high + 2))
    assert math.isnan(crossed_difference(table[:1]).low) and math.isnan(crossed_difference(table[:, :1]).high)


@pytest.mark.parametrize("table", [[], [1.0, 2.0], [[1.0, math.nan]]])
def test_what_is_no_table_of_numbers_has_no_difference(table):
    with pytest.raises(ValueError, match="each clip and edit"):
        crossed_difference(table)
