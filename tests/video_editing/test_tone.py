"""Pasting onto a strong background: planted faces of one colour, whose edited outline is not where the old one was."""

import numpy as np
import pytest
import torch

from dynode.evaluation import pasted_faces
from dynode.evaluation.pasted_faces import Pasted
from dynode.video_editing import masks, over_time, paste, poisson, tone
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.patches import Patch, masked

SIDE, LEFT, RADIUS = 200, 36, 40  # of the frame, of the square in it, of the frame's face; pixels
QUAD = LEFT - 0.5 + np.array([[0.0, 0], [0, 128], [128, 128], [128, 0]])
FACE, OFF = np.array([190.0, 140.0, 120.0]), np.array([9.0, -6.0, 4.0])  # the crop's face is that much brighter
GROUND, GUESSED = np.array([240.0, 110.0, 10.0]), np.array([228.0, 122.0, 20.0])  # in the frame, and as the crop has it


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] + 0.5
    return np.hypot(y - size / 2, x - size / 2) < radius


def patch_of(radius: float, face: np.ndarray = FACE + OFF, ground: np.ndarray = GUESSED) -> Patch:
    """A frame with a face of RADIUS, and a crop with one of that radius and colour."""
    frame = np.where(disc(SIDE, RADIUS)[..., None], FACE, GROUND).astype(np.uint8)
    crop = np.where(disc(128, radius)[..., None], face, ground) / 127.5 - 1
    distances = (masks.signed_distance(disc(128, each)) for each in (RADIUS, radius))
    return Patch(frame, torch.from_numpy(crop).movedim(-1, 0).float(), QUAD, masks.of_faces(*distances, MaskSettings()))


def cloned_into_the_old_face(patch: Patch) -> np.ndarray:
    """Poisson cloning with a mask that follows the frame's face only."""
    box, source, _ = paste.placed(patch)
    frame, result = patch.frame[box].astype(float), patch.frame.copy()
    inside = disc(SIDE, RADIUS)[box]
    result[box] = np.where(inside[..., None], poisson.cloned(frame, source, inside).round().clip(0, 255), frame)
    return result


def stain(result: np.ndarray, radius: float) -> float:
    """The largest mean difference from one colour, the frame's own, of 8 parts around the edited face near its edge."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    ring = (np.hypot(y, x) < 0.92 * radius) & (np.hypot(y, x) > 0.6 * radius)
    part = ((np.arctan2(y, x) + np.pi) // (np.pi / 4)).astype(int)
    return max(np.abs(result[ring & (part == k)].mean(0) - FACE).max() for k in range(8))


@pytest.mark.parametrize("mode", ["seamless", "poisson"])
@pytest.mark.parametrize("radius", [34, 47])
def test_cheeks_take_no_colour_from_the_background_whichever_outline_is_larger(radius, mode):
    patch = patch_of(radius)
    (result,) = paste.stream([patch], PasteSettings(mode))
    assert stain(result, radius) < 3
    assert stain(cloned_into_the_old_face(patch), min(radius, RADIUS)) > 3  # where the outlines differ it is stained


@pytest.mark.parametrize("mode", ["seamless", "poisson"])
def test_nothing_outside_the_mask_changes_and_the_edited_outline_is_there(mode):
    patch = patch_of(47)
    (result,) = paste.stream([patch], PasteSettings(mode))
    box, _, mask = paste.placed(patch)
    outside = np.ones((SIDE, SIDE), dtype=bool)
    outside[box] = mask == 0
    assert np.array_equal(result[outside], patch.frame[outside])
    grown = disc(SIDE, 45) & ~disc(SIDE, RADIUS + 2)
    assert np.abs(result[grown].astype(float) - FACE).mean() < 6  # face, where the frame has background


@pytest.mark.parametrize("radius", [34, 47])
@pytest.mark.parametrize("mode", ["seamless", "poisson"])
def test_no_step_runs_along_the_seam(radius, mode):
    patch = patch_of(radius)
    (result,) = paste.stream([patch], PasteSettings(mode))
    cut, (box, source, mask) = patch.frame.copy(), paste.placed(patch)
    cut[box] = np.where(mask[..., None] >= 0.5, source.round().clip(0, 255), cut[box])
    seam, hard = (pasted_faces.seam_step(Pasted(patch.frame, patch.crop, QUAD, each)) for each in (result, cut))
    assert seam < 0.5 * hard < 5


def test_a_smaller_face_leaves_no_rest_of_the_old_one():
    (result,) = paste.stream([patch_of(34)], PasteSettings())
    uncovered = disc(SIDE, RADIUS - 1) & ~disc(SIDE, 36)
    assert np.abs(result[uncovered].astype(float) - GROUND).mean() < 13  # the background as the crop has it, matched


def test_frames_that_stay_the_same_come_out_the_same():
    results = list(paste.stream([patch_of(47)] * 9, PasteSettings()))
    assert len(results) == 9 and all(np.array_equal(each, results[0]) for each in results)


def test_the_tone_follows_slow_changes_only():
    off = np.random.default_rng(0).normal(0, 8, 24)
    patches = [patch_of(44, FACE + each) for each in off]
    shade = [each[95:105, 95:105].mean() for each in paste.stream(patches, PasteSettings())]
    alone = [each[95:105, 95:105].mean() for each in paste.stream(patches, PasteSettings(sigma=0.0))]
    assert np.std(alone) < 1  # each frame by itself is matched to its own frame
    added = np.array(shade) - (FACE.mean() + off)
    assert np.diff(added).std() < 0.35 * np.diff(off).std()


def test_what_frame_and_crop_do_not_both_show_is_no_tone():
    usual, content = np.full((3, 4, 4), 8.0), np.full((3, 4, 4), 120.0)
    assert np.allclose(tone.usual_part(usual), usual, rtol=0.05)
    assert np.abs(tone.usual_part(content)).max() < 0.1


def test_without_a_face_the_whole_mask_is_matched_by_a_harmonic_surface():
    slope = np.linspace(-9, 9, masks.SIZE) * np.ones((3, masks.SIZE, 1))
    whole = masks.constant(MaskSettings("whole"))
    assert np.abs(tone.membrane(slope, whole) - slope).max() < 1.5


def test_held_weights_draw_a_membrane_to_nothing_within_their_depth():
    boundary, inside = np.full((61, 61, 1), 50.0), disc(61, 25)
    assert np.abs(poisson.membrane(boundary, inside, np.zeros((61, 61))) - 50).max() < 0.1
    held = poisson.membrane(boundary, inside, np.full((61, 61), 1 / 9))
    assert held[30, 30, 0] < 0.5 and np.array_equal(held[~inside], boundary[~inside])
    assert 50 * np.exp(-1) == pytest.approx(held[30, 30 + 22, 0], rel=0.25)  # 3 pixels inside
    assert not poisson.membrane(boundary, np.ones((61, 61), dtype=bool), held[..., 0]).any()


@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("sigma", [0.0, 1.0, 3.0])
def test_the_filter_over_time_is_the_gaussian_whose_ends_go_on(count, sigma):
    from scipy.ndimage import gaussian_filter1d

    arrays = np.random.default_rng(1).normal(size=(count, 2, 2))
    result = list(over_time.filtered(enumerate(arrays), sigma))
    wanted = gaussian_filter1d(arrays, sigma, 0, mode="nearest", radius=over_time.reach(sigma)) if sigma else arrays
    assert [k for k, _ in result] == list(range(count))
    assert np.allclose(np.stack([each for _, each in result]), wanted)


def test_pasting_streams_and_a_frame_does_not_depend_on_how_many_follow():
    frames, taken = [(p.frame, p.crop, p.quad) for p in [patch_of(44)] * 30], []

    def counted():
        for each in frames:
            taken.append(each)
            yield each

    find = iter([disc(128, radius) for radius in (RADIUS, 44)] * 30).__next__
    settings, chosen = PasteSettings(), MaskSettings()
    ahead = over_time.reach(chosen.sigma) + over_time.reach(settings.sigma)
    stream = paste.stream(masked(counted(), lambda _: find(), chosen), settings)
    first = next(stream)
    assert len(taken) == ahead + 1 < len(frames)
    assert len(list(stream)) == len(frames) - 1
    again = iter([disc(128, radius) for radius in (RADIUS, 44)] * 30).__next__
    assert np.array_equal(first, next(paste.stream(masked(frames[: ahead + 1], lambda _: again(), chosen), settings)))
