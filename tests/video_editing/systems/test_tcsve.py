"""TCSVE: flow that can be differentiated, visibility, both phases, and each term altering the result."""

import dataclasses

import pytest
import torch
from conftest import built_lpips
from small_shots import FRAMES, built_once, shot_of, tiny  # noqa: F401, a fixture

from dynode.errors import UserError
from dynode.inversion.observer import NoObserver
from dynode.metrics.warping import warped
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.registry import load_system
from dynode.video_editing.systems import flow_consistency
from dynode.video_editing.systems.clip_tuning import ClipTuning
from dynode.video_editing.systems.consistency_phases import Correction, Phases, PhaseSettings
from dynode.video_editing.systems.stitching import StitchSettings
from dynode.video_editing.systems.tcsve import TcsveSettings

QUICK = PhaseSettings(
    code_epochs=2, code_lr=0.01, width=8, weight_epochs=1, weight_lr=1e-3, lambda_near=1.0, flow_size=16
)
PAIRS = FRAMES - 1


def texture(size=48, seed=0):
    rng = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, size // 4, size // 4, generator=rng)
    return torch.nn.functional.interpolate(small, size=(size, size), mode="bicubic") * 2 - 1


def shifted(image, right, down):
    """The image whose flow to `image` is (right, down)."""
    flow = torch.tensor([right, down]).reshape(1, 2, 1, 1).expand(1, 2, *image.shape[-2:])
    return warped(image, flow)


def test_the_flow_finds_a_shift_and_passes_a_gradient_to_both_images():
    other = texture().requires_grad_()
    one = shifted(texture(), 1.3, -0.6).requires_grad_()
    flow = flow_consistency.flow_between(one, other, counters := Counters())
    inner = flow[..., 8:-8, 8:-8]
    assert (inner.mean((0, 2, 3)) - torch.tensor([1.3, -0.6])).abs().max() < 0.05 and counters.flow_calls == 1
    inner.square().sum().backward()
    assert one.grad.abs().sum() > 0 and other.grad.abs().sum() > 0


def test_a_step_of_lucas_and_kanade_reduces_a_small_error():
    grey = flow_consistency.grey(texture())
    step = flow_consistency.lucas_kanade(shifted(grey, 0.3, 0.2), grey)[..., 8:-8, 8:-8]
    assert (step.mean((0, 2, 3)) - torch.tensor([0.3, 0.2])).norm() < 0.3 * torch.tensor([0.3, 0.2]).norm()


def test_a_round_trip_ends_where_it_began_and_only_what_does_is_visible():
    there = torch.full((1, 2, 8, 8), 2.0)
    assert flow_consistency.round_trip(there, -there).max() < 1e-5
    error = flow_consistency.round_trip(there, 0 * there)
    assert torch.allclose(error, torch.full_like(error, 8**0.5))
    hidden = flow_consistency.visibility(error, 5.0, None)
    assert hidden.max() < 1e-4 and (flow_consistency.visibility(0 * error, 5.0, None) == 1).all()
    assert torch.allclose(flow_consistency.visibility(error, 5.0, torch.full_like(error, 0.4)), hidden + 0.4)


def test_a_distance_map_has_lpips_as_its_mean():
    perceptual = built_lpips("alex", checked=False)
    one, other = texture(64), texture(64, 1)
    spatial = flow_consistency.distance_map(perceptual, one, other)
    assert spatial.shape == (1, 1, 64, 64) and spatial.min() >= 0
    assert abs(spatial.mean() - perceptual(one, other)[0]) < 0.1 * spatial.mean()


def test_frames_that_move_alike_are_consistent():
    perceptual, image = built_lpips("alex", checked=False), texture(64)
    moved = shifted(image, 2.0, 0.0)
    options = {"flow_size": 64, "falloff": 5.0, "observer": NoObserver()}
    alike, unlike = (
        flow_consistency.pair_terms(perceptual, torch.cat([image, other]), None, **options)
        for other in (moved, texture(64, 1))
    )
    assert alike.consistency < 0.3 * unlike.consistency and alike.flow < unlike.flow
    assert alike.visible > 0.5 > unlike.visible


def test_the_anchor_is_the_middle_frame_or_the_first():
    assert QUICK.pairs(5) == [(2, 0), (2, 1), (2, 3), (2, 4)] and QUICK.pairs(1) == []
    assert dataclasses.replace(QUICK, anchor="first").pairs(3) == [(0, 1), (0, 2)]
    with pytest.raises(UserError, match="did you mean 'middle'"):
        PhaseSettings(anchor="midle")
    with pytest.raises(UserError, match="flow_size must be at least 7"):
        PhaseSettings(flow_size=3)


def test_a_correction_is_nothing_at_first_and_keeps_other_rows():
    correction, ws = Correction(QUICK, tiny(), 2), shot_of().clip.ws
    assert torch.equal(correction(ws), ws)
    with torch.no_grad():
        for parameter in correction.parameters():
            parameter += 1
    changed = correction(ws) != ws
    assert changed[:, :2].any() and not changed[:, 2:].any()


def phases(settings=QUICK, folder=None, observer=None, rows=0):
    shot = shot_of(folder)
    edited = shot.clip.ws + 0.3 * torch.arange(FRAMES).sin()[:, None, None]  # an edit that flickers
    perceptual = built_lpips("alex", checked=False)
    return Phases(shot.scene, {}, shot.clip.ws, edited, rows, settings, perceptual, observer or NoObserver())


def test_the_phases_lower_their_loss_and_count_their_steps():
    counters = Counters()
    made = phases(dataclasses.replace(QUICK, code_epochs=4, weight_epochs=3), observer=counters)
    codes = made.refined_codes()
    assert codes.numbers["codes_loss_last"] < codes.numbers["codes_loss_first"]
    assert counters.tuning_steps == codes.numbers["steps"] == 4 * PAIRS and counters.flow_calls == 2 * 4 * PAIRS
    assert counters.generator_forward == counters.generator_backward == 2 * 4 * PAIRS
    weights = made.refined_weights(codes.tensors["edited"])
    assert weights.numbers["weights_loss_last"] < weights.numbers["weights_loss_first"]
    assert counters.tuning_steps == 7 * PAIRS and counters.generator_forward == (8 + 3 * 4) * PAIRS


IN_CODES = [
    {"lambda_consistency": 0.0},
    {"lambda_flow": 0.0},
    {"lambda_offset": 0.0},
    {"lambda_outside": 0.0},
    {"falloff": 0.0},
    {"edited_counts": False},
    {"anchor": "first"},
    {"scale": 0.01},
    {"code_epochs": 0},
]


def test_every_term_of_phase_w_alters_the_codes():
    once = dataclasses.replace(QUICK, code_epochs=1)
    codes = [phases(dataclasses.replace(once, **each)).refined_codes().tensors["edited"] for each in ({}, *IN_CODES)]
    for k, one in enumerate(codes):
        assert not any(torch.equal(one, other) for other in codes[:k]), IN_CODES[k - 1]
    assert torch.equal(codes[-1], phases().edited)


IN_WEIGHTS = [
    {"lambda_consistency": 0.0},
    {"lambda_flow": 0.0},
    {"outside_in_weights": 0.0},
    {"lambda_near": 0.0},
    {"edited_counts": False},
    {"weight_epochs": 2},
]


def test_every_term_of_phase_g_alters_the_weights():
    def images(changes):
        made = phases(dataclasses.replace(QUICK, weight_lr=0.01, **changes))
        return (
            made.weights()
            .__class__(tiny(), made.refined_weights(made.edited).tensors, 16, NoObserver())
            .images(made.edited)
        )

    results = [images(each).sum().item() for each in ({}, *IN_WEIGHTS)]
    assert len(set(results)) == len(results)
    assert not phases(dataclasses.replace(QUICK, weight_epochs=0)).refined_weights(phases().edited).tensors


def test_an_epoch_that_is_finished_is_kept(tmp_path, monkeypatch):
    whole = phases().refined_codes()
    epoch = Phases.code_epoch

    def stopped(self, correction, state):
        if state:
            raise KeyboardInterrupt
        return epoch(self, correction, state)

    with monkeypatch.context() as patched:
        patched.setattr(Phases, "code_epoch", stopped)
        with pytest.raises(KeyboardInterrupt):
            phases(folder=tmp_path).refined_codes()
    counters = Counters()
    parts = phases(folder=tmp_path, observer=counters).refined_codes()
    assert (counters.tuning_steps_before, counters.tuning_steps) == (PAIRS, PAIRS)
    assert torch.equal(parts.tensors["edited"], whole.tensors["edited"]) and parts.numbers == whole.numbers
    assert [path.name.partition(".")[0] for path in tmp_path.iterdir()] == ["codes"]
    again = phases(folder=tmp_path, observer=(counters := Counters())).refined_codes()
    assert counters.tuning_steps_before == 2 * PAIRS and torch.equal(again.tensors["edited"], whole.tensors["edited"])


def test_a_loss_that_is_no_number_is_one_sentence():
    made = phases()
    with pytest.raises(UserError, match="ended in NaN: lower code_lr"):
        made.stepped(torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]), torch.tensor(float("nan")))


WHOLE = TcsveSettings(ClipTuning(passes=1, lr=3e-3), QUICK, StitchSettings(steps=2, lr=1e-3, outer=0.15, stop=0.0))


def test_the_published_settings_are_the_defaults():
    s = TcsveSettings()
    assert (s.tuning.passes, s.tuning.lr, s.tuning.lambda_mse, s.tuning.locality_every) == (200, 3e-4, 1.0, 1)
    assert (s.phases.code_epochs, s.phases.weight_epochs, s.stitching.steps) == (10, 3, 50)
    assert (s.phases.lambda_flow, s.phases.lambda_outside * s.phases.outside_in_weights) == (10.0, 7.5)


def test_frames_are_edited_one_by_one_refined_and_stitched():
    shot, counters, system = shot_of(), Counters(), load_system("tcsve", chosen=WHOLE)
    done = system.tuned_shot(shot.scene, shot.clip, shot.ts, shot.edit, 0.0, counters)
    direct = system.edit_shot(shot.clip, shot.ts, shot.edit, 0.0, counters).edited
    assert torch.equal(direct, shot.clip.ws + shot.clip.ws.cos())
    assert 0 < (done.edited - direct).norm() < 0.5 * (direct - done.ws).norm()
    frames = torch.stack([each.image for each in system.stitched(shot.scene, done, counters)])
    assert counters.tuning_steps == FRAMES + 3 * PAIRS + 2 * FRAMES and frames.shape == shot.scene.frames.shape
    assert set(done.measured) == {"tuning", "codes", "weights"} and counters.seconds["refine"] > 0
