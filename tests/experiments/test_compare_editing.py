"""Systems side by side: gains and means over videos."""

import pytest

from dynode.evaluation.records import Row
from dynode.experiments.compare_editing import comparison


def rows_for(method: str, values: dict[tuple[str, str], float], metric: str = "tl_id") -> list[Row]:
    return [
        Row(metric, v, clip=c, variant=e, method=method, reference="mobilefacenet, quads")
        for (c, e), v in values.items()
    ]


def test_gains_compare_the_same_videos_and_know_which_is_better():
    videos = {("a", "smile 1"): 0.9, ("b", "smile 1"): 0.7}
    rows = rows_for("host", videos | {("a", "age 1"): 0.1}) + rows_for("ours", {k: v + 0.05 for k, v in videos.items()})
    rows += rows_for("host", videos, "acd") + rows_for("ours", {k: v + 0.05 for k, v in videos.items()}, "acd")
    rows += [
        Row("frechet_video_distance[x]", v, clip="all", variant="all", method=m)
        for m, v in (("host", 3.0), ("ours", 2.0))
    ]
    result = comparison.gains(rows, "ours", "host")
    assert result == pytest.approx({"tl_id": 0.05, "acd": -0.05, "frechet": 1.0})
    assert comparison.gains(rows, "ours", "nobody") == {}


def test_means_over_videos_leave_out_what_not_all_have_edited():
    rows = rows_for("host", {("a", "x"): 1.0, ("b", "x"): 3.0, ("a", "y"): 50.0}) + rows_for(
        "ours", {("a", "x"): 2.0, ("b", "x"): 6.0}
    )
    result = {row.method: row for row in comparison.overall(rows, ["host", "ours"])}
    assert (result["host"].value, result["ours"].value, result["ours"].n) == (2.0, 4.0, 2)
