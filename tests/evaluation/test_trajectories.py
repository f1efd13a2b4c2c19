"""Evaluation: splits, references, exact frames, the tables of `dynode evaluate`, and what `dynode diagnose` says."""

import dataclasses
import json
from itertools import product

import pytest
import torch

from dynode import cli, clips, generators
from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.presets import preset
from dynode.errors import UserError
from dynode.evaluation import Evaluator, compare_fits, diagnosis, trajectories
from dynode.evaluation.records import Row, averaged, select
from dynode.metrics import METRICS
from dynode.metrics.latent import path_length, roughness
from dynode.settings import changed

QUICK = {"training.segment_iterations": 20, "training.iterations": 1}


@pytest.fixture(scope="module")
def head():
    return clips.load("single_face.warm").head(6)


@pytest.fixture(scope="module")
def evaluator(head, generator):
    source = torch.zeros(6, 3, 256, 256)
    return Evaluator(head, generator, others={"source": source})


def test_splits_tell_between_from_beyond():
    clip = Clip(torch.randn(6, 2, 3), torch.arange(6) / 10, observed=torch.tensor([0, 1, 0, 1, 0, 0]).bool())
    result = trajectories.splits(clip)
    assert result["observed"].tolist() == [False, True, False, True, False, False]
    assert result["unobserved"].nonzero().flatten().tolist() == [2]
    assert result["extrapolated"].nonzero().flatten().tolist() == [0, 4, 5]
    hidden = dataclasses.replace(clip, detected=torch.tensor([1, 1, 0, 1, 1, 0]).bool())
    assert trajectories.splits(hidden)["extrapolated"].nonzero().flatten().tolist() == [0, 4]
    assert "unobserved" not in trajectories.splits(hidden)  # the code of frame 2 is interpolated, so it is no reference


@pytest.mark.parametrize(
    "protocol, split, said",
    [
        (
            "chain",
            "unobserved",
            "Held-out frames had a part in the observed codes (chain), so errors there are no test",
        ),
        (clips.SMOOTHED, "extrapolated", "observed codes (independent codes, smoothed alignment)"),
        ("chain", "observed", ""),
        ("independent", "unobserved", ""),
        ("observed", "unobserved", ""),
    ],
)
def test_scores_of_frames_that_shaped_the_observed_codes_are_no_test_and_that_is_said(protocol, split, said):
    remark = compare_fits.not_held_out([Row("mse", 1.0, split=split, protocol=protocol)])
    assert said in remark and bool(said) == bool(remark)


def test_rows_of_linear_and_hold(head, evaluator):
    observed = head.sampled("regular", 2, hidden_end=1)
    linear = evaluator.evaluate(observed, methods.fit(observed, "linear"))
    result = list(trajectories.method_rows(linear, linear, method="linear"))
    assert {row.split for row in result} == {"observed", "unobserved", "extrapolated", ""}
    (exact,) = select(result, split="observed", metric="mse", reference="code")
    (identity,) = select(result, split="observed", metric="identity", reference="code")
    assert exact.value == 0 and identity.value == pytest.approx(1, abs=1e-5)
    assert not select(result, split="observed", metric="psnr", reference="code")  # infinite
    assert all(row.value == 0 for row in select(result, metric="skill"))
    (to_source,) = select(result, split="observed", metric="mse", reference="source")
    own = evaluator.own[observed.observed].double().square().mean()
    assert to_source.value == pytest.approx(float(own), rel=1e-5)  # the source of this test is grey
    hold = evaluator.evaluate(observed, methods.fit(observed, "hold"))
    (skill,) = select(list(trajectories.method_rows(hold, linear, method="hold")), metric="skill", split="unobserved")
    assert skill.value < 0


def test_exact_frames_get_the_values_that_were_computed_once(head, evaluator):
    observed = head.sampled("regular", 2)
    hold, linear = (evaluator.evaluate(observed, methods.fit(observed, name)) for name in ("hold", "linear"))
    itself = torch.arange(6)
    assert torch.equal(hold.source == itself, observed.observed) and (hold.source >= 0).all()
    assert torch.equal(linear.source >= 0, observed.observed)
    images = torch.where((itself == 3)[:, None, None, None], evaluator.own[2], linear.images)
    held = torch.where(itself == 3, 2, linear.source)  # one held, the others rendered
    mixed = dataclasses.replace(linear, source=held, measured={}, render=lambda: images)
    for result in (hold, mixed):
        fresh = dataclasses.replace(result, source=torch.full((6,), -1), measured={})
        for name, reference in product(("mse", "ssim", "lpips_alex", "identity"), ("code", "source")):
            assert torch.allclose(result.values(name, reference), fresh.values(name, reference), atol=1e-5)
    result.release()
    assert not result.features.cache and torch.isfinite(result.values("lpips_alex")).all()


def test_a_study_runs_every_draw_of_irregular_frames_and_regular_ones_once(tiny_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(METRICS, "held", {name: METRICS[name] for name in ("mse", "latent_mse")})
    clip = dataclasses.replace(tiny_clip, observed=None)
    judge, store = Evaluator(clip, generators.load(clip.meta["generator"])), FitStore(tmp_path)
    chosen = {"methods": ["linear", "hold"], "strides": [3], "seeds": [0]}
    result = trajectories.study(clip, judge, store, samplings=["regular", "irregular"], draws=[0, 1, 2], **chosen)
    errors = select(result.rows, metric="mse", split="unobserved", method="hold")
    assert [(row.sampling, row.draw) for row in errors] == [("regular", 0), *(("irregular", k) for k in range(3))]
    assert len({row.value for row in errors}) > 2 and {row.frames for row in errors} == {3}
    for row in errors[1:]:
        observed = clip.sampled("irregular", 3, draw=row.draw)
        hold = judge.evaluate(observed, methods.fit(observed, "hold"))
        assert row.value == float(hold.values("mse")[~observed.observed].mean())
    once = trajectories.study(clip, judge, store, samplings=["irregular"], **chosen)
    assert once.rows == select(result.rows, sampling="irregular", draw=0)
    assert len(averaged(select(errors, sampling="irregular"))) == 1
    with pytest.raises(UserError, match=r"shows dynode at regular times, stride 3, .* keep hold, linear and dynode"):
        result.first["dynode", "regular", 3]


def test_path_length_and_roughness_of_known_paths():
    ts = torch.tensor([0.0, 0.1, 0.3, 0.6], dtype=torch.float64)
    straight = ts[:, None, None].expand(-1, 2, 3)
    assert path_length(straight) == pytest.approx(0.6 * 6**0.5)
    assert roughness(straight, ts) == pytest.approx(0, abs=1e-20)
    assert roughness(straight.square(), ts) == pytest.approx(4)  # the second derivative of t^2, squared


def test_evaluate_prints_a_table_and_writes_every_number(head, tmp_path, capsys):
    clip = head.save(tmp_path / "head.safetensors")
    observed = head.sampled("regular", 2, hidden_end=1)
    fit = methods.fit(observed, changed(preset("trend+mlp"), QUICK))
    fit.save(tmp_path / "one.safetensors")
    arguments = [tmp_path / "one.safetensors", "--clip", clip, "-o", tmp_path / "rows.json", "--device", "cpu"]
    assert cli.main(["evaluate", *map(str, arguments)]) == 0
    table = capsys.readouterr().out
    assert "trend+mlp[21/100]" in table and "| extrapolated | cubic |" in table
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert {row["method"] for row in rows} == {"hold", "cubic", "linear", "trend+mlp[21/100]"}


def test_the_observations_of_a_fit_are_found_again(head):
    observed = head.sampled("irregular", 2, seed=3, hidden_end=1)
    fit = methods.fit(observed, changed(preset("trend+mlp"), QUICK))
    assert torch.equal(compare_fits.observed_by(fit, head), observed.observed)
    with pytest.raises(UserError, match="times differ"):
        compare_fits.observed_by(fit, dataclasses.replace(head, ts=head.ts + 0.01))


def test_the_clip_of_a_fit_is_the_shipped_one_or_the_file_beside_it(head, tiny_clip, tmp_path):
    own = dataclasses.replace(tiny_clip, meta=tiny_clip.meta | {"name": "own"})
    fit, file = methods.fit(own, "linear"), tmp_path / "any.fit"
    with pytest.raises(UserError, match=r"and no own\.safetensors lies beside them"):
        compare_fits.clip_of([fit], [file])
    own.save(tmp_path / "own.safetensors")
    assert compare_fits.clip_of([fit], [file]) == str(tmp_path / "own.safetensors")
    assert compare_fits.clip_of([methods.fit(head, "linear")], [file]) == "single_face.warm"


def test_another_clip_is_refused_before_anything_is_rendered(tiny_clip, monkeypatch):
    path = methods.fit(tiny_clip, "linear")
    monkeypatch.setattr(compare_fits, "Evaluator", None)  # would be called first
    with pytest.raises(UserError, match="times differ"):
        compare_fits.compare({"one": path}, dataclasses.replace(tiny_clip, ts=tiny_clip.ts + 0.01))


@pytest.mark.parametrize(
    "made, reason",
    [
        ({"flows": {"fog": "0"}}, r"^tiny was made in latent space: it has no footage, leave out --source\.$"),
        ({}, r"^The codes of tiny came without the squares .*: leave out --source\.$"),
    ],
)
def test_a_source_that_a_clip_has_not_is_refused(tiny_clip, made, reason):
    clip = dataclasses.replace(tiny_clip, meta=tiny_clip.meta | made)
    with pytest.raises(UserError, match=reason):
        compare_fits.compare({"one": methods.fit(clip, "linear")}, clip, with_source=True)


def test_fits_that_saw_every_frame_are_said_to_predict_nothing(tiny_clip, tmp_path, capsys):
    clip = dataclasses.replace(tiny_clip, observed=None)
    file = clip.save(tmp_path / "codes.safetensors")
    for name, observed in {"every": clip, "second": clip.sampled("regular", 2)}.items():
        methods.fit(observed, "linear").save(tmp_path / f"{name}.fit")
    fits = [str(tmp_path / f"{name}.fit") for name in ("every", "second")]
    assert cli.main(["evaluate", *fits, "--clip", str(file), "--device", "cpu"]) == 0
    assert "\nevery: no frame was held out, so nothing is predicted; fit with --stride 2" in capsys.readouterr().out
    assert cli.main(["evaluate", fits[1], "--clip", str(file), "--device", "cpu"]) == 0
    assert "held out" not in capsys.readouterr().out


def test_a_diagnosis_distinguishes_smooth_from_noisy(circle):
    noise = torch.randn(circle.ws.shape, generator=torch.Generator().manual_seed(0))
    smooth, noisy = diagnosis.diagnose(circle), diagnosis.diagnose(dataclasses.replace(circle, ws=noise))
    assert smooth.turn > 0.9 and smooth.jitter < 0.1 and "smooth" in smooth.text()
    assert noisy.turn == pytest.approx(-0.5, abs=0.15) and noisy.jitter > 0.8 and "noisy" in noisy.text()
    assert smooth.stride > noisy.stride == 1


def test_a_diagnosis_of_too_few_frames_says_what_is_not_defined(circle):
    two, three = (diagnosis.diagnose(circle.head(frames)).text() for frames in (2, 3))
    assert "jitter and turn: not defined for 2 frames\n" in two and "smooth" not in two
    assert "jitter: not defined for 3 frames, turn +0." in three


def test_a_diagnosis_of_a_part_leaves_out_numbers_of_other_frames(head, tmp_path, capsys):
    file = head.save(tmp_path / "head.safetensors")
    assert len(head.meta["mse"]) > len(head) and not diagnosis.diagnose(head).mse
    assert cli.main(["diagnose", str(file), "-o", str(tmp_path / "head.png")]) == 0
    assert "reconstruction" not in capsys.readouterr().out and (tmp_path / "head.png").is_file()


def test_a_diagnosis_finds_a_jump(circle):
    ws = circle.ws.clone()
    ws[9:] += 5
    assert diagnosis.diagnose(dataclasses.replace(circle, ws=ws)).cuts == [9]


def test_a_diagnosis_names_the_network_that_measured():
    assert ", LPIPS-Alex 0.0" in diagnosis.diagnose(clips.load("scene.day")).text()
    assert ", LPIPS-VGG 0.1" in diagnosis.diagnose(clips.load("single_face.warm")).text()


def test_diagnose_writes_its_figure(tmp_path, capsys):
    assert cli.main(["diagnose", "single_face.warm", "-o", str(tmp_path / "d.png")]) == 0
    assert "recommended stride" in capsys.readouterr().out
    assert (tmp_path / "d.png").stat().st_size > 10_000
