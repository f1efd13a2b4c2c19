"""Quality against seconds a frame, on a tiny generator and encoder: rows, budgets, the ratio, and the command."""

import functools

import pytest
import torch
from conftest import tiny_weights

from dynode import cli, generators
from dynode.clips import Clip
from dynode.evaluation import records
from dynode.experiments import inversion_benchmark
from dynode.experiments.inversion_benchmark import ENCODER, PROJECTION, USUAL, Contestant, ratio_to_usual
from dynode.inversion import encoder_files
from dynode.inversion.encoder import Encoder, EncoderSettings
from dynode.inversion.projection_settings import ProjectionSettings

TODAY = "projection, 4 + 2 steps"
SMALL = ProjectionSettings(first_steps=4, steps=2, resolution=16, lpips_net="alex", lpips_resolution=64)


@pytest.fixture(autouse=True)
def judged_small(monkeypatch):
    monkeypatch.setattr(inversion_benchmark, "SIZE", 64)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A clip of an episode of four frames, and an encoder, of a tiny generator."""
    folder = tmp_path_factory.mktemp("files")
    name = tiny_weights(folder, "scene")
    network = generators.load(name)
    shape = EncoderSettings(channel_base=256, channel_max=8, hidden=8, passes=1)
    encoder_files.save(Encoder(shape, network).eval(), folder / "encoder.safetensors", name, {})
    episode = {"world": "scene", "kind": "day", "seed": 0, "seconds": 0.3}
    meta = {"name": "tiny", "generator": name, "generator_hash": generators.hash_of(name), "episode": episode}
    clip = Clip(torch.zeros(4, 6, 12), torch.arange(4) / 15, meta=meta)
    return clip.save(folder / "day.safetensors"), folder / "encoder.safetensors"


def test_both_are_measured_at_every_budget_and_beside_the_usual_projection(files):
    clip, encoder = files
    rows = inversion_benchmark.measure([clip], [0.05, 0.3], encoder, 2, today=SMALL, progress=False)
    groups = {(row.method, row.variant) for row in rows}
    assert groups == {
        (ENCODER, "0.05 s"),
        (ENCODER, "0.3 s"),
        (PROJECTION, "0.05 s"),
        (PROJECTION, "0.3 s"),
        (USUAL, ""),
        (TODAY, ""),
    }
    assert {row.metric for row in rows} == {
        "seconds",
        "seconds_next",
        "steps",
        "mse",
        "lpips_vgg",
        "lpips_alex",
    }  # no face, no identity
    assert {row.n for row in rows} == {2} and {row.reference for row in rows} == {"source"}
    (steps,) = records.select(rows, metric="steps", method=TODAY)
    (encoded,) = records.select(rows, metric="steps", method=USUAL)
    assert steps.value == 6 and encoded.value == 10
    both, own = (records.select(rows, metric=each, method=TODAY)[0].value for each in ("seconds", "seconds_next"))
    assert 0 < own < both
    few, many = (
        records.select(rows, metric="steps", method=PROJECTION, variant=each)[0].value for each in ("0.05 s", "0.3 s")
    )
    assert many > few >= 1
    lpips = {(row.method, row.variant): row.value for row in records.select(rows, metric="lpips_vgg")}
    assert ratio_to_usual(rows, 0.3) == {"tiny": lpips[ENCODER, "0.3 s"] / lpips[TODAY, ""]}


def test_steps_are_what_a_budget_allows():
    projector = type("Fixed", (), {"settings": ProjectionSettings(start="encoder", first_steps=0)})()
    entered = Contestant(ENCODER, projector, before=1.5, step=0.8)
    assert [entered.steps(budget) for budget in (1, 2, 10)] == [0, 0, 10]
    alone = Contestant(PROJECTION, type("Fixed", (), {"settings": ProjectionSettings(start="w_avg")})(), 1.5, 0.8)
    assert alone.steps(1) == 1


def test_the_command_prints_a_table_and_ratios_and_writes_a_record_and_a_chart(files, tmp_path, monkeypatch, capsys):
    clip, encoder = files
    monkeypatch.setattr(inversion_benchmark, "measure", functools.partial(inversion_benchmark.measure, today=SMALL))
    output = tmp_path / "b.json"
    arguments = ["bench", "inversion", "--clip", str(clip), "--encoder", str(encoder), "--frames", "1"]
    assert cli.main([*arguments, "--seconds", "0.05,0.1", "-o", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "| tiny | encoder and steps | 0.05 s |" in printed
    assert "tiny: LPIPS-VGG at 0.1 s a frame is " in printed
    rows, provenance = records.read(output)
    assert len(rows) == 6 * 5 + 1
    assert provenance["command"] == f"dynode bench inversion --clip {clip} --seconds 0.05,0.1 --frames 1"
    assert output.with_suffix(".png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inversion", "fits"], "bench inversion runs by itself"),
        (["inversion", "--seconds", "2,few"], "--seconds must be positive numbers"),
        (["inversion", "--seconds", "0"], "--seconds must be positive numbers"),
        (["inversion", "--frames", "0"], "--frames must be at least 1"),
    ],
)
def test_mistakes_are_one_sentence(arguments, sentence, tmp_path, capsys):
    assert cli.main(["bench", *arguments, "-o", str(tmp_path / "b.json")]) == 2
    assert sentence in capsys.readouterr().err
