"""`dynode tune`, and every command that renders with a tuning."""

import dataclasses
import importlib
import json
from pathlib import Path

import pytest
import torch

from dynode import cli, clips, generators
from dynode.cli.commands import COMMANDS
from dynode.cli.options_read import options_of
from dynode.dynamics import fit_files as fits
from dynode.evaluation import records, tuning_quality
from dynode.generators import tuned
from dynode.inversion.tuning import tune
from dynode.inversion.tuning_settings import settings_for
from dynode.io import video
from dynode.settings import changed

pytestmark = pytest.mark.usefixtures("judged_small")
QUICK = ["-p", "steps=8", "-p", "warmup=2", "-p", "lpips_resolution=32"]


@pytest.fixture
def clip(talk):
    return talk()


@pytest.fixture(name="tuning")
def random_tuning(clip):
    """talk.tuning.safetensors, by random differences."""
    generator = generators.load(clip.meta["generator"])
    differences = {name: 0.3 * torch.randn(value.shape) for name, value in tuned.weights_of(generator).items()}
    card = {"clip": {"name": "talk"}}
    tuned.write(Path("talk.tuning.safetensors"), differences, generator.name, generator.hash, card)
    return tuned.read("talk.tuning.safetensors")


def run(*arguments: str) -> None:
    assert cli.main(list(arguments)) == 0


def test_tune_writes_a_tuning_and_says_what_it_brings(clip, capsys, tmp_path):
    run("tune", "talk.safetensors", "--stride", "2", "--record", "t.json", "--codes", "named.safetensors", *QUICK)
    lines = capsys.readouterr().out.splitlines()
    assert "tuned on 4 of 6 frames, 8 steps in" in lines[0] and lines[1] == "the clip that names it: named.safetensors"
    assert [line.partition(":")[0] for line in lines[2:5]] == ["MSE", "LPIPS-VGG", "LPIPS-Alex"]
    assert all("(4 frames observed)" in line and "(2 frames held out)" in line for line in lines[2:5])
    rows, provenance = records.read("t.json")
    tuning = tuned.read("talk.tuning.safetensors")
    assert provenance["tuning"] == tuning.mark and provenance["card"]["settings"]["steps"] == 8
    assert {(row.method, row.split) for row in rows} == {(m, s) for m in ("untuned", "tuned") for s in ("observed", "unobserved")}  # fmt: skip
    named = clips.load("named.safetensors")
    assert named.meta["tuning"] == tuning.mark and named.observed.tolist() == [True, False, True, False, True, True]


def test_minutes_take_the_steps_that_fit_unless_these_are_given(clip):
    run("tune", "talk.safetensors", "--minutes", "0.01", *QUICK[2:])
    assert tuned.read("talk.tuning.safetensors").card["settings"]["steps"] == 10**6
    run("tune", "talk.safetensors", "--minutes", "5", "--update", "low-rank", *QUICK)
    card = tuned.read("talk.tuning.safetensors").card
    assert card["settings"]["steps"] == card["steps"] == 8 and card["settings"]["update"] == "low-rank"


def frames_of(name: str) -> torch.Tensor:
    return torch.stack([torch.from_numpy(frame) for _, frame in video.iterate(name)]).float()


def test_a_rendered_fit_takes_a_tuning_by_option_or_from_its_clip(clip, tuning):
    run("fit", "talk.safetensors", "--preset", "linear")
    run("render", "talk.linear.fit", "-o", "plain.mp4", "--fps", "6")
    run("render", "talk.linear.fit", "-o", "tuned.mp4", "--fps", "6", "--tuning", "talk.tuning.safetensors")
    dataclasses.replace(clip, meta=clip.meta | {"tuning": tuning.mark}).save("named.safetensors")
    run("fit", "named.safetensors", "--preset", "linear")
    run("render", "named.linear.fit", "-o", "named.mp4", "--fps", "6")
    run("render", "named.linear.fit", "-o", "none.mp4", "--fps", "6", "--tuning", "none")
    plain, changed_, named, none = map(frames_of, ("plain.mp4", "tuned.mp4", "named.mp4", "none.mp4"))
    assert torch.equal(changed_, named) and torch.equal(plain, none) and (plain - named).abs().mean() > 2
    assert tuning.hash in title_of("tuned.mp4") and not title_of("plain.mp4")


def title_of(name: str) -> str:
    import av

    with av.open(name) as container:
        return container.metadata.get("title", "")


def test_a_fit_takes_a_tuning_by_option_and_names_it(clip, tuning, capsys):
    run("fit", "talk.safetensors", "--preset", "linear", "--tuning", "talk.tuning.safetensors")
    assert fits.load("talk.linear.fit").meta["clip"]["tuning"] == tuning.mark
    lost = {"file": "lost.tuning.safetensors", "hash": "0" * 12}
    dataclasses.replace(clip, meta=clip.meta | {"tuning": lost}).save("named.safetensors")
    in_images = ["fit", "named.safetensors", "--preset", "paper"]
    assert cli.main(in_images) == 2
    assert "tuned by lost.tuning.safetensors, which is not there" in capsys.readouterr().err
    run("fit", "named.safetensors", "--preset", "linear", "--tuning", "none")
    assert "tuning" not in fits.load("named.linear.fit").meta["clip"]


def test_an_evaluation_takes_the_tuning_of_its_fits_where_the_clip_names_none(clip, tuning, capsys):
    of = ["--clip", "talk.safetensors"]
    run("fit", "talk.safetensors", "-o", "one.fit", "--preset", "linear", "--stride", "2", "--tuning", str(tuning.path))
    run("evaluate", "one.fit", *of, "-o", "one.json")
    run("evaluate", "one.fit", *of, "-o", "none.json", "--tuning", "none")
    made = {name: records.read(f"{name}.json") for name in ("one", "none")}
    assert made["one"][1]["tuning"] == tuning.mark and "tuning" not in made["none"][1]
    one, none = (records.select(made[name][0], metric="mse", split="unobserved")[0] for name in ("one", "none"))
    assert one.value != none.value
    tuned.write(Path("b.safetensors"), {}, tuning.base, tuning.base_hash, {})
    run("fit", "talk.safetensors", "-o", "two.fit", "--preset", "linear", "--stride", "2", "--tuning", "b.safetensors")
    capsys.readouterr()
    assert cli.main(["evaluate", "one.fit", "two.fit", *of]) == 2
    assert "of several tunings (b.safetensors, talk.tuning.safetensors): name one with" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "render", "evaluate", "diagnose", "edit", "edit-text"])
def test_what_the_error_of_a_lost_tuning_names_is_an_option(command):
    module, name = COMMANDS[command].function.split(":")
    assert "--tuning" in options_of(getattr(importlib.import_module(f"dynode.cli.{module}"), name))


def test_an_evaluation_says_by_which_tuning(clip, tuning):
    run("fit", "talk.safetensors", "--preset", "linear", "--stride", "2")
    run("evaluate", "talk.linear.fit", "--clip", "talk.safetensors", "--source", "-o", "plain.json")
    chosen = ["--tuning", "talk.tuning.safetensors", "-o", "tuned.json"]
    run("evaluate", "talk.linear.fit", "--clip", "talk.safetensors", "--source", *chosen)
    (plain, before), (rows, provenance) = records.read("plain.json"), records.read("tuned.json")
    assert provenance["tuning"] == tuning.mark and "tuning" not in before
    assert "--tuning talk.tuning.safetensors" in provenance["command"]
    one, two = (records.select(each, metric="mse", reference="truth", split="unobserved")[0] for each in (plain, rows))
    assert one.value != two.value
    one, two = (records.select(each, space="latent") for each in (plain, rows))
    assert one == two  # codes are the same


MISTAKES = [
    (["render", "talk.linear.fit", "--tuning", "nothing.safetensors"], "nothing.safetensors"),
    (["render", "talk.linear.fit", "--tuning", "talk.safetensors"], "a tuning (as `dynode tune` writes it) was wanted"),
    (["tune", "talk.safetensors", "--update", "lora"], "There is no kind of update 'lora'"),
    (["tune", "talk.safetensors", "-o", "talk.safetensors"], "is the input itself"),
    (["tune", "talk.safetensors", "--codes", "talk.tuning.safetensors"], "is the input itself"),
    (["tune", "talk.safetensors", "--edit", "smile=1"], "An edit is METHOD:ATTRIBUTE=STRENGTH"),
    (["tune", "talk.safetensors", "--minutes", "0"], "minutes of a tuning must be above 0"),
    (["tune", "bird.flight", "-p", "resolution=256"], "can be no larger"),
    (["tune", "single_face.warm", "--footage", "talk.safetensors"], "is not the video"),
    (["tune", "scene.winter", "--footage", "talk.safetensors"], "was not cut from a video"),
    (["tune", "scene.winter", "--edit", "latent-transformer:nope=1"], "There is no latent transformer 'nope'"),
]


@pytest.mark.parametrize("arguments, message", MISTAKES, ids=lambda value: " ".join(value)[:40])
def test_mistakes_are_one_sentence(clip, arguments, message, capsys):
    run("fit", "talk.safetensors", "--preset", "linear")
    capsys.readouterr()
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and error.startswith("dynode: ") and "\n" not in error


def test_a_curve_has_rows_of_every_kind_and_length(clip, tmp_path):
    settings = changed(settings_for(16), {"lpips_resolution": 32, "warmup": 1})
    parts = {"kinds": ("all", "low-rank"), "minutes": (0.002, 0.004), "settings": settings}
    sampled = clip.sampled("regular", 2)
    rows = tuning_quality.tuning_curve(sampled, tmp_path, **parts)
    variants = dict.fromkeys(row.variant for row in rows)
    assert [*variants][1:] == [f"{kind}, {m} minutes" for kind in ("all", "low-rank") for m in (0.002, 0.004)]
    assert all(row.value >= 1 for row in records.select(rows, metric="tuning_steps"))
    assert len(records.select(rows, metric="lpips_vgg", split="unobserved")) == 5
    assert tuning_quality.tuning_curve(sampled, tmp_path, **parts) == rows  # its tunings are kept


def test_a_clip_with_refined_codes_is_judged_with_them(clip, tmp_path):
    settings = changed(settings_for(16), {"lpips_resolution": 32, "warmup": 1, "steps": 6, "codes_lr": 0.05})
    done = tune(clip, tmp_path / "t.safetensors", settings)
    rows = tuning_quality.compared(clip, done)
    fixed = tuning_quality.compared(clip, dataclasses.replace(done, clip=clip))
    assert json.dumps(rows[0].value) == json.dumps(fixed[0].value) and rows[-1].value != fixed[-1].value
