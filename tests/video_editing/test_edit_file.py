"""An edit of one video from names to files: by `dynode edit`, and by `dynode.edit`."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch

import dynode
from dynode import cli, clips, generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.inversion import arrival
from dynode.inversion.partial_results import Partial
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.io import video
from dynode.video_editing import edit_file, inverted_codes
from dynode.video_editing import footage as footages
from dynode.video_editing.keyframes import EditTrack, edit_of
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.registry import load_system
from dynode.video_editing.video_editor import VideoEditor

FRAMES = 11
QUICK = {"training.segment_iterations": 3, "training.iterations": 1}


pytestmark = pytest.mark.usefixtures("kept")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A video of a picture that stands still."""
    path, rng = tmp_path_factory.mktemp("film") / "film.mp4", np.random.default_rng(0)
    ground = np.kron(rng.integers(60, 190, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return video.write(path, [ground] * FRAMES, 25)


QUICK_STEPS = ["-p", "first_steps=2", "-p", "steps=1", "-p", "candidates=0"]
QUICK_FIT = [part for name, value in QUICK.items() for part in ("-p", f"dynamics.{name}={value}")]
OF_A_WORLD = ["--generator", "stylegan2-scene-factors", "--editor", "flow", "--device", "cpu"]


def edited(film, output, *more, steps=QUICK_STEPS):
    """Run an edit of a film; its numbers and its provenance."""
    fitted = [] if "latent-transformer" in more else QUICK_FIT
    pasted = [] if "--paste" in more else ["--paste", "feather"]
    assert cli.main(["edit", str(film), "-o", str(output), *OF_A_WORLD, *steps, *fitted, *pasted, *more]) == 0
    rows, provenance = records.read(output.with_suffix(".json"))
    return {row.metric: row.value for row in rows}, provenance


def test_a_video_is_inverted_once_for_all_edits_and_what_that_took_is_counted(film, tmp_path, kept, capsys):
    first, provenance = edited(film, tmp_path / "out.mp4", "--attribute", "fog=2", "--stride", "8")
    assert (first["frames_inverted"], first["edits"], first["detections"]) == (3, 1, 0)
    assert first["optimiser_steps"] == first["generator_backward"] > 0 == first["steps_before"]
    (file,) = kept.iterdir()
    codes = Clip.load(file)
    assert codes.optimiser_steps == codes.meta["optimiser_steps"] == first["optimiser_steps"] == 2 + 2 * 1
    assert codes.head(2).optimiser_steps == 2 + 1  # of fewer frames what the settings imply
    assert provenance["title"] == "edited with dynode: fog 2" and len(video.read(tmp_path / "out.mp4")[0]) == FRAMES
    shown = capsys.readouterr().out
    assert f"further edits of these frames: {file}" in shown and "3 of 3 inverted frames have not arrived" in shown
    assert len(provenance["inversion"]["mse"]) == 3 and "mean MSE" in shown
    elsewhere = tmp_path / "another" / "hour.mp4"
    again, provenance = edited(
        film,
        elsewhere,
        *("--attribute", "hour=1", "--stride", "8"),
        *("--save-frames", str(tmp_path / "png"), "--codes", str(tmp_path / "e.safetensors")),
    )
    clip = Clip.load(tmp_path / "e.safetensors")
    assert len(clip) == FRAMES and clip.meta["edited"] == "hour 1" and clip.meta["source"] == "film.mp4"
    assert again["optimiser_steps"] == 0 and again["steps_before"] == first["optimiser_steps"]
    assert len(list((tmp_path / "png").glob("*.png"))) == FRAMES and provenance["stand_ins"] == ["mask[whole]"]
    others, _ = edited(
        film, tmp_path / "out.mp4", "--attribute", "fog=1", "--stride", "8", steps=[*QUICK_STEPS, "-p", "lr=0.1"]
    )
    assert others["optimiser_steps"] > 0 and len(list(kept.iterdir())) == 2


def test_equal_frames_are_known_however_they_were_chosen(film, tmp_path, kept):
    every, _ = edited(film, tmp_path / "a.mp4", "--attribute", "fog=1", "--method", "latent-transformer")
    assert every["optimiser_steps"] == 2 + 10 * 1
    for number, choice in enumerate((["--stride", "5"], ["--every", "5", "--stride", "1"], ["--first", "3"])):
        fewer, _ = edited(film, tmp_path / f"{number}.mp4", "--attribute", "fog=1", *choice)
        assert fewer["optimiser_steps"] == 0 < fewer["steps_before"]
    assert len(list(kept.iterdir())) == 1
    other = tmp_path / "copy-of-it.mp4"
    other.write_bytes(film.read_bytes())
    assert edited(other, tmp_path / "b.mp4", "--attribute", "fog=1")[0]["optimiser_steps"] == 0


def test_codes_are_kept_by_what_is_tried_where_a_frame_has_not_arrived(film, kept, monkeypatch):
    footage = footages.from_centre(film, "stylegan2-scene-factors")
    generator, every = generators.load("stylegan2-scene-factors"), np.ones(FRAMES, dtype=bool)

    def prefixes():
        settings = ProjectionSettings(), ProjectionSettings(start="w_avg")
        return [inverted_codes.kept_codes(footage, every, kept, each, generator).prefix for each in settings]

    chain, independent = prefixes()
    monkeypatch.setattr(arrival, "FAR", 1.5 * arrival.FAR)
    other_chain, same = prefixes()
    assert chain != other_chain and independent == same, "frames that start by themselves are not pursued"


def test_an_interrupted_edit_goes_on_whatever_its_output_is_called(film, tmp_path, kept, capsys, monkeypatch):
    append, appended = Partial.append, []

    def interrupted(self, projections, steps):
        if len(appended) == 2:
            raise KeyboardInterrupt
        appended.append(append(self, projections, steps=steps))

    command = ["edit", str(film), *OF_A_WORLD, *QUICK_STEPS, "--attribute", "fog=1"]
    with monkeypatch.context() as patched:
        patched.setattr(Partial, "append", lambda *_, **named: interrupted_at_once())
        assert cli.main([*command, "-o", str(tmp_path / "a.mp4")]) == 130
        assert "no frame was finished yet, so nothing is kept" in capsys.readouterr().err
        patched.setattr(Partial, "append", interrupted)
        assert cli.main([*command, "-o", str(tmp_path / "a.mp4")]) == 130
        assert "2 inverted frames are kept and the same command goes on" in capsys.readouterr().err
    numbers, _ = edited(film, tmp_path / "b.mp4", "--attribute", "hour=1")
    assert numbers["frames_inverted"] == 4 and numbers["optimiser_steps"] == 2  # of 2 + 3


def interrupted_at_once():
    raise KeyboardInterrupt


def test_the_codes_of_keyframes_give_all_frames_of_their_stretch(film, tmp_path, kept, capsys):
    of_video, _ = edited(
        film, tmp_path / "a.mp4", "--attribute", "fog=1", "--first", "1", "--frames", "7", "--stride", "3"
    )
    (file,) = kept.iterdir()
    assert len(Clip.load(file)) == 3
    command = ["edit", str(file), "--editor", "flow", "--attribute", "fog=1", "--device", "cpu", "--paste", "feather"]
    command += QUICK_FIT
    assert cli.main([*command, "-o", str(tmp_path / "b.mp4")]) == 2
    assert "film.mp4, is none of the assets" in capsys.readouterr().err
    assert cli.main([*command, "-o", str(tmp_path / "b.mp4"), "--footage", str(film)]) == 0
    assert len(video.read(tmp_path / "b.mp4")[0]) == 7
    assert np.array_equal(video.read(tmp_path / "a.mp4")[0], video.read(tmp_path / "b.mp4")[0])
    more = ["--footage", str(film), "--method", "latent-transformer"]
    assert cli.main([*command[: -len(QUICK_FIT)], "-o", str(tmp_path / "c.mp4"), *more]) == 2
    assert "holds codes of one frame in 3, and latent-transformer wants all" in capsys.readouterr().err


def test_side_by_side_has_source_and_edit_at_the_same_times(film, tmp_path):
    for number, paste in enumerate(("feather", "none")):
        output = tmp_path / f"{number}.mp4"
        edited(film, output, "--attribute", "fog=4", "--first", "2", "--paste", paste, "--side-by-side")
        frames, times = video.read(output)
        both, same_times = video.read(tmp_path / f"{number}-side-by-side.mp4")
        width = frames.shape[2]
        assert both.shape == (len(frames), frames.shape[1], 2 * width, 3) and np.allclose(times, same_times)
        assert np.abs(both[:, :, width:].astype(float) - frames).mean() < 3
        if paste == "feather":
            assert np.abs(both[:, :, :width].astype(float) - video.read(film)[0][2:]).mean() < 3
        assert np.abs(both[:, :, :width].astype(float) - both[:, :, width:]).mean() > 4


EDIT_A_WORLD = ["--generator", "stylegan2-scene-factors", "--editor", "flow", "--attribute", "fog=1", "--device", "cpu"]


def test_no_output_replaces_what_an_edit_is_made_from_or_another_record(film, tmp_path, capsys):
    own = tmp_path / "own.mp4"
    own.write_bytes(film.read_bytes())
    kept = records.write(tmp_path / "judged.json", "evaluate-edit", "", [], {})
    for source, output, more, expected in (
        (own, own, [], "own.mp4 is the input itself"),
        (own, tmp_path / "s" / ".." / "own.mp4", [], "own.mp4 is the input itself"),
        (
            film,
            tmp_path / "a.mp4",
            ["--codes", str(tmp_path / "own.png")],
            "does not say what is written, .safetensors",
        ),
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
        (["carphone.1"], "nothing to edit"),
        (["carphone.1", "--attribute", "smiel"], "NAME=STRENGTH"),
        (["carphone.1", "--attribute", "0=1", "--editor", "ganspace"], "components"),
        (["carphone.1", "--attribute", "1=1", "--editor", "glue"], "method of editing"),
        (
            ["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--method", "magic"],
            "method of editing videos",
        ),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--mode", "drift"], "mode of propagation"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--paste", "glue"], "mode of pasting"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--mask", "glue"], "no mask"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--mask", "gone.pt"], "no file gone.pt"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--stride", "0"], "stride"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--rows", "24"], "23 style rows"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "-o", "x.avi"], ".mp4"),
        (["scene.day", "--attribute", "fog=1", "--editor", "flow"], "not cut from a video"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--first", "5"], "leave out --first"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--frames", "-1"], "0 or more"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "--footage", "gone.mp4"], "no file gone.mp4"),
        (["carphone.1", "--attribute", "1=1", "--editor", "ganspace", "-p", "steps=9"], "leave out -p steps"),
        (
            ["nothing.mp4", "--attribute", "1=1", "--editor", "ganspace", "--footage", "a.mp4"],
            "names the video of a clip",
        ),
        (["carphone.1", "--attribute", "smil=1"], "legal are age, gender, lip"),
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
    clip = clips.load("carphone.1").head(3)
    return clip, clip.save(tmp_path_factory.mktemp("clips") / "short.safetensors")


def test_the_public_function_takes_a_clip_its_file_or_its_name(short, tmp_path):
    clip, path = short
    choices = {"stride": 2, "dynamics": QUICK, "device": "cpu"}
    by_clip = dynode.edit(clip, {"smile": 1.5}, tmp_path / "clip.mp4", **choices)
    by_file = dynode.edit(path, ["smile=0:1.5,1:1.5"], tmp_path / "file.mp4", **choices)
    by_name = dynode.edit("carphone.1", "smile=1.5", str(tmp_path / "name.mp4"), frames=3, **choices)
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


def test_what_is_made_shows_itself_in_a_line(short, tmp_path):
    clip, _ = short
    result = dynode.edit(
        clip, {"1": 1.0}, tmp_path / "a.mp4", stride=2, dynamics=QUICK, device="cpu", editor="ganspace"
    )
    request = edit_file.EditRequest("talk.mp4", tmp_path / "b.mp4", ("smile=1",))
    shown = [footages.from_clip(clip), result, result.codes, *result.codes.shots, result.codes.quality, request]
    assert all(repr(each).startswith(f"<{type(each).__name__}") and len(repr(each)) < 300 for each in shown)
    assert "3 frames, edited with dynode: ganspace 1 1" in repr(result) and "talk.mp4" in repr(request)


def test_an_edit_names_the_stand_ins_that_it_used(short):
    clip, generator = short[0], generators.load(short[0].meta["generator"])
    editor = VideoEditor(load_system("latent-transformer"), generator, PasteSettings("none"))
    footage = footages.from_clip(clip)
    named = {
        name: editor.stand_ins(footage, edit_of([EditTrack.parsed("smile=1")], name, generator))
        for name in ("styleclip", "latent-transformer")
    }
    alike = "latent-transformer[rank 8, one map for all rows]"
    assert named == {"styleclip": ("captions[alexnet]",), "latent-transformer": (alike,)}
    pasted = dataclasses.replace(editor, paste=PasteSettings("feather"))
    assert pasted.stand_ins(footage) == ("mask[landmarks]",)
