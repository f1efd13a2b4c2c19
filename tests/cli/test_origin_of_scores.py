"""What a score rests on: fits of other codes are refused, and frames that a tuning has learned are no test."""

import dataclasses
from pathlib import Path

import pytest
import torch

from dynode import cli, clips, generators
from dynode.cli.options import Observation
from dynode.cli.tuning import options_of, tune_inverted
from dynode.clips import Clip
from dynode.dynamics.fitting.store import key_of
from dynode.dynamics.presets import preset
from dynode.errors import UserError
from dynode.evaluation import compare_fits, diagnosis, records, tuning_quality
from dynode.generators import tuned
from dynode.generators.foreign_codes import clip_of_codes
from dynode.inversion import tuning
from dynode.inversion.tuning import refined, tune
from dynode.inversion.tuning_settings import settings_for
from dynode.settings import changed
from dynode.video_editing.edit_request import EditRequest, is_keyframes

EPISODE = {"world": "scene", "kind": "day", "seed": 0, "seconds": 1.0}


@pytest.fixture
def clip(tiny_clip, tmp_path, monkeypatch) -> Clip:
    """The file talk.safetensors in the current folder: six frames of an episode, made by themselves."""
    monkeypatch.chdir(tmp_path)
    meta = tiny_clip.meta | {"name": "talk", "episode": EPISODE, "protocol": "independent"}
    whole = dataclasses.replace(tiny_clip, observed=None, meta=meta)
    whole.save(tmp_path / "talk.safetensors")
    return whole


def tuning_of(clip: Clip, frames: list[int]) -> tuned.Tuning:
    """A tuning that says it was made from these frames of a clip."""
    generator, rng = generators.load(clip.meta["generator"]), torch.Generator().manual_seed(0)
    weights = tuned.weights_of(generator).items()
    differences = {name: 0.3 * torch.randn(value.shape, generator=rng) for name, value in weights}
    card = {"clip": {"name": clip.name, "episode": EPISODE, "ts": clip.ts[frames].tolist()}}
    tuned.write("t.safetensors", differences, generator.name, generator.hash, card)
    return tuned.read("t.safetensors")


def run(*arguments: str) -> None:
    assert cli.main(list(arguments)) == 0


@pytest.mark.parametrize(
    "frames, said", [(range(6), "tuned on held-out frames"), ([0, 2, 4, 5], "independent; tuned.")]
)
def test_a_table_says_of_a_tuning_whether_it_learned_from_held_out_frames(clip, frames, said, capsys):
    tuning_of(clip, [*frames])
    run("fit", "talk.safetensors", "--preset", "linear", "--stride", "2")
    run("evaluate", "talk.linear.fit", "--clip", "talk.safetensors", "--tuning", "t.safetensors", "-o", "e.json")
    printed = capsys.readouterr().out
    assert said in printed and ("errors there are no test" in printed) == (len(frames) == 6)
    assert {row.protocol for row in records.read("e.json")[0]} == {said.rstrip(".")} or len(frames) == 6


def test_codes_refined_on_held_out_frames_are_no_test_without_the_tuning_either(clip):
    done = refined(clip, clip.ws + 0.1, tuning_of(clip, [*range(6)]))
    assert compare_fits.protocol_of(done.sampled("regular", 2), None) == "independent; tuned on held-out frames"
    few = refined(
        clip.sampled("regular", 2), clip.sampled("regular", 2).observations().ws, tuning_of(clip, [0, 2, 4, 5])
    )
    assert compare_fits.protocol_of(few, None) == "independent"


def test_a_fit_is_not_scored_on_other_codes_of_the_same_frames(clip, capsys):
    run("fit", "talk.safetensors", "--preset", "linear", "--stride", "2")
    other = dataclasses.replace(clip, ws=clip.ws + 0.01, meta=clip.meta | {"protocol": "chain"})
    other.save("talk.safetensors")
    assert cli.main(["evaluate", "talk.linear.fit", "--clip", "talk.safetensors"]) == 2
    error = capsys.readouterr().err.strip()
    assert "was made from other codes of talk than this clip has, the protocol chain: name the clip" in error
    assert "\n" not in error and error.endswith(".")


def test_held_out_codes_have_no_part_in_a_fit_nor_in_its_metadata(clip):
    sampled = clip.sampled("regular", 2)
    moved = dataclasses.replace(sampled, ws=sampled.ws + 5 * ~sampled.observed[:, None, None])
    one, two = (compare_fits.methods.fit(each, "linear") for each in (sampled, moved))
    assert one.meta == two.meta and torch.equal(compare_fits.observed_by(one, moved), sampled.observed)


def test_a_fit_in_images_is_kept_for_its_tuning_alone(clip):
    other = dataclasses.replace(clip, meta=clip.meta | {"tuning": tuning_of(clip, [0]).mark})
    in_images, in_codes = (preset(name) for name in ("paper", "dynode"))
    assert key_of(clip, in_images, 0) != key_of(other, in_images, 0)
    assert key_of(clip, in_codes, 0) == key_of(other, in_codes, 0)


def test_a_curve_makes_tunings_of_other_frames_anew(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning_quality, "LPIPS_RESOLUTION", 32)
    settings = changed(settings_for(16), {"lpips_resolution": 32, "warmup": 1})
    parts = {"kinds": ("all",), "minutes": (0.002,), "settings": settings}
    for frames in (clip, clip.sampled("regular", 2)):
        tuning_quality.tuning_curve(frames, tmp_path, **parts)
        card = tuned.read(tmp_path / "talk.all.0.002.tuning.safetensors").card
        assert card["clip"]["observed"] == frames.observed.nonzero().flatten().tolist()


def test_codes_of_a_tuned_generator_name_its_base_and_the_tuning(clip, tmp_path):
    mark, base = tuning_of(clip, [0]).mark, clip.meta["generator"]
    torch.save(clip.ws, tmp_path / "codes.pt")
    foreign = clip_of_codes(tmp_path / "codes.pt", generator="t.safetensors", fps=6)
    assert (foreign.meta["generator"], foreign.meta["tuning"]) == (base, mark)
    quick = ["-p", "first_steps=1", "-p", "steps=1", "-p", "candidates=0", "-p", "lpips_resolution=32"]
    day = ["world", "invert", "scene", "day", "--seconds", "0.2", "--fps", "10", "-o", "day.safetensors"]
    run(*day, "--generator", "t.safetensors", *quick)
    made = clips.load("day.safetensors")
    assert (made.meta["generator"], made.meta["tuning"]) == (base, mark)
    with pytest.raises(UserError, match="came without the squares .*: invert the video"):
        tune(foreign, tmp_path / "u.safetensors")
    with pytest.raises(UserError, match="is a tuning: tune the generator that it tunes"):
        tune(dataclasses.replace(clip, meta=clip.meta | {"generator": "t.safetensors"}), tmp_path / "u.safetensors")


def test_a_video_is_edited_with_a_tuning_by_its_own_option(clip):
    tuning_of(clip, [0])
    request = EditRequest("film.mp4", Path("e.mp4"), ("smile=1",), generator="t.safetensors")
    with pytest.raises(UserError, match="name it with --tuning"):
        request.require_of_video()


def test_codes_of_observed_frames_are_diagnosed_and_are_no_keyframes(clip):
    meta = clip.meta | {"protocol": "observed", "stride": 2, "stretch": {"first": 0, "count": 0, "every": 1}}
    observed = Clip(clip.ws, clip.ts, clip.sampled("regular", 2).observed, meta=meta)
    assert diagnosis.diagnose(observed).stride >= 1
    assert not is_keyframes(observed)
    del meta["protocol"]
    assert is_keyframes(Clip(clip.ws, clip.ts, meta=meta))


def test_frames_without_the_face_are_not_among_those_held_out_of_a_tuning(clip):
    detected = torch.tensor([True, True, True, False, True, True])
    sampled = dataclasses.replace(clip, detected=detected).sampled("regular", 2)
    assert tuning_quality.held_out(sampled).tolist() == [False, True, False, False, False, False]
    assert tuning_quality.held_out(clip.sampled("regular", 2)).sum() == 2


def test_a_record_of_a_tuning_keeps_all_that_was_chosen():
    chosen = options_of(Observation(stride=4), "low-rank", 5, ("rank=4", "lr=1e-3"))
    assert " ".join(chosen) == "--stride 4 --update low-rank --minutes 5 -p rank=4 -p lr=1e-3"
    assert options_of(Observation(), "all", float("inf"), ()) == []


def test_an_interrupted_tuning_of_an_inversion_says_how_to_go_on(clip, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "tune", interrupted)
    path = tmp_path / "out" / "talk.safetensors"
    with pytest.raises(KeyboardInterrupt) as stop:
        tune_inverted(clip, path, Path("film.mp4"), "cpu")
    assert f"dynode tune {path} -o {tmp_path}/out/talk.tuning.safetensors" in stop.value.__notes__[0]
