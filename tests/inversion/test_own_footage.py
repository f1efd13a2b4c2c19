"""The video of a clip is looked for where it may lie, known by its sha256, and named where it is not there."""

import re
import shutil

import av
import numpy as np
import pytest
from conftest import tiny_weights

from dynode import cli, runtime
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.inversion import frame_sources, invert_frames
from dynode.inversion.frame_sources import source_video
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.inversion.protocols import Batch
from dynode.io import video
from dynode.video_editing import footage

QUICK = ["-p", "first_steps=2", "-p", "steps=1", "-p", "candidates=0", "--device", "cpu"]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with talk.mp4, of 6 frames, and its clip talk.safetensors."""
    folder, rng = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    frames = np.kron(rng.integers(60, 190, (6, 6, 8, 3)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    frames = (0.1 * frames + 0.9 * frames[:1]).astype(np.uint8)  # no cuts
    video.write(folder / "talk.mp4", frames, 25)
    generator = tiny_weights(folder, "scene")
    command = ["invert", str(folder / "talk.mp4"), "-o", str(folder / "talk.safetensors"), "--generator", generator]
    assert cli.main([*command, *QUICK]) == 0
    assert (
        cli.main(
            [
                "fit",
                str(folder / "talk.safetensors"),
                "-o",
                str(folder / "talk.fit"),
                "--preset",
                "linear",
                "--stride",
                "2",
            ]
        )
        == 0
    )
    return folder


@pytest.fixture
def clip(own):
    return Clip.load(own / "talk.safetensors")


def remuxed(source, target):
    """The same frames in another container."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        for packet in before.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                after.mux(packet)
    return target


def test_it_is_found_beside_the_clip_and_in_the_current_folder(own, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert source_video(clip, beside=own / "talk.safetensors") == own / "talk.mp4"
    with pytest.raises(UserError, match=re.escape("talk.mp4, is none of the assets and not in") + ".*--footage"):
        source_video(clip)
    shutil.copy(own / "talk.mp4", "talk.mp4")
    assert source_video(clip).resolve() == tmp_path / "talk.mp4"
    assert footage.from_clip(clip).path.resolve() == tmp_path / "talk.mp4"
    (tmp_path / "talk.mp4").write_bytes(b"another talk")
    with pytest.raises(UserError, match="as it was inverted: name that file with --footage"):
        source_video(clip)


def test_another_video_is_refused_and_one_with_the_same_times_is_said_to_have_them(own, clip, tmp_path):
    again = remuxed(own / "talk.mp4", tmp_path / "talk.mkv")
    with pytest.raises(
        UserError, match="their frame times agree, so it may be the same recording encoded anew: name the original, or"
    ):
        source_video(clip, again)
    slower = video.write(tmp_path / "slow.mp4", [np.zeros((48, 64, 3), np.uint8)] * 6, 10)
    with pytest.raises(UserError, match=r"slow.mp4 is not the video that talk was made from \(talk.mp4\)"):
        source_video(clip, slower)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"text.mp4 is not the video"):
        source_video(clip, tmp_path / "text.mp4")
    with pytest.raises(UserError, match="There is no file gone.mp4"):
        source_video(clip, "gone.mp4")


def test_an_evaluation_compares_with_ones_own_footage(own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["evaluate", str(own / "talk.fit"), "--clip", str(own / "talk.safetensors"), "--all", "--device", "cpu"]
    assert cli.main([*command, "--source"]) == 0
    beside = capsys.readouterr().out
    shutil.move(own / "talk.mp4", tmp_path / "renamed.mp4")
    try:
        assert cli.main([*command, "--source"]) == 2
        assert "talk.mp4, is none of the assets" in capsys.readouterr().err
        assert cli.main([*command, "--footage", "renamed.mp4", "-o", "r.json"]) == 0
        named = capsys.readouterr().out
        assert "source" in beside and named.startswith(beside)
        assert f"--clip {own}/talk.safetensors --footage renamed.mp4" in (tmp_path / "r.json").read_text()
    finally:
        shutil.move(tmp_path / "renamed.mp4", own / "talk.mp4")


def test_footage_of_a_world_is_refused(own, tmp_path, capsys):
    assert cli.main(["fit", "scene.day", "-o", str(tmp_path / "day.fit"), "--preset", "linear"]) == 0
    assert cli.main(["evaluate", str(tmp_path / "day.fit"), "--footage", str(own / "talk.mp4")]) == 2
    assert "leave out --footage" in capsys.readouterr().err


def test_what_a_fit_misses_is_said_of_the_path_and_of_its_field(own, tmp_path, capsys):
    quick = ["--preset", "trend+mlp", "-p", "training.iterations=1", "-p", "training.segment_iterations=1"]
    assert cli.main(["fit", str(own / "talk.safetensors"), "-o", str(tmp_path / "a.fit"), "--stride", "3", *quick]) == 0
    printed = capsys.readouterr().out
    (missed, alone) = re.search(
        r"misses the observed codes by (\S+) of their variance \(its field alone.* by (\S+)\)", printed
    ).groups()
    assert float(missed) < 1e-9 < 1e-6 < float(alone)
    assert "Only 3 of the 6 frames are observed" in printed


@pytest.mark.parametrize(
    "steps, device, precision, said",
    [
        (40, "cpu", "float32", ""),
        (1000, "cpu", "float32", "about 20 minutes on a CPU, less on a GPU"),
        (1000, "cpu", "bfloat16", "about 12 minutes on a CPU, less on a GPU"),
        (20_000, "cpu", "float32", "about 6.7 hours on a CPU, less on a GPU"),
        (1000, "cuda:0", "bfloat16", "5 frames, 1000 optimiser steps. It can be stopped"),
    ],
)
def test_the_estimate_is_that_of_the_precision(steps, device, precision, said, monkeypatch, capsys):
    import torch

    monkeypatch.setattr(runtime, "fast_bfloat16", lambda device: True)
    settings = ProjectionSettings(precision=precision)
    invert_frames.print_estimate([Batch((0, 1, 2, 3, 4), None, steps)], settings, torch.device(device))
    printed = capsys.readouterr().out
    assert said in printed and bool(said) == bool(printed) and ("minutes on a GPU" not in printed)


def test_a_bar_appears_only_for_a_video_that_is_there(tmp_path, capsys):
    assert cli.main(["invert", str(tmp_path / "none.mp4"), *QUICK]) == 2
    (tmp_path / "text.mp4").write_text("no video")
    assert cli.main(["invert", str(tmp_path / "text.mp4"), "-o", str(tmp_path / "c.safetensors"), *QUICK]) == 2
    assert (
        cli.main(["invert", "single-face-video", "--first", "100000", "-o", str(tmp_path / "c.safetensors"), *QUICK])
        == 2
    )
    assert "find faces" not in capsys.readouterr().err


def test_times_within_a_millisecond_are_the_same(own, clip):
    assert frame_sources.has_times(own / "talk.mp4", clip.ts.numpy() + 9e-4)
    assert not frame_sources.has_times(own / "talk.mp4", clip.ts.numpy() + 9e-3)


@pytest.mark.parametrize(
    "given, said",
    [
        ("talk.mp4", "talk.mp4 is a video: turn it into codes first by `dynode invert talk.mp4`"),
        ("single-face-video", "single-face-video is a video: .* by `dynode invert single-face-video`"),
        ("talk.safetensors", "There is no file talk.safetensors: give a clip"),
        ("codes/bird.flight", "There is no file codes/bird.flight: give a clip"),
        ("single_face.warn", "There is no clip 'single_face.warn', did you mean 'single_face.warm'"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "diagnose", "choose-depth"])
def test_a_video_or_a_missing_file_given_for_a_clip_is_called_that(command, given, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.mp4").touch()
    assert cli.main([command, given]) == 2
    message = capsys.readouterr().err
    assert re.search(said, message) and ("flight.encoder" not in message or "warn" in given)


def test_choosing_a_depth_says_when_few_frames_are_observed(own, capsys):
    command = [
        "choose-depth",
        str(own / "talk.safetensors"),
        "--stride",
        "2",
        "--depths",
        "1",
        "-p",
        "training.iterations=1",
    ]
    assert cli.main(command) == 0
    assert "talk: Only" not in capsys.readouterr().out  # frames 0, 2, 4, 5
    assert cli.main([*command[:3], "3", *command[4:]]) == 0
    assert "talk: Only 3 of the 6 frames are observed" in capsys.readouterr().out
