"""`dynode invert --tune` that is killed while it tunes: its codes are finished, and the same command goes on with them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from dynode import cli, runtime
from dynode.cli import dynamics
from dynode.clips import Clip
from dynode.inversion import invert_frames
from dynode.io import video

INVERT = ["invert", "film.mp4", "-o", "c.safetensors", "--generator", "stylegan2-scene-factors", "--device", "cpu"]
QUICK = ["-p", "first_steps=2", "-p", "steps=1", "-p", "candidates=0"]


class Killed(BaseException):
    """What no code of ours catches."""


@pytest.fixture
def inversions(tmp_path, monkeypatch) -> list[Clip]:
    """The inversions that are made, in the folder of a short film; tunings are killed until `tuned` is given."""
    made, invert = [], invert_frames.invert
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    video.write(tmp_path / "film.mp4", [rng.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(3)], 25)
    monkeypatch.setattr(invert_frames, "invert", lambda *a, **k: made.append(invert(*a, **k)) or made[-1])
    monkeypatch.setattr(dynamics, "tune_inverted", killed)
    return made


def killed(*_):
    raise Killed


def kill(*arguments: str) -> None:
    with pytest.raises(Killed):
        cli.main([*INVERT, *QUICK, "--tune", *arguments])


def test_the_same_command_goes_on_with_the_codes(inversions, monkeypatch, capsys):
    kill()
    went_on = []
    monkeypatch.setattr(dynamics, "tune_inverted", lambda clip, *_: went_on.append(clip))
    assert cli.main([*INVERT, *QUICK, "--tune"]) == 0
    assert "The codes of c.safetensors were finished before" in capsys.readouterr().out
    assert len(inversions) == 1 and torch.equal(went_on[0].ws, inversions[0].ws)
    assert went_on[0].meta == Clip.load("c.safetensors").meta


def test_without_a_tuning_frames_are_inverted_anew(inversions):
    kill()
    assert cli.main([*INVERT, *QUICK]) == 0
    assert len(inversions) == 2


@pytest.mark.parametrize("others", [["-p", "lr=0.1"], ["--frames", "2"], ["--protocol", "observed", "--stride", "2"]])
def test_other_codes_are_made_anew(inversions, others):
    kill()
    kill(*others)
    assert len(inversions) == 2


def test_codes_of_another_version_and_refined_ones_are_made_anew_and_a_tuning_is_forgotten(inversions, monkeypatch):
    kill()
    clip, path = inversions[0], Path("c.safetensors")
    mark = {"tuning": {"file": "c.tuning.safetensors", "hash": "0" * 12}}
    dataclasses.replace(clip, meta=clip.meta | mark).save(path)
    seen = []
    monkeypatch.setattr(dynamics, "tune_inverted", lambda clip, *_: seen.append(clip.meta))
    assert cli.main([*INVERT, *QUICK, "--tune"]) == 0 and len(inversions) == 1 and "tuning" not in seen[0]
    dataclasses.replace(clip, meta=clip.meta | mark | {"refined": [0.0]}).save(path)
    assert cli.main([*INVERT, *QUICK, "--tune"]) == 0 and len(inversions) == 2
    monkeypatch.setattr(runtime, "commit", lambda: "another")
    assert cli.main([*INVERT, *QUICK, "--tune"]) == 0 and len(inversions) == 3
