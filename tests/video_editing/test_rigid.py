"""RIGID on the command line: trained on a clip of a world, then a method of editing videos; without weights one sentence."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import built_lpips

from dynode import cli, generators
from dynode.evaluation import records
from dynode.inversion.joint import recurrent_files
from dynode.inversion.joint.recurrent_encoder import RecurrentEncoder, RecurrentSettings
from dynode.io import video
from dynode.training.rigid import train_rigid
from dynode.video_editing import inverted_codes
from dynode.video_editing.systems.rigid import RIGID, RIGIDChoices, print_estimate

NAME, FRAMES = "stylegan2-scene-factors", 4
OF_A_WORLD = ["--generator", NAME, "--editor", "flow", "--device", "cpu", "--paste", "feather"]


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """A folder of kept codes, and a current folder, both empty."""
    monkeypatch.setattr(inverted_codes, "kept_folder", lambda: tmp_path / "kept")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A picture that moves to the right."""
    path, rng = tmp_path_factory.mktemp("film") / "film.mp4", np.random.default_rng(0)
    ground = np.kron(rng.integers(60, 190, (6, 12, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return video.write(path, [ground[:, k : k + 64] for k in range(FRAMES)], 25)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The file of a recurrent encoder whose offsets are not zero."""
    torch.manual_seed(0)
    scene = generators.load(NAME)
    encoder = RecurrentEncoder(RecurrentSettings((8, 8, 8, 8, 8, 8), hidden=8), scene)
    torch.nn.init.normal_(encoder.offsets.weight, std=0.3)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    recurrent_files.save(encoder, path, scene, {})
    return path


def edited(film, output, *more):
    words = ["edit", str(film), "-o", str(output), "--method", "rigid", "--attribute", "fog=2", *OF_A_WORLD, *more]
    assert cli.main(words) == 0
    rows, provenance = records.read(output.with_suffix(".json"))
    return {row.metric: row.value for row in rows}, provenance


def test_without_weights_one_sentence_says_how_to_train_them(film, tmp_path, capsys):
    words = ["edit", str(film), "-o", str(tmp_path / "a.mp4"), "--method", "rigid", "--attribute", "fog=2", *OF_A_WORLD]
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"no trained weights for {NAME}: train them by `dynode train rigid CLIP`" in line


def test_an_edit_counts_two_encoders_and_says_what_it_is(film, weights, tmp_path):
    numbers, provenance = edited(film, tmp_path / "a.mp4", "-p", f"system.weights={weights}")
    assert numbers["encoder_passes"] == 2 * FRAMES and numbers["edits"] == FRAMES and numbers["optimiser_steps"] == 0
    assert "RIGID[re-implementation]" in provenance["stand_ins"] and "inversion" not in provenance
    assert provenance["settings"]["system"]["label"] == "RIGID[re-implementation]"


@pytest.mark.parametrize("off", ["fine_of_first", "remembers"])
def test_each_defining_part_changes_the_codes(off, film, weights, tmp_path):
    from dynode.clips import Clip

    codes = []
    for name, more in (("a", ()), ("b", ("-p", f"system.{off}=false"))):
        path = tmp_path / f"{name}.safetensors"
        edited(film, tmp_path / f"{name}.mp4", "-p", f"system.weights={weights}", "--codes", str(path), *more)
        codes.append(Clip.load(path).ws)
    assert torch.allclose(codes[0][0], codes[1][0]), "the first frame has no frame before it"
    assert not torch.allclose(codes[0][1:], codes[1][1:], atol=1e-3)


def test_the_edit_reaches_later_codes_by_the_recurrence(film, weights, tmp_path, monkeypatch):
    """Codes before the edit depend on how the edited frame before came out."""
    ws, original = [], RIGID.edit_frames

    def edit_frames(system, *arguments):
        shot = original(system, *arguments)
        ws.append(shot.ws)
        return shot

    monkeypatch.setattr(RIGID, "edit_frames", edit_frames)
    for strength in ("1", "4"):
        edited(film, tmp_path / "a.mp4", "--attribute", f"hour={strength}", "-p", f"system.weights={weights}")
    assert torch.equal(ws[0][0], ws[1][0]) and not torch.equal(ws[0][1:], ws[1][1:])


@pytest.mark.long
def test_training_writes_what_an_edit_reads(film, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_rigid, "LPIPS", built_lpips)
    clip = ["world", "invert", "scene", "day", "--seconds", "0.25", "-o", "day.safetensors", "-p", "start=encoder"]
    assert cli.main([*clip, "-p", "first_steps=0", "--fps", "16"]) == 0
    words = ["train", "rigid", "day.safetensors", "--device", "cpu", "-p", "editor=flow", "-p", "flow_resolution=32"]
    shape = ["-p", "encoder.widths=8,8,8,8,8,8", "-p", "encoder.hidden=8", "-p", "windows=3", "-p", "lr=0.01"]
    assert cli.main([*words, *shape]) == 0
    shown = capsys.readouterr().out
    assert "3 windows of 3 frames" in shown and "18 passes of the generator" in shown
    assert "3 of 3 windows" in shown and "re-implementation" in shown and "last in_between" in shown
    assert (tmp_path / f"{NAME}.rigid.safetensors").is_file()
    numbers, provenance = edited(film, tmp_path / "a.mp4")
    assert numbers["encoder_passes"] == 2 * FRAMES and provenance["settings"]["system"]["weights"] == ""


def test_choices_are_plain_data():
    assert dataclasses.asdict(RIGIDChoices()) == {"weights": "", "fine_of_first": True, "remembers": True}
    assert RIGID().settings["name"] == "rigid"


def test_minutes_are_printed_first_where_they_are_worth_it(capsys):
    print_estimate(20, 256, torch.device("cpu"))
    assert capsys.readouterr().out == ""
    print_estimate(200, 256, torch.device("cpu"))
    assert (
        capsys.readouterr().out == "200 frames, 600 passes of the generator: about 4 minutes on a CPU, less on a GPU.\n"
    )
