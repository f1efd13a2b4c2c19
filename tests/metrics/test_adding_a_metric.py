"""A metric is one file, as CONTRIBUTING.md describes it: it is evaluated and stands in tables without another entry."""

import pytest
import torch
from plugins import example

import dynode
from dynode import metrics
from dynode.errors import UserError
from dynode.evaluation import Row, select
from dynode.metrics import METRICS
from dynode.reporting import tables


def test_a_new_metric_is_evaluated_and_stands_in_every_table(plugin, tiny_clip):
    plugin(METRICS, example("dynode/metrics/edges.py"))
    result = dynode.evaluate(dynode.fit(tiny_clip, "cubic"), tiny_clip, device="cpu")
    rows = select(result.rows, metric="edge_mse", split="unobserved")
    assert {row.method for row in rows} == {"linear", "hold", "cubic"} and {row.unit for row in rows} == {"[-1,1]^2"}
    assert "| edges x 1e3 |" in str(result) and "| edges x 1e3 |" in result.full_table.markdown()
    (hold,) = select(rows, method="hold")
    table = tables.table1(rows, metrics=("edge_mse",), methods=("hold", "linear", "cubic"))
    assert "unobserved edges x 1e3" in table.header and table.cells[0][4] == f"{1e3 * hold.value:.3f}"
    lowest = min(rows, key=lambda row: row.value).method
    assert table.marks[["hold", "linear", "cubic"].index(lowest), 4] == "best"


def test_a_metric_of_faces_is_not_measured_elsewhere():
    assert "identity" in [each.name for each in metrics.evaluated_for("face")]
    assert "identity" not in [each.name for each in metrics.evaluated_for("scene")]
    assert [each.name for each in metrics.evaluated_for("scene", "latent")] == ["latent_mse"]


def test_an_unknown_metric_stands_in_a_table_by_its_raw_numbers():
    rows = [Row("novelty", 0.25, method=name, clip="a", split="unobserved") for name in ("hold", "linear")]
    assert tables.crossed(rows, ("method",), ("metric",)).header == ["method", "novelty"]
    table = tables.table1(rows, metrics=("novelty",), methods=("hold", "linear"))
    assert table.cells[0][4] == "0.250" and not table.marks  # nobody knows what is better


def test_a_quantity_is_described_and_not_computed_per_frame():
    skill = METRICS["skill"]
    assert (skill.better, skill.heading(), skill.heading(arrow=True)) == ("higher", "skill", "skill ↑")
    with pytest.raises(UserError, match="not one number per frame"):
        skill(torch.zeros(2), torch.zeros(2))
