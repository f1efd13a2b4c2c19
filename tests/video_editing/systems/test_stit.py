"""STIT: one offset for all frames, one generator for all frames, finished work kept, each part of it altering the result."""

import dataclasses

import numpy as np
import pytest
import torch
from small_shots import FRAMES, built_once, shot_of  # noqa: F401, a fixture

from dynode.errors import UserError
from dynode.inversion.observer import NoObserver
from dynode.perception.face_tracking import FaceTrack
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.registry import load_system
from dynode.video_editing.systems.clip_tuning import ClipTuning
from dynode.video_editing.systems.stit import EMBEDDED, StitSettings
from dynode.video_editing.systems.stitching import StitchSettings

QUICK = StitSettings(ClipTuning(passes=2, lr=3e-3), StitchSettings(steps=3, lr=1e-3, outer=0.15, stop=0.0))


def edited(shot, chosen=QUICK, observer=None):
    """The edited shot and its stitched frames (T, 3, R, R)."""
    system, observer = load_system("stit", chosen=chosen), observer or NoObserver()
    done = system.tuned_shot(shot.scene, shot.clip, shot.ts, shot.edit, 0.0, observer)
    return done, torch.stack([each.image for each in system.stitched(shot.scene, done, observer)])


def test_the_published_settings_are_the_defaults():
    s = StitSettings()
    assert (s.tuning.passes, s.tuning.lr, s.tuning.lambda_mse, s.tuning.lambda_lpips) == (80, 3e-5, 10.0, 1.0)
    assert (s.stitching.steps, s.stitching.lr, s.stitching.lambda_content, s.stitching.stop) == (100, 3e-4, 0.01, 0.005)
    assert s.factor == 0.5 and s.resolution == 1024 and s.stitching.outer * 1024 == 50
    assert EMBEDDED.tuning.passes < 80 and EMBEDDED.stitching.lr == s.stitching.lr and EMBEDDED.factor == 1


def test_every_frame_gets_the_same_offset_times_the_factor():
    shot = shot_of()
    done, _ = edited(shot)
    mean = shot.clip.ws.mean(0)
    assert torch.equal(done.ws, shot.clip.ws)
    assert torch.allclose(done.edited - done.ws, (0.5 * mean.cos()).expand_as(done.ws), atol=1e-6)
    whole, _ = edited(shot, dataclasses.replace(QUICK, factor=1.0))
    assert torch.allclose(whole.edited - whole.ws, 2 * (done.edited - done.ws), atol=1e-6)
    rising = shot_of(track="push=0:0,0.2:1")
    offsets = (edited(rising)[0].edited - rising.clip.ws).norm(dim=(1, 2))
    assert torch.allclose(offsets, offsets[-1] * torch.arange(FRAMES) / (FRAMES - 1), atol=1e-5)


def test_frozen_rows_are_their_mean_over_the_shot():
    done, _ = edited(shot_of(), dataclasses.replace(QUICK, frozen_rows=2))
    assert (done.edited[:, 2:] == done.edited[:1, 2:]).all() and not (done.edited[:, :2] == done.edited[:1, :2]).all()
    with pytest.raises(UserError, match="frozen_rows is below the number of style rows"):
        edited(shot_of(), dataclasses.replace(QUICK, frozen_rows=99))


CHANGES = [
    {"tuning": dataclasses.replace(QUICK.tuning, passes=0)},
    {"stitching": dataclasses.replace(QUICK.stitching, steps=0)},
    {"factor": 1.0},
    {"frozen_rows": 2},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_each_part_alters_the_frames(change):
    shot = shot_of()
    assert not torch.equal(edited(shot)[1], edited(shot, dataclasses.replace(QUICK, **change))[1])


def test_frames_without_the_face_are_no_pivots():
    shot = shot_of(inverted=torch.arange(FRAMES) != 2)
    every = shot_of()
    detected = torch.arange(FRAMES) != 2
    clip = dataclasses.replace(every.clip, detected=detected, observed=detected)
    scene = dataclasses.replace(every.scene, inverted=detected)
    system = load_system("stit", chosen=QUICK)
    done = system.tuned_shot(scene, clip, shot.ts, shot.edit, 0.0, NoObserver())
    assert done.measured["tuning"]["steps"] == 2 * (FRAMES - 1) and len(done.edited) == FRAMES


def test_what_is_finished_is_read_again_and_counted_apart(tmp_path):
    first, counters = edited(shot_of(tmp_path), observer=(one := Counters())), Counters()
    again = edited(shot_of(tmp_path), observer=counters)
    assert torch.equal(first[1], again[1]) and first[0].measured == again[0].measured
    assert one.tuning_steps == counters.tuning_steps_before == FRAMES * (2 + 3)
    assert counters.tuning_steps == counters.generator_forward == one.tuning_steps_before == 0
    assert counters.generator_forward_before == one.generator_forward > 0 == one.generator_forward_before
    assert counters.generator_backward_before == one.generator_backward > 0
    edited(shot_of(tmp_path), dataclasses.replace(QUICK, factor=1.0), both := Counters())
    assert (both.tuning_steps, both.tuning_steps_before) == (FRAMES * 3, FRAMES * 2)  # tuned before, stitched anew
    assert torch.equal(edited(shot_of())[1], first[1]), "what is kept is what is made"
    for file in tmp_path.glob("stitched.*"):
        file.write_bytes(b"damaged")
    assert torch.equal(edited(shot_of(tmp_path))[1], first[1])


def test_a_tuning_that_was_stopped_goes_on_and_stitched_frames_are_not_lost(tmp_path, monkeypatch):
    from dynode.inversion import tuning_steps
    from dynode.video_editing.systems import stitching

    monkeypatch.setattr(tuning_steps, "CHECKPOINT_SECONDS", 0)
    frame, taken = tuning_steps.Tuner.frame, []

    def stopped(self):
        if self.done == 5:
            raise KeyboardInterrupt
        return frame(self)

    with monkeypatch.context() as patched:
        patched.setattr(tuning_steps.Tuner, "frame", stopped)
        with pytest.raises(KeyboardInterrupt):
            edited(shot_of(tmp_path), observer=Counters())
    stitched = stitching.stitched

    def twice(*arguments):
        if len(taken) == 2:
            raise KeyboardInterrupt
        taken.append(1)
        return stitched(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(stitching, "stitched", twice)
        with pytest.raises(KeyboardInterrupt):
            edited(shot_of(tmp_path), observer=(counters := Counters()))
    assert counters.tuning_steps_before == 5 and counters.tuning_steps == 2 * FRAMES - 5 + 2 * 3
    _, frames = edited(shot_of(tmp_path), observer=(counters := Counters()))
    assert (counters.tuning_steps_before, counters.tuning_steps) == (2 * FRAMES + 2 * 3, 3 * (FRAMES - 2))
    assert torch.equal(frames, edited(shot_of(), observer=(undisturbed := Counters()))[1])
    assert counters.generator_forward + counters.generator_forward_before == undisturbed.generator_forward
    assert counters.generator_backward + counters.generator_backward_before == undisturbed.generator_backward
    assert not list(tmp_path.glob("*.checkpoint"))


def test_every_frame_is_wanted_and_squares_stay():
    track = FaceTrack(np.arange(3.0), np.zeros((3, 4, 2)), np.ones(3, bool), np.zeros(3, np.int64))
    system = load_system("stit")
    assert system.wanted(track).all() and system.squares(track) is track and system.stride == 1
    assert system.steadied(detector := (lambda frame: []), NoObserver()) is detector
    assert system.settings["tuning"]["passes"] == EMBEDDED.tuning.passes
