"""IGCI on the command line: as an inversion, as a method of editing videos and clips, with its own settings."""

import dataclasses

import numpy as np
import pytest

from dynode import cli
from dynode.clips import Clip
from dynode.evaluation import records
from dynode.inversion.joint.window_settings import EMBEDDED, WindowSettings
from dynode.io import video
from dynode.video_editing.edit_file import system_of
from dynode.video_editing.edit_request import EditRequest

FRAMES = 6
QUICK = ["first_steps=2", "steps=1", "feature_resolution=32", "flow_resolution=32"]
OF_A_WORLD = ["--generator", "stylegan2-scene-factors", "--device", "cpu"]


pytestmark = pytest.mark.usefixtures("kept")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A picture that moves to the right."""
    path, rng = tmp_path_factory.mktemp("film") / "film.mp4", np.random.default_rng(0)
    ground = np.kron(rng.integers(60, 190, (6, 12, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return video.write(path, [ground[:, k : k + 64] for k in range(FRAMES)], 25)


def edited(source, output, *more, of=tuple(OF_A_WORLD)):
    system = [part for name in QUICK for part in ("-p", f"system.{name}")]
    words = ["edit", str(source), "-o", str(output), "--method", "igci", "--editor", "flow", "--paste", "feather"]
    assert cli.main([*words, *of, *system, *more]) == 0
    rows, provenance = records.read(output.with_suffix(".json"))
    return {row.metric: row.value for row in rows}, provenance


def test_an_edit_inverts_windows_once_and_names_its_flow(film, tmp_path, kept, capsys):
    first, provenance = edited(
        film, tmp_path / "a.mp4", "--attribute", "fog=2", "--codes", str(tmp_path / "e.safetensors")
    )
    shown = capsys.readouterr().out
    assert "3 windows, 5 optimiser steps, 25 passes of the generator" in shown and "about 1 minute" in shown
    assert "invert them with more steps, such as steps=2 and first_steps=4." in shown
    assert (first["frames_inverted"], first["edits"], first["optimiser_steps"]) == (FRAMES, FRAMES, 2 + 1 + 2)
    assert first["generator_backward"] == 25 and first["flow_calls"] == 3 * 8
    assert provenance["stand_ins"] == ["optical_flow[tvl1]", "mask[whole]"]
    assert provenance["settings"]["system"]["steps"] == 1 and "-p system.steps=1" in provenance["command"]
    again, _ = edited(film, tmp_path / "b.mp4", "--attribute", "hour=1")
    assert (again["optimiser_steps"], again["steps_before"]) == (0, 5) and len(list(kept.iterdir())) == 1
    of_clip, _ = edited(
        tmp_path / "e.safetensors",
        tmp_path / "c.mp4",
        "--attribute",
        "fog=1",
        "--footage",
        str(film),
        of=("--device", "cpu"),
    )
    assert (of_clip["optimiser_steps"], of_clip["steps_before"]) == (0, 5), "the clip's own codes are not taken"


def test_settings_of_the_projection_are_refused(film, tmp_path, capsys):
    words = ["edit", str(film), "-o", str(tmp_path / "a.mp4"), "--method", "igci", "--attribute", "fog=2", *OF_A_WORLD]
    assert cli.main([*words, "--editor", "flow", "-p", "steps=3"]) == 2
    assert "igci inverts by itself, got -p steps: its own settings are -p system.NAME=VALUE" in capsys.readouterr().err
    assert cli.main([*words, "-p", "system.step=3"]) == 2
    assert "did you mean 'steps'" in capsys.readouterr().err


def test_scales_are_the_published_settings_and_the_embedded_ones(film, tmp_path, capsys):
    systems = {
        scale: system_of(EditRequest(film, tmp_path / "a.mp4", (), method="igci", scale=scale, system={"lr": 0.02}))
        for scale in ("published", "embedded")
    }
    assert systems["published"].chosen == WindowSettings(lr=0.02)
    assert systems["embedded"].chosen == dataclasses.replace(EMBEDDED, lr=0.02)
    for more, what in ((("--scale", "published"), "no scale"), (("-p", "system.lr=1"), "no settings of its own")):
        words = ["edit", str(film), "--method", "latent-transformer", "--attribute", "fog=1", *OF_A_WORLD, *more]
        assert cli.main(words) == 2 and f"latent-transformer has {what}" in capsys.readouterr().err


def test_the_inversion_alone_writes_a_clip(film, tmp_path, capsys):
    settings = [part for name in QUICK for part in ("-p", name)]
    output = tmp_path / "talk.safetensors"
    assert cli.main(["invert", str(film), "-o", str(output), "--method", "igci", *OF_A_WORLD, *settings]) == 0
    clip = Clip.load(output)
    assert len(clip) == FRAMES and clip.meta["inversion"] == "igci" and clip.optimiser_steps == 5
    assert "6 frames, mean MSE" in capsys.readouterr().out
    assert cli.main(["invert", str(film), "--method", "igci", *OF_A_WORLD, "--stride", "4"]) == 2
    assert "has no --stride" in capsys.readouterr().err
