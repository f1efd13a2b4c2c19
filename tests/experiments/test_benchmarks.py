"""Benchmarks: both implementations agree, the work is counted correctly, and the command reports it."""

import pytest
import torch

from dynode import cli
from dynode.dynamics.fitting import batched, single
from dynode.dynamics.presets import preset
from dynode.evaluation import records
from dynode.experiments import benchmarks
from dynode.experiments.benchmarks import products_of_faces, products_of_fits
from dynode.experiments.comparison import Comparison, in_turn
from dynode.settings import changed


def test_both_are_timed_in_turn_and_the_first_call_of_each_is_not_timed():
    called = []
    ours, other, a, b = in_turn(lambda: called.append("a") or 1, lambda: called.append("b") or 2, 2)
    assert called == ["a", "b"] * 3 and (a, b) == (1, 2) and ours >= 0 and other >= 0


def test_the_face_layer_by_layer_is_the_face(generator):
    ws = generator.w_avg.expand(1, generator.num_ws, -1)
    with torch.no_grad():
        assert torch.allclose(benchmarks.layer_by_layer(generator, ws, 256), generator.synthesis(ws, 256), atol=2e-5)
    products = products_of_faces(generator)
    assert len(products) == 14 and products[-1] == (1, 512 * 512, 64, 64) and products[0] == (1, 64, 128, 512)


def test_the_products_of_fits_are_counted(circle):
    settings = changed(preset("trend+mlp"), {"training.segment_iterations": 2, "field.hidden": 8})
    fit = single.fit(circle.sampled("regular", 2), settings)
    layers = [weight for weight in fit.field.parameters() if weight.dim() == 2]
    assert len(products_of_fits(fit, 4)) == 2 * 16 * 3 * len(layers)
    assert all(shape[0] == 4 for shape in products_of_fits(fit, 4))


def test_a_path_from_both_sides_is_the_blended_path(circle):
    fit = single.fit(circle.sampled("regular", 3), changed(preset("trend+mlp"), {"training.segment_iterations": 20}))
    taus = fit.taus[0] + (fit.taus[1] - fit.taus[0]) * torch.tensor([0.2, 0.6])
    with torch.no_grad():
        assert torch.allclose(benchmarks.from_both_sides(fit, taus, 0, {}), fit.blended(taus), atol=1e-3)


def test_the_command_prints_ratios_and_writes_a_record_and_a_chart(tmp_path, monkeypatch, capsys):
    result = Comparison("fit 64 clips", 0.5, 5.0, "one after another", 1e-6, "w", 0.1, 3)
    monkeypatch.setitem(benchmarks.COMPARISONS, "fits", lambda repeats: result)
    assert cli.main(["bench", "fits", "-o", str(tmp_path / "b.json")]) == 0
    assert "| fit 64 clips | 0.5 | one after another | 5 | 10.0 | 0.1 | 5.0 | 1.0e-06 w |" in capsys.readouterr().out
    rows, provenance = records.read(tmp_path / "b.json")
    assert {(r.metric, r.method): r.value for r in rows}["ratio", "ours"] == pytest.approx(10)
    assert provenance["command"] == "dynode bench fits" and (tmp_path / "b.png").stat().st_size > 1000


def test_stacked_fields_refuse_what_they_cannot_stack():
    assert not batched.can_batch(changed(preset("trend+mlp"), {"field.layout": "shared"}))
