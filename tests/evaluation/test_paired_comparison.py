"""A method beside the best of its baselines, from rows whose ratios are known."""

import dataclasses

import pytest

from dynode.errors import UserError
from dynode.evaluation.paired_comparison import compare
from dynode.evaluation.records import Row

CONDITION = {"category": "bird", "sampling": "irregular", "stride": 4, "split": "unobserved", "reference": "truth"}
ERRORS = {"linear": (4.0, 4.0, 1.0), "cubic": (2.0, 2.0, 6.0), "ours": (1.0, 1.0, 3.0)}  # of three clips


def rows(frames: int = 10):
    for method, values in ERRORS.items():
        for clip, value in zip("abc", values, strict=True):
            for draw, factor in enumerate((0.5, 1.5)):
                yield Row(
                    "mse", factor * value, clip=clip, method=method, draw=draw, seed=0, frames=frames, **CONDITION
                )


def test_the_best_baseline_has_the_lowest_mean_error_and_the_ratio_is_of_sums():
    result = compare(rows(), "ours", ["linear", "cubic"], **CONDITION)
    assert (result.baseline, result.ratio.clips) == ("linear", 3)
    assert result.ratio.value == pytest.approx(5 / 9) and result.ratio.low == pytest.approx(0.25)
    assert str(result).startswith("ours / linear: 0.556 [0.250, ") and str(result).endswith("], 3 clips")
    against = compare(rows(), "ours", ["cubic"], **CONDITION)
    assert (against.ratio.value, against.ratio.low, against.ratio.high) == pytest.approx((0.5, 0.5, 0.5))


def test_a_clip_with_more_frames_has_a_larger_sum():
    longer = [dataclasses.replace(row, frames=90 if row.clip == "c" else 10) for row in rows()]
    result = compare(longer, "ours", ["linear", "cubic"], **CONDITION)
    assert result.baseline == "linear" and result.ratio.value == pytest.approx((10 + 10 + 270) / (40 + 40 + 90))
    unknown = compare(rows(frames=0), "ours", ["linear"], **CONDITION)
    assert unknown.ratio.value == pytest.approx(5 / 9)


def test_seeds_on_the_same_frames_are_averaged():
    regular = CONDITION | {"sampling": "regular"}
    base = [Row("mse", 2.0, clip=clip, method="linear", seed=0, frames=5, **regular) for clip in "ab"]
    ours = [
        Row("mse", v, clip=c, method="ours", seed=s, frames=5, **regular) for c in "ab" for s, v in ((0, 1.0), (1, 2.0))
    ]
    assert compare(base + ours, "ours", ["linear"], **regular).ratio.value == pytest.approx(0.75)


def test_only_rows_of_the_condition_count():
    others = [dataclasses.replace(row, **{key: value}, value=99.0) for row in rows() for key, value in OTHER.items()]
    assert compare([*others, *rows()], "ours", ["linear"], **CONDITION) == compare(
        rows(), "ours", ["linear"], **CONDITION
    )


OTHER = {
    "category": "face",
    "stride": 8,
    "split": "extrapolated",
    "reference": "code",
    "metric": "ssim",
    "variant": "x",
}


def test_other_clips_draws_or_seeds_are_no_comparison():
    for key, value in (("clip", "a"), ("draw", 1)):
        apart = [row for row in rows() if row.method != "linear" or getattr(row, key) != value]
        with pytest.raises(
            UserError, match=r"^ours and linear ran on different frames \(metric mse, category bird, .*\.$"
        ):
            compare(apart, "ours", ["linear", "cubic"], **CONDITION)
    reseeded = [dataclasses.replace(row, seed=1) if row.method == "linear" else row for row in rows()]
    with pytest.raises(UserError, match="different frames"):
        compare(reseeded, "ours", ["linear"], **CONDITION)


def test_a_method_without_rows_is_named():
    with pytest.raises(
        UserError, match=r"^There is no row of gp, pchip \(metric mse, category bird, sampling irregular"
    ):
        compare(rows(), "ours", ["linear", "gp", "pchip"], **CONDITION)
