"""Edits, inversions and single frames with a tuned generator: the codes are its base's, the images its own."""

import av
import numpy as np
import pytest
import torch

from dynode import cli, clips, generators
from dynode.clips import Clip
from dynode.evaluation import records, tuning_quality
from dynode.generators import tuned
from dynode.inversion import tuning as tunings
from dynode.inversion.tuning_settings import TuningSettings
from dynode.io import video
from dynode.video_editing import inverted_codes

OF_A_WORLD = ["--generator", "stylegan2-scene-factors", "--device", "cpu"]
QUICK_STEPS = ["-p", "first_steps=2", "-p", "steps=1", "-p", "candidates=0"]
EDIT = ["--editor", "flow", "--attribute", "fog=1", "--method", "latent-transformer", "--paste", "none"]


@pytest.fixture
def film(tmp_path, monkeypatch):
    """A video of three frames in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inverted_codes, "kept_folder", lambda: tmp_path / "kept")
    rng = np.random.default_rng(0)
    frames = [np.kron(rng.integers(60, 190, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)] * 3
    return video.write("film.mp4", frames, 25)


@pytest.fixture
def tuning(film):
    """A tuning of the scene's generator by random differences."""
    generator, rng = generators.load("stylegan2-scene-factors"), torch.Generator().manual_seed(0)
    weights = tuned.weights_of(generator).items()
    differences = {name: 0.3 * torch.randn(value.shape, generator=rng) for name, value in weights}
    tuned.write(film.with_name("t.safetensors"), differences, generator.name, generator.hash, {})
    return tuned.read(film.with_name("t.safetensors"))


def frames_of(name: str) -> np.ndarray:
    return np.stack([frame for _, frame in video.iterate(name)]).astype(float)


def test_an_edit_of_a_video_has_the_codes_of_the_base_and_the_images_of_the_tuning(film, tuning, capsys):
    for name, chosen in (("plain", []), ("tuned", ["--tuning", "t.safetensors"])):
        outputs = ["-o", f"{name}.mp4", "--codes", f"{name}.safetensors"]
        assert cli.main(["edit", "film.mp4", *outputs, *OF_A_WORLD, *QUICK_STEPS, *EDIT, *chosen]) == 0
    said = capsys.readouterr().out
    assert [said.count(f"inverted frames{noted}: ") for noted in ("", ", by the generator before its tuning")] == [1, 1]
    plain, changed = (clips.load(f"{name}.safetensors") for name in ("plain", "tuned"))
    assert (
        torch.equal(plain.ws, changed.ws)
        and changed.meta["tuning"]["hash"] == tuning.hash
        and "tuning" not in plain.meta
    )
    assert np.abs(frames_of("plain.mp4") - frames_of("tuned.mp4")).mean() > 2
    assert len(list((film.parent / "kept").iterdir())) == 1  # inverted once for both
    _, provenance = records.read("tuned.json")
    assert provenance["settings"]["tuning"]["hash"] == tuning.hash and "--tuning t.safetensors" in provenance["command"]
    with av.open("tuned.mp4") as container:
        assert tuning.hash in container.metadata["title"]


def test_an_inversion_may_tune_its_generator_at_once(film, monkeypatch, capsys):
    monkeypatch.setattr(tuning_quality, "LPIPS_RESOLUTION", 64)
    monkeypatch.setattr(
        tunings, "settings_for", lambda size: TuningSettings(steps=3, lpips_net="alex", resolution=size)
    )
    assert cli.main(["invert", "film.mp4", *OF_A_WORLD, *QUICK_STEPS, "--tune"]) == 0
    clip, tuning = Clip.load("film.safetensors"), tuned.read("film.tuning.safetensors")
    assert clip.meta["tuning"] == tuning.mark and tuning.card["clip"]["observed"] == [0, 1, 2]
    assert clip.meta["generator"] == tuning.base == "stylegan2-scene-factors" and tuning.card["steps"] == 3
    assert "film.tuning.safetensors: stylegan2-scene-factors tuned on 3 of 3 frames" in capsys.readouterr().out


def test_a_frame_edited_by_a_text_is_one_of_the_tuned_generator(film, tuning):
    clips.load("scene.day").head(3).save("day.safetensors")
    for name, chosen in (("plain", []), ("tuned", ["--tuning", "t.safetensors"])):
        assert cli.main(["edit-text", "day.safetensors", "fog", "-o", f"{name}.png", "-p", "steps=1", *chosen]) == 0
    from skimage.io import imread

    assert np.abs(imread("plain.png").astype(float) - imread("tuned.png")).mean() > 2
