"""Quality against minutes of tuning, on a tiny generator: rows, controls, ratios, what is kept, and the command."""

import dataclasses
import functools
from types import SimpleNamespace

import pytest
import torch

from dynode import cli, clips
from dynode.errors import UserError
from dynode.evaluation import records, tuning_quality
from dynode.evaluation.tuning_quality import OPENINGS, Measures, rows_of
from dynode.experiments import tuning_benchmark
from dynode.experiments.tuning_benchmark import NEIGHBOURS, OTHER, SHIFTED, control_rows, others_of, ratios
from dynode.generators import tuned
from dynode.inversion.frame_sources import reference_frames
from dynode.inversion.tuning_settings import settings_for
from dynode.metrics import METRICS
from dynode.settings import changed

pytestmark = pytest.mark.usefixtures("judged_small")
SMALL = changed(settings_for(16), {"lpips_resolution": 32, "warmup": 1})


@pytest.fixture
def clip(talk):
    return talk(protocol="independent")


@pytest.fixture
def quick(monkeypatch):
    """Tunings of the command have few pixels."""
    monkeypatch.setattr(tuning_benchmark, "measure", functools.partial(tuning_benchmark.measure, settings=SMALL))


def test_every_kind_and_length_has_rows_of_both_splits_beside_controls(clip, tmp_path):
    rows = tuning_benchmark.measure([clip], tmp_path, ["last-blocks", "low-rank"], [0.002], settings=SMALL)
    groups = dict.fromkeys((row.method, row.variant) for row in rows)
    tunings = [("tuned", f"{kind}, 0.002 minutes") for kind in ("last-blocks", "low-rank")]
    assert [*groups] == [("untuned", ""), *tunings, (NEIGHBOURS, ""), (SHIFTED, "")]
    assert {(row.split, row.n) for row in records.select(rows, metric="mse", method="tuned")} == {
        ("observed", 3),  # every fourth frame, and the last
        ("unobserved", 3),
    }
    assert {(row.sampling, row.stride) for row in rows} == {("regular", 4)}
    assert {row.protocol for row in records.select(rows, metric="lpips_vgg")} == {"independent"}
    (shifted,) = records.select(rows, metric="lpips_vgg", method=SHIFTED, split="observed")
    (untuned,) = records.select(rows, metric="lpips_vgg", method="untuned", split="observed")
    assert 0 < shifted.value < untuned.value
    name, kind, by_split = next(ratios(rows, 0.002))
    (after,) = records.select(rows, metric="lpips_vgg", variant="last-blocks, 0.002 minutes", split="observed")
    assert (name, kind, by_split["observed"]) == ("tiny", "last-blocks", after.value / untuned.value)


def test_tunings_that_are_there_are_kept_and_no_held_out_frame_has_a_part_in_them(clip, tmp_path, monkeypatch):
    parts = ([clip], tmp_path / "new", ["all"], [0.002])
    rows = tuning_benchmark.measure(*parts, settings=SMALL)
    made = tuning_benchmark.cards(*parts)["tiny.all.0.002.tuning.safetensors"]
    assert made["settings"]["stop_lpips"] == 0 and made["steps"] >= 1
    card = tuned.read(tmp_path / "new" / "tiny.all.0.002.tuning.safetensors").card
    assert card["clip"]["observed"] == [0, 4, 5] and not card["stopped_early"]
    monkeypatch.setattr(tuning_quality, "tune", None)
    assert tuning_benchmark.measure(*parts, settings=SMALL) == rows


def test_what_was_judged_is_not_judged_again(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_EVALUATIONS", "1")
    monkeypatch.setattr(tuning_quality.source_code, "hash_of", lambda *modules: "code")  # which takes seconds
    monkeypatch.setattr(tuning_quality.KeptEvaluations, "__init__", lambda self: empty(self, tmp_path / "kept"))
    judge = tuning_quality.TuningJudge(clip)
    rows = judge.rows(judge.base, "untuned")
    monkeypatch.setattr(tuning_quality, "values_of", None)
    again = tuning_quality.TuningJudge(clip)
    assert again.rows(judge.base, "untuned") == rows
    other = tuning_quality.TuningJudge(dataclasses.replace(clip, ws=clip.ws + 0.1))
    with pytest.raises(TypeError):
        other.rows(judge.base, "untuned")


def empty(store, folder) -> None:
    store.folder, store.limit, store.unseen = folder, 10**9, float("inf")


@pytest.fixture(scope="module")
def face():
    """Three frames of a man (3, 3, 64, 64), and the clip."""
    clip = clips.load("single_face.warm").head(3)
    return reference_frames(clip, 64), clip.sampled("regular", 2)


def test_controls_of_faces_compare_eyes_mouth_and_other_people(face):
    frames, clip = face
    judge = SimpleNamespace(clip=clip, frames=frames, measures=Measures("face"), category="face")
    rows = control_rows(judge, {"other": frames.flip(3)[:2], "himself": frames})
    of = {
        name: {row.metric for row in rows if row.method == method and row.variant == name}
        for method, name in ((OTHER, "other"), (OTHER, "himself"), (SHIFTED, ""), (NEIGHBOURS, ""))
    }
    assert of["other"] == of["himself"] == {"identity", "dlib_distance"}
    counts = {"blinks", "blinks_missing", "blinks_extra"}
    openings = {"eye_opening", "mouth_opening"}
    assert of[""] == {"mse", "lpips_vgg", "lpips_alex", "identity", "dlib_distance"} | openings | counts
    assert {row.reference for row in rows} == {"source"}
    value = {
        (row.method, row.variant, row.metric): row.value for row in rows if row.split == "observed"
    }  # frames 0 and 2
    assert value[OTHER, "himself", "dlib_distance"] == pytest.approx(0, abs=1e-4)
    assert value[OTHER, "other", "dlib_distance"] > 0.1 and value[SHIFTED, "", "identity"] < 0.9999
    assert 0 < value[SHIFTED, "", "eye_opening"] < 0.1 and 0 < value[SHIFTED, "", "mouth_opening"] < 0.1
    both = METRICS["mse"](frames[1:2].expand(2, -1, -1, -1), frames[::2])
    assert value[NEIGHBOURS, "", "mse"] == pytest.approx(both.mean().item())


def test_others_are_of_other_footage(face):
    _, clip = face
    same, other = (dataclasses.replace(clip, meta=clip.meta | {"source_sha256": each}) for each in ("a", "b"))
    assert others_of(same, [same, same, other]) == [other]
    assert [each.name for each in others_of(clip, [clip])] == ["pexels.1", "webcam.1"]


def test_blinks_belong_to_the_frames_that_show_them(clip):
    sampled = clip.sampled("regular", 4)  # observes 0, 4 and 5
    source, made = torch.full((6,), 0.3).double(), torch.full((6,), 0.3).double()
    source[2] = 0.05
    rows = rows_of(dict(zip(OPENINGS, (source, made), strict=True)), sampled, method="tuned")
    assert {(row.metric, row.split): row.value for row in rows if row.value} == {
        ("blinks", "unobserved"): 1,
        ("blinks_missing", "unobserved"): 1,
    }
    made[4] = 0.05
    rows = rows_of(dict(zip(OPENINGS, (source, made), strict=True)), sampled, method="tuned")
    assert {row.split for row in rows if row.metric == "blinks_extra" and row.value} == {"observed"}


def test_the_command_prints_a_table_and_ratios_and_writes_a_record_and_a_chart(clip, quick, tmp_path, capsys):
    arguments = ["bench", "tuning", "--clip", "talk.safetensors", "--update", "all", "--minutes", "0.002,0.004"]
    assert cli.main([*arguments, "-o", "b.json"]) == 0
    printed = capsys.readouterr().out
    assert "| tiny | tuned, all, 0.004 minutes |" in printed and f"| tiny | {NEIGHBOURS} |" in printed
    assert "tiny, all, 0.004 minutes: LPIPS-VGG tuned / untuned " in printed and " held out\n" in printed
    rows, provenance = records.read("b.json")
    assert provenance["command"] == "dynode " + " ".join(arguments)
    assert len(records.select(rows, metric="lpips_vgg")) == 2 * 5
    assert len(provenance["tunings"]) == len([*(tmp_path / "b.json.tunings").glob("*.tuning.safetensors")]) == 2
    assert (tmp_path / "b.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tuning", "fits"], "bench tuning runs by itself"),
        (["tuning", "--minutes", "2,few"], "--minutes must be positive numbers"),
        (["tuning", "--clip", "talk.safetensors", "--update", "lora"], "There is no kind of update 'lora'"),
        (["tuning", "--clip", "talk.safetensors", "--clip", "talk.safetensors"], "is named 2 times"),
        (["tuning", "--clip", "talk.safetensors", "--clip", "copy.safetensors"], "2 clips are named tiny"),
        (["tuning", "--clip", "nobody.warm"], "nobody.warm"),
    ],
)
def test_mistakes_are_one_sentence(arguments, sentence, clip, capsys):
    clip.save("copy.safetensors")
    assert cli.main(["bench", *arguments, "-o", "b.json"]) == 2
    error = capsys.readouterr().err.strip()
    assert sentence in error and "\n" not in error


def test_a_clip_without_frames_is_refused_before_anything_is_measured(clip, tmp_path):
    bare = dataclasses.replace(clip, meta={key: value for key, value in clip.meta.items() if key != "episode"})
    named = dataclasses.replace(bare, meta=bare.meta | {"name": "bare"})
    with pytest.raises(UserError, match="came without the squares"):
        tuning_benchmark.measure([clip, named], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_tunings_that_ship_are_those_of_the_clips_that_ship(tmp_path):
    folder = tuning_benchmark.with_shipped(tmp_path / "tunings")
    for name in tuning_benchmark.CLIPS:
        clip, path = clips.load(name), folder / f"{name}.low-rank.10.tuning.safetensors"
        settings = settings_for(1024)
        chosen = dataclasses.replace(settings, update="low-rank", steps=tuning_quality.UNLIMITED, stop_lpips=0.0)
        assert tuning_quality.is_tuned(path, clip.sampled("regular", tuning_benchmark.STRIDE), chosen)
    shipped = tuned.read(path)
    as_shipped = shipped.hash
    tuned.write(path, {}, shipped.base, shipped.base_hash, shipped.card)  # made here, by the same settings
    assert tuned.read(tuning_benchmark.with_shipped(folder) / path.name).hash != as_shipped
    other = shipped.card | {"settings": shipped.card["settings"] | {"lr": 1.0}}
    tuned.write(path, {}, shipped.base, shipped.base_hash, other)
    assert tuned.read(tuning_benchmark.with_shipped(folder) / path.name).hash == as_shipped
