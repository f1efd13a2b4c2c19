"""InterFaceGAN's boundaries and what editors do: planes that are known, projections in closed form, stale files."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import normalize

from dynode import generators
from dynode.editing import editors, interfacegan
from dynode.editing.directions import Direction
from dynode.editing.interfacegan import BoundarySettings, conditioned, extremes, fit_boundary
from dynode.editing.random_samples import SampleSettings
from dynode.errors import UserError
from dynode.evaluation import editor_quality
from dynode.evaluation.records import Row
from dynode.reporting import tables

DIMENSION = 16


def codes(n: int = 2000) -> torch.Tensor:
    return torch.randn(n, DIMENSION, generator=torch.Generator().manual_seed(0))


def test_a_known_plane_is_found_and_its_normal_points_to_higher_scores():
    true = normalize(torch.arange(1.0, DIMENSION + 1), dim=0)
    scores = 5 + 3 * codes() @ true
    result = fit_boundary(codes(), scores, BoundarySettings())
    assert result.normal @ true > 0.99 and result.normal.norm() == pytest.approx(1, abs=1e-6)
    assert result.facts["held_out"] == 1 and result.facts["rest"] > 0.93 and result.facts["correlation"] > 0.99
    assert result.sigma == pytest.approx(1, abs=0.05)
    assert fit_boundary(codes(), -scores, BoundarySettings()).normal @ true < -0.99


def test_scores_that_codes_do_not_tell_give_chance():
    noise = torch.randn(2000, generator=torch.Generator().manual_seed(1))
    assert 0.35 < fit_boundary(codes(), noise, BoundarySettings()).facts["held_out"] < 0.65


def test_extremes_are_a_share_or_a_count_and_leave_out_what_has_no_score():
    scores = torch.arange(100.0)
    scores[99] = torch.nan
    high, low, rest = extremes(scores, 0.2)
    assert high.tolist() == list(range(98, 79, -1)) and sorted(low.tolist()) == list(range(19)) and len(rest) == 61
    assert [len(part) for part in extremes(scores, 30)] == [30, 30, 39]
    assert [len(part) for part in extremes(scores, 0.9)] == [49, 49, 1]  # half at most
    with pytest.raises(UserError, match="at least 10 samples"):
        extremes(scores, 5)


def test_equal_scores_and_shares_of_one_are_refused():
    with pytest.raises(UserError, match="nothing to separate"):
        fit_boundary(codes(), torch.ones(2000), BoundarySettings())
    with pytest.raises(UserError, match="below 1"):
        BoundarySettings(training=1.0)


def test_a_conditioned_direction_is_orthogonal_to_the_others():
    normal, *others = normalize(torch.randn(4, DIMENSION, generator=torch.Generator().manual_seed(2)), dim=1)
    left = conditioned(normal, torch.stack(others))
    assert left.norm() == pytest.approx(1, abs=1e-5) and max(abs(float(left @ each)) for each in others) < 1e-5
    one = normalize(normal - (normal @ others[0]) * others[0], dim=0)  # the published formula for one
    torch.testing.assert_close(conditioned(normal, others[0][None]), one, atol=1e-5, rtol=0)
    with pytest.raises(UserError, match="nothing is left"):
        conditioned(others[0] + others[1], torch.stack(others))


def test_a_direction_moves_by_standard_deviations_and_some_rows_only():
    editor = Direction("x", torch.eye(DIMENSION)[0], 2.0)
    ws = torch.zeros(2, 3, DIMENSION)
    moved = editor.edit(ws, torch.tensor([1.0, -0.5]), rows=2)
    assert moved[0, :, 0].tolist() == [2, 2, 0] and moved[1, :, 0].tolist() == [-1, -1, 0]
    assert moved[..., 1:].abs().max() == 0


@pytest.fixture
def saved(tmp_path):
    """A file with two boundaries of a generator that is only described."""
    generator = SimpleNamespace(name="toy", hash="abc", w_dim=DIMENSION, synthesis=torch.zeros_like)
    normals = {"smile": normalize(torch.ones(DIMENSION), dim=0), "age": torch.eye(DIMENSION)[0]}
    settings = json.dumps({"samples": {"count": 3000, "seed": 0, "truncation_psi": 0.7}})
    card = {"names": list(normals), "sigmas": [1.5, 2.0], "settings": settings}
    path = tmp_path / "toy.safetensors"
    interfacegan.save(normals, path, generator, card)
    return path, generator, normals


def test_boundaries_survive_their_file_and_condition_each_other(saved, monkeypatch):
    path, generator, normals = saved
    editor = editors.load(f"interfacegan:smile@{path}", generator)
    assert editor.name == "interfacegan smile" and editor.sigma == 1.5
    torch.testing.assert_close(editor.direction, normals["smile"], atol=1e-3, rtol=0)
    monkeypatch.setattr(interfacegan.samples, "codes", lambda *_: 3 * codes())
    both = interfacegan.load(f"smile|age@{path}", generator)
    assert abs(both.direction @ normals["age"]) < 1e-5 and both.sigma == pytest.approx(3, rel=0.05)


def test_stale_and_unknown_boundaries_are_refused(saved):
    path, generator, _ = saved
    with pytest.raises(UserError, match="legal are age, smile"):
        interfacegan.load(f"smirk@{path}", generator)
    with pytest.raises(UserError, match="train it anew"):
        interfacegan.load(f"smile@{path}", SimpleNamespace(name="toy", hash="other"))
    with pytest.raises(UserError, match="generator with boundaries"):
        interfacegan.load("smile", generator)


def test_boundaries_of_a_world_leave_out_what_goes_round_in_a_circle(tmp_path):
    settings = BoundarySettings(SampleSettings(count=60), share=0.2)
    card = interfacegan.train_boundaries("stylegan2-scene-factors", settings, tmp_path / "scene.safetensors")
    assert "fog" in card["names"] and "hour" in card["left_out"] and "hour" not in card["names"]
    editor = editors.load(
        f"interfacegan:fog@{tmp_path / 'scene.safetensors'}", generators.load("stylegan2-scene-factors")
    )
    assert editor.direction.norm() == pytest.approx(1, abs=1e-5) and editor.sigma > 0


def test_leakage_is_the_others_change_over_ones_own():
    own, others = torch.tensor([2.0, -2.0]), torch.tensor([[1.0, 0.0], [-1.0, torch.nan]])
    assert editor_quality.leakage(own, others) == pytest.approx((2 / 3) / 2)


def test_an_editors_name_tells_its_attribute():
    names = ("smile", "age", "mouth_open")
    assert editor_quality.own_attribute("interfacegan smile|age,mouth_open", names) == "smile"
    assert editor_quality.own_attribute("face.age", names) == "age"
    with pytest.raises(UserError, match="name one of smile"):
        editor_quality.own_attribute("ganspace component 1", names)


def test_an_editor_is_judged_by_what_the_pictures_show():
    world = generators.load("stylegan2-scene-factors")
    judge = editor_quality.EditorEvaluator(world, SampleSettings(count=50))
    ws = judge.samples.w[:4, None].expand(-1, world.num_ws, -1)
    still = Direction("nothing fog", torch.zeros(world.w_dim), 1.0)
    rows = editor_quality.editor_rows(still, world, ws, (2.0,), evaluator=judge)
    assert {row.value for row in rows if row.metric.startswith("change")} == {0.0}
    fog = editors.load("flow:fog", world)
    result = editor_quality.editor_rows(fog, world, ws, (0.0, 8.0), evaluator=judge)
    own = {row.variant: row.value for row in result if row.metric == "own_change"}
    assert own["+0"] == 0 and own["+8"] > 0.3
    assert all(row.n == 4 and row.category == "scene" for row in result if row.metric == "own_change")


def test_a_table_tells_editors_and_strengths_apart():
    rows = [
        Row(
            metric,
            value * strength,
            clip="4 codes",
            method=method,
            variant=f"{strength:+g}",
            std=0.1,
            n=4,
            reference="smile",
        )
        for method in ("interfacegan smile", "flow smile")
        for strength in (-1.0, 0.0, 1.0)
        for metric, value in (("own_change", 2.0), ("change[smile]", 2.0), ("change[age]", -0.5), ("leakage", 0.3))
    ]
    table = tables.editors_table(rows)
    assert len(table.cells) == 6 and table.cells[2][:4] == ["4 codes", "interfacegan smile", "+1", "4"]
    assert table.cells[2][-1] == "age -0.50" and table.cells[1][-1] == ""
