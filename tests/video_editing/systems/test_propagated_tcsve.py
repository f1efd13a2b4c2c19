"""DynODE in TCSVE: it sees the inverted frames alone, and propagates what the host made of the first one's edit."""

import dataclasses

import pytest
import torch
from small_shots import FRAMES, built_once, shot_of  # noqa: F401, a fixture

from dynode.errors import UserError
from dynode.inversion.observer import NoObserver
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.registry import load_system
from dynode.video_editing.systems import propagated_tcsve
from dynode.video_editing.systems.clip_tuning import ClipTuning
from dynode.video_editing.systems.consistency_phases import PhaseSettings
from dynode.video_editing.systems.stitching import StitchSettings
from dynode.video_editing.systems.tcsve import TcsveSettings

PHASES = PhaseSettings(
    anchor="first", code_epochs=2, code_lr=0.01, width=8, weight_epochs=1, lambda_near=1.0, flow_size=16
)
STITCHING = StitchSettings(steps=2, lr=1e-3, outer=0.15, stop=0.0)
QUICK = TcsveSettings(ClipTuning(passes=2, lr=3e-3), PHASES, STITCHING)
INVERTED = torch.tensor([1, 0, 0, 1, 0, 1]).bool()


def system(chosen=QUICK, **named):
    return load_system("dynode+tcsve", chosen=chosen, **({"method": "linear"} | named))


def edited(shot, observer=None, chosen=QUICK, **named):
    return system(chosen, **named).tuned_shot(shot.scene, shot.clip, shot.ts, shot.edit, 0.0, observer or NoObserver())


def test_its_steps_are_on_the_inverted_frames_and_stitching_on_all():
    shot, counters = shot_of(inverted=INVERTED), Counters()
    done = edited(shot, counters)
    assert counters.tuning_steps == 2 * 3 + 3 * 2 and counters.flow_calls == 2 * 3 * 2
    assert done.ws.shape == done.edited.shape == (FRAMES, *shot.clip.ws.shape[1:])
    assert done.observed == 3 and set(done.measured) == {"tuning", "codes", "weights"}
    list(system().stitched(shot.scene, done, counters))
    assert counters.tuning_steps == 12 + 2 * FRAMES


def test_one_refined_offset_goes_to_all_frames():
    shot = shot_of(inverted=INVERTED)
    offsets = edited(shot).edited - edited(shot).ws
    assert torch.allclose(offsets, offsets[:1].expand_as(offsets), atol=1e-5)
    first = shot.clip.ws[0]
    correction = offsets[0] - first.cos()
    assert 1e-4 < correction.norm() < 0.5 * first.cos().norm()
    unrefined = edited(shot, chosen=dataclasses.replace(QUICK, phases=dataclasses.replace(PHASES, code_epochs=0)))
    assert torch.allclose((unrefined.edited - unrefined.ws)[0], first.cos(), atol=1e-5)
    assert torch.allclose(system().edit_shot(shot.clip, shot.ts, shot.edit, 0.0, NoObserver()).edited, unrefined.edited)


def test_frames_that_are_not_inverted_do_not_matter():
    shot = shot_of(inverted=INVERTED)
    frames = shot.scene.frames.clone()
    frames[~INVERTED] = torch.rand(frames[~INVERTED].shape)
    other = dataclasses.replace(shot, scene=dataclasses.replace(shot.scene, frames=frames))
    one, two = edited(shot), edited(other)
    assert torch.equal(one.edited, two.edited) and all(torch.equal(one.weights[k], two.weights[k]) for k in one.weights)


def test_a_strength_over_time_scales_edit_and_correction():
    rising, whole = (edited(shot_of(inverted=INVERTED, track=track)) for track in ("push=0:0,0.2:1", "push=1"))
    offsets, largest = rising.edited - rising.ws, whole.edited - whole.ws
    weight = torch.linspace(0, 1, FRAMES)[:, None, None]
    assert torch.allclose(offsets, weight * largest, atol=1e-5)


def test_dynamics_and_modes_are_those_of_the_propagated_edit():
    shot = shot_of(inverted=INVERTED)
    assert not torch.equal(edited(shot).ws, edited(shot, method="cubic").ws)
    with pytest.raises(UserError, match="mode of propagation"):
        system(mode="nope")
    settings = system(stride=2).settings
    assert (
        settings["stride"] == 2 and settings["preset"] == "linear" and settings["host"]["phases"]["anchor"] == "first"
    )
    assert propagated_tcsve.from_first("published").phases.anchor == "first"
