"""Stitching: the ring is joined to the source, the face stays as edited, and both terms count."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from conftest import built_lpips
from small_shots import built_once, shot_of, tiny  # noqa: F401, a fixture

from dynode.inversion.observer import NoObserver
from dynode.video_editing import masks
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.systems import stitching
from dynode.video_editing.systems.clip_tuning import ClipTuning, tuned_on
from dynode.video_editing.systems.stitching import StitchSettings, masked_error, regions_of
from dynode.video_editing.systems.trained_weights import TrainedWeights, relative_rates

QUICK = StitchSettings(steps=12, lr=3e-3, outer=0.15, stop=0.0)


def stitch(shot, settings=QUICK, observer=None, weights=None):
    parts = shot.scene, weights or {}, shot.clip.ws, settings, observer or NoObserver()
    return list(stitching.stitched_frames(*parts))


def test_the_ring_lies_around_the_face_and_neither_enters_the_margin():
    regions = regions_of(torch.from_numpy(masks.signed_distance(masks.ellipse())), 64, 0.05)
    ring, face = regions.border[0, 0], regions.content[0, 0]
    assert not (ring * face).any() and face[36, 32] == 1 and ring[32, :].sum() in (6, 7, 8)  # .05 of 64 at both sides
    whole = regions_of(torch.full((masks.SIZE, masks.SIZE), 1.0), 64, 0.05)
    assert whole.content[0, 0, 32, 0] == 0 and not whole.border.any()


def test_errors_are_summed_over_channels_and_averaged_over_a_region():
    one, region = torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    region[..., :2] = 1
    assert masked_error(one, one + 2, region) == 3 * 4 and masked_error(one, one + 2, 0 * region) == 0


def test_frames_join_their_source_and_their_measures_are_those_of_the_images():
    shot = shot_of()
    for done, source, distance in zip(stitch(shot), shot.scene.frames, shot.scene.distances, strict=True):
        assert done.measures["border"] < 0.9 * done.measures["border_before"] and done.measures["steps"] == QUICK.steps
        ring = regions_of(distance, 16, QUICK.outer).border
        assert math.isclose(masked_error(done.image[None], source[None], ring), done.measures["border"], rel_tol=0.01)


@pytest.mark.parametrize("change", [{"lambda_border": 0.0}, {"lambda_content": 0.0}, {"outer": 0.3}], ids=str)
def test_each_term_and_the_width_of_the_ring_alter_the_frames(change):
    shot = shot_of()
    frames, others = (stitch(shot, dataclasses.replace(QUICK, **changes)) for changes in ({}, change))
    assert not all(torch.equal(a.image, b.image) for a, b in zip(frames, others, strict=True))


def test_the_content_term_holds_the_edited_face():
    shot = shot_of()
    held, free = (stitch(shot, dataclasses.replace(QUICK, lambda_content=x)) for x in (10.0, 0.0))
    assert sum(each.measures["moved"] for each in held) < 0.5 * sum(each.measures["moved"] for each in free)


def test_it_stops_once_the_ring_is_close_enough():
    shot = shot_of()
    counters = Counters()
    (first, *_) = stitch(shot, dataclasses.replace(QUICK, stop=100.0), counters)
    assert counters.tuning_steps == 0 and counters.generator_forward == len(shot.clip)
    assert first.measures["border"] == first.measures["border_before"] and first.measures["steps"] == 0
    whole = stitch(shot)[0].measures
    some = stitch(shot, dataclasses.replace(QUICK, stop=0.95 * whole["border_before"]))[0].measures
    assert 0 < some["steps"] < QUICK.steps


def test_without_steps_it_is_the_edited_frame():
    shot = shot_of()
    with torch.no_grad():
        images = tiny().synthesis(shot.clip.ws)
    frames = torch.stack([each.image for each in stitch(shot, dataclasses.replace(QUICK, steps=0))])
    assert torch.allclose(frames, images, atol=2e-3)  # kept in half precision


def test_passes_and_steps_are_counted_where_they_are_taken():
    shot = shot_of()
    counters, frames = Counters(), len(shot.clip)
    before = {name: value.clone() for name, value in tiny().state_dict().items()}
    stitch(shot, observer=counters)
    assert counters.tuning_steps == counters.generator_backward == frames * QUICK.steps
    assert counters.generator_forward == frames * (QUICK.steps + 1)
    assert all(torch.equal(value, before[name]) for name, value in tiny().state_dict().items())


def test_rates_follow_the_size_of_each_weight():
    update = TrainedWeights(tiny(), {}, 16, NoObserver()).update
    for (name, _), group in zip(update.parameters.items(), relative_rates(update, 0.01), strict=True):
        size = update.weights[name].square().mean().sqrt()
        assert math.isclose(group["lr"], 0.01 * size, rel_tol=1e-6, abs_tol=1e-12)


TUNING = ClipTuning(passes=4, lr=3e-3)


def tuned(shot, settings=TUNING, observer=None):
    return tuned_on(shot.scene, shot.clip.ws, settings, observer or NoObserver(), built_lpips("alex", checked=False))


def test_tuning_comes_nearer_to_all_frames_and_its_weights_are_stitched_from():
    shot = shot_of()
    counters, stage = Counters(), tuned(shot)
    assert stage.numbers["mse_last"] < stage.numbers["mse_first"] and stage.numbers["steps"] == 4 * len(shot.clip)
    tuned(shot, dataclasses.replace(TUNING, locality_every=2), counters)
    assert counters.tuning_steps == 24 and counters.generator_forward == 24 + 2 * 12
    assert counters.generator_backward == 24 + 12 and counters.seconds["tune"] > 0
    plain, joined = stitch(shot), stitch(shot, weights=stage.tensors)
    assert joined[0].measures["border_before"] < plain[0].measures["border_before"]


CHANGES = [
    {"lambda_mse": 0.0},
    {"lambda_lpips": 0.0},
    {"locality_every": 1},
    {"locality_every": 1, "locality_distance": 0.1},
    {"locality_every": 1, "locality_psi": 1.0},
    {"passes": 1},
]


def test_every_term_of_the_tuning_alters_its_weights():
    shot = shot_of()
    results = [tuned(shot, dataclasses.replace(TUNING, **({"passes": 2} | each))).tensors for each in ({}, *CHANGES)]
    images = [TrainedWeights(shot.scene.generator, each, 16, NoObserver()).images(shot.clip.ws) for each in results]
    assert len({images[k].sum().item() for k in range(len(images))}) == len(images)


def test_the_pasted_mask_falls_over_the_ring():
    shot = shot_of()
    frames = ((np.zeros((20, 20, 3), np.uint8), np.zeros((4, 2))) for _ in range(len(shot.clip)))
    (patch, *_) = stitching.patches(frames, shot.scene.frames, shot.scene, 0.05)
    edge = shot.scene.distances[0].numpy()
    assert patch.masks.changed[edge > 0.005].min() == 1 and patch.masks.changed[edge < -0.055].max() == 0
