"""An edit of one video from names to files: by `dynode edit`, and by `dynode.edit`."""

import json
import pickle

import numpy as np
import pytest
import torch

import dynode
from dynode import cli, clips
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.io import video
from dynode.video_editing import edit_file

FRAMES = 11
QUICK = {"training.segment_iterations": 3, "training.iterations": 1}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A video of a picture that stands still."""
    path, rng = tmp_path_factory.mktemp("film") / "film.mp4", np.random.default_rng(0)
    ground = np.kron(rng.integers(60, 190, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return video.write(path, [ground] * FRAMES, 25)


def test_a_video_is_inverted_once_for_all_edits_and_what_that_took_is_counted(film, tmp_path, capsys):
    output, steps = tmp_path / "out.mp4", ["-p", "first_steps=2", "-p", "steps=1", "-p", "candidates=0"]
    shown = [
        "--generator",
        "stylegan2-scene",
        "--editor",
        "flow",
        "--paste",
        "feather",
        "--device",
        "cpu",
        "--stride",
        "8",
    ]

    def run(*more):
        assert cli.main(["edit", str(film), "-o", str(output), *shown, *steps, *more]) == 0
        rows, provenance = records.read(output.with_suffix(".json"))
        return {row.metric: row.value for row in rows}, provenance

    first, provenance = run("--attribute", "fog=2")
    assert (first["frames_inverted"], first["edits"], first["detections"]) == (3, 1, 0)
    assert first["optimiser_steps"] == first["generator_backward"] > 0 == first["steps_before"]
    codes = Clip.load(output.with_suffix(".codes.safetensors"))
    assert codes.optimiser_steps == codes.meta["optimiser_steps"] == first["optimiser_steps"] == 2 + 2 * 1
    assert codes.head(2).optimiser_steps == 2 + 1  # of fewer frames what the settings imply
    assert provenance["title"] == "edited with dynode: fog 2" and len(video.read(output)[0]) == FRAMES
    again, _ = run(
        "--attribute", "hour=1", "--save-frames", str(tmp_path / "png"), "--codes", str(tmp_path / "e.safetensors")
    )
    clip = Clip.load(tmp_path / "e.safetensors")
    assert len(clip) == FRAMES and clip.meta["edited"] == "hour 1" and clip.meta["source"] == "film.mp4"
    assert again["optimiser_steps"] == 0 and again["steps_before"] == first["optimiser_steps"]
    assert len(list((tmp_path / "png").glob("*.png"))) == FRAMES
    assert json.loads(output.with_suffix(".json").read_text())["provenance"]["stand_ins"] == ["mask[whole]"]
    assert cli.main(["edit", str(film), "-o", str(output), *shown, "--attribute", "fog=1"]) == 2
    assert "other frames, settings or weights" in capsys.readouterr().err


EDIT_A_WORLD = ["--generator", "stylegan2-scene", "--editor", "flow", "--attribute", "fog=1", "--device", "cpu"]


def test_no_output_replaces_what_an_edit_is_made_from_or_another_record(film, tmp_path, capsys):
    own = tmp_path / "own.mp4"
    own.write_bytes(film.read_bytes())
    kept = records.write(tmp_path / "judged.json", "evaluate-edit", "", [], {})
    for source, output, more, expected in (
        (own, own, [], "own.mp4 is what the edit is made from"),
        (film, tmp_path / "a.mp4", ["--codes", str(tmp_path / "a.codes.safetensors")], "is what the edit is made from"),
        (film, tmp_path / "a.mp4", ["--save-frames", str(own)], "cannot be written"),
        (film, kept.with_suffix(".mp4"), [], "judged.json is a record of evaluate-edit"),
    ):
        assert cli.main(["edit", str(source), "-o", str(output), *EDIT_A_WORLD, *more]) == 2
        assert expected in capsys.readouterr().err
    edited = records.write(tmp_path / "x.json", "edit", "", [], {})
    for command in (
        ["evaluate-edit", str(own), str(own)],
        ["evaluate", "x.fit"],
        ["choose-depth", "scene.day"],
        ["bench"],
    ):
        assert cli.main([*command, "-o", str(edited)]) == 2
        assert "x.json is a record of edit" in capsys.readouterr().err
    assert records.item_of(edited) == "edit" and records.item_of(kept) == "evaluate-edit"
    assert records.item_of(own) is None and own.read_bytes() == film.read_bytes()


def test_the_record_has_the_options_that_were_chosen(tmp_path):
    changes = {"projection": {"steps": 5}, "dynamics": {"field.depth": 4}}
    request = edit_file.EditRequest("a.mp4", tmp_path / "b.mp4", ("smile=1",), rows=8, mode="flow", **changes)
    options = "--attribute smile=1 --rows 8 --mode flow -p steps=5 -p dynamics.field.depth=4"
    assert request.command == f"dynode edit a.mp4 {options}"


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["carphone.warm"], "nothing to edit"),
        (["carphone.warm", "--attribute", "smiel"], "NAME=STRENGTH"),
        (["carphone.warm", "--attribute", "0=1", "--editor", "ganspace"], "components"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "glue"], "method of editing"),
        (
            ["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--method", "magic"],
            "method of editing videos",
        ),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--mode", "drift"], "mode of propagation"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--paste", "glue"], "mode of pasting"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--mask", "glue"], "no mask"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--mask", "gone.pt"], "no file gone.pt"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--stride", "0"], "stride"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--rows", "24"], "23 style rows"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "-o", "x.avi"], ".mp4"),
        (["scene.day", "--attribute", "fog=1", "--editor", "flow"], "not cut from a video"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--first", "5"], "leave out --first"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--frames", "-1"], "count >= 0"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--footage", "gone.mp4"], "no file gone.mp4"),
        (["nothing.mp4", "--attribute", "1=1", "--editor", "ganspace"], "no file nothing.mp4"),
    ],
)
def test_mistakes_end_in_one_sentence(arguments, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["edit", *arguments, "--device", "cpu"]) == 2
    message = capsys.readouterr().err
    assert expected in message and "Traceback" not in message
    assert not list(tmp_path.glob("*.mp4"))


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Three frames of a shipped clip, as a file."""
    clip = clips.load("carphone.warm").head(3)
    return clip, clip.save(tmp_path_factory.mktemp("clips") / "short.safetensors")


def test_the_public_function_takes_a_clip_its_file_or_its_name(short, tmp_path):
    clip, path = short
    choices = {"stride": 2, "dynamics": QUICK, "device": "cpu"}
    by_clip = dynode.edit(clip, {"smile": 1.5}, tmp_path / "clip.mp4", **choices)
    by_file = dynode.edit(path, ["smile=0:1.5,1:1.5"], tmp_path / "file.mp4", **choices)
    by_name = dynode.edit("carphone.warm", "smile=1.5", str(tmp_path / "name.mp4"), frames=3, **choices)
    assert by_clip.count == by_file.count == by_name.count == 3 and by_clip.output == tmp_path / "clip.mp4"
    for other in (by_file, by_name):
        assert (
            torch.equal(other.codes.edited, by_clip.codes.edited)
            and other.counters.counts() == by_clip.counters.counts()
        )
    assert (
        by_clip.counters.counts()["steps_before"] == clip.where(torch.tensor([True, False, True])).optimiser_steps > 0
    )
    again = pickle.loads(pickle.dumps(by_clip))
    assert torch.equal(again.codes.edited, by_clip.codes.edited) and again.text == by_clip.text
    rows, provenance = records.read(tmp_path / "clip.json")
    assert {row.clip for row in rows} == {"carphone"} and provenance["settings"]["system"]["preset"] == "dynode"
    assert provenance["settings"]["system"]["dynamics"]["training"]["iterations"] == 1
    assert provenance["told"]["shots"][0]["observed"] == 2


def test_the_public_function_refuses_what_it_does_not_know(short, tmp_path):
    with pytest.raises(UserError, match="did you mean 'stride'"):
        dynode.edit(short[0], {"smile": 1.5}, tmp_path / "a.mp4", strides=2)
    with pytest.raises(UserError, match="latent-transformer fits no dynamics: leave out field.depth"):
        dynode.edit(
            short[0], {"smile": 1.5}, tmp_path / "a.mp4", method="latent-transformer", dynamics={"field.depth": 2}
        )
    with pytest.raises(UserError, match="did you mean 'depth'"):
        dynode.edit(short[0], {"smile": 1.5}, tmp_path / "a.mp4", dynamics={"field.depths": 2})
    assert not list(tmp_path.glob("*.mp4"))
