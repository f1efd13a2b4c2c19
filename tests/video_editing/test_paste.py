"""Pasting back: Poisson cloning against closed forms, a frame's own crop, and corrections that do not flicker."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dynode import clips
from dynode.errors import UserError
from dynode.experiments.compare_editing import pasting_error
from dynode.inversion import frame_sources
from dynode.io import images, video
from dynode.perception import alignment
from dynode.video_editing import footage, masks, paste, poisson
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.paste import PASTE_MODES, PasteSettings
from dynode.video_editing.patches import Patch, masked
from dynode.video_editing.video_editor import VideoEditor

MODES = [mode for mode in PASTE_MODES if mode != "none"]
ELLIPSE = MaskSettings("ellipse")


def disc(size: int = 40, radius: float = 14.0) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.hypot(y - size / 2, x - size / 2) < radius


def plane(size: int, *slopes: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size].astype(float)
    return np.stack([50 + a * x - 2 * a * y for a in slopes], axis=-1)


@pytest.fixture(scope="module")
def frame():
    """The first frame of the single face, and its square."""
    clip = clips.load("single_face.warm")
    return next(video.pick(frame_sources.source_video(clip), clip.ts.numpy()[:1])), clip.quads[0].numpy()


@pytest.mark.parametrize("inside", [disc(), np.eye(40, k=3, dtype=bool), disc() | (np.mgrid[:40, :40][0] > 30)])
def test_a_guide_without_differences_makes_the_harmonic_function_that_meets_the_target(inside):
    # a plane is harmonic: what is cloned into it from a flat picture is the plane; where Ω leaves the picture it is not
    target, flat = plane(40, 1.0, -0.5, 2.0), np.full((40, 40, 3), 9.0)
    result = poisson.cloned(target, flat, inside & (np.mgrid[:40, :40] < 39).all(0) & (np.mgrid[:40, :40] > 0).all(0))
    assert np.abs(result - target).max() < 0.05


def test_a_source_that_differs_by_a_constant_is_cloned_without_a_trace():
    target = np.random.default_rng(0).uniform(0, 255, (40, 40, 3))
    assert np.allclose(poisson.cloned(target, target + 30, disc()), target, atol=1e-6)


def test_the_equations_hold_in_the_region_and_outside_nothing_changes():
    rng, inside = np.random.default_rng(1), disc(90, 38)  # some 4,500 unknowns: two levels of multigrid
    target, guide = rng.uniform(0, 255, (2, 90, 90, 3))
    result = poisson.cloned(target, guide, inside)

    def laplacian(f):
        return sum(f - np.roll(f, step, axis) for step in (1, -1) for axis in (0, 1))

    assert np.array_equal(result[~inside], target[~inside])
    assert np.abs(laplacian(result) - laplacian(guide))[inside].max() < 0.05
    assert np.abs(result - guide)[inside].max() > 1  # it does not simply copy


def test_the_edge_of_a_frame_does_not_come_through_what_is_cloned_into_it():
    step = np.where(np.mgrid[:40, :40][1] < 20, 0.0, 100.0)[..., None].repeat(3, -1)
    assert np.abs(poisson.cloned(step, np.full((40, 40, 3), 30.0), disc()) - step).max() > 20


def test_a_mode_that_there_is_not_is_refused():
    with pytest.raises(UserError, match="no mode of pasting 'mixed'"):
        PasteSettings("mixed")


def test_a_region_may_touch_the_edge_of_the_picture_be_empty_or_be_all_of_it():
    target, guide = np.full((2, 12, 10, 3), 40.0)
    guide = guide + np.random.default_rng(0).uniform(0, 9, guide.shape)
    inside = np.zeros((12, 10), dtype=bool)
    assert np.array_equal(poisson.cloned(target, guide, inside), target)
    inside[:, :5] = True
    assert np.isfinite(poisson.cloned(target, guide, inside)).all()
    assert np.array_equal(poisson.cloned(target, guide, np.ones_like(inside)), guide)


@pytest.mark.parametrize("mode", MODES)
def test_a_frames_own_crop_comes_back_and_outside_the_mask_nothing_changes(frame, mode):
    picture, quad = frame
    patch = Patch(
        picture,
        alignment.crop(images.from_uint8(picture), quad, 1024),
        quad,
        masks.constant(ELLIPSE),
    )
    (result,) = paste.stream([patch], PasteSettings(mode))
    inside, error = where_masked(patch), np.abs(result.astype(int) - picture)
    assert inside.sum() > 30_000 and (error[~inside] == 0).all()
    assert error[inside].mean() < 0.5 and np.percentile(error[inside], 99) < 3


@pytest.mark.parametrize("name", ["single_face.warm", "carphone.1", "pexels.1", "webcam.1", "webcam2.1"])
def test_every_clips_own_crop_comes_back_at_the_size_at_which_edits_are_decoded(name, monkeypatch):
    followed = footage.from_clip(clips.load(name)).only(slice(0, 1))
    editor = VideoEditor(None, SimpleNamespace(resolution=1024), mask=MaskSettings("ellipse"))
    assert pasting_error.own_patches(followed, editor)[0].crop.shape[-1] < 1024  # small faces come in small crops
    result = {(r.method, r.metric): r.value for r in pasting_error.rows(name, followed, editor, MODES)}
    assert set(result) == {(mode, f"paste_back_{measure}") for mode in MODES for measure in ("mean", "p99", "outside")}
    for mode in MODES:
        assert result[mode, "paste_back_outside"] == 0
        assert result[mode, "paste_back_mean"] < 0.5 and result[mode, "paste_back_p99"] < 3
    monkeypatch.setattr(paste, "ROUNDS", 0)  # what sampling there and back costs
    (blurred,) = (
        r.value for r in pasting_error.rows(name, followed, editor, ["feather"]) if r.metric == "paste_back_mean"
    )
    assert blurred > 3 * result["feather", "paste_back_mean"] + 0.1


@pytest.mark.parametrize("mode", ["seamless", "feather"])
def test_another_crop_changes_the_face_and_nothing_outside_the_mask(frame, mode):
    picture, quad = frame
    crop = -alignment.crop(images.from_uint8(picture), quad, 256)
    patch = Patch(picture, crop, quad, masks.constant(ELLIPSE))
    (result,) = paste.stream([patch], PasteSettings(mode))
    inside, error = where_masked(patch), np.abs(result.astype(int) - picture)
    assert (error[~inside] == 0).all() and error[inside].mean() > 10


def where_masked(patch) -> np.ndarray:
    box, _, mask = paste.placed(patch)
    inside = np.zeros(patch.frame.shape[:2], dtype=bool)
    inside[box] = mask > 0
    return inside


def test_a_square_may_leave_the_frame_in_part_or_as_a_whole(frame):
    picture, quad = frame
    crop, mask = torch.zeros(3, 64, 64), masks.constant(ELLIPSE)
    for off, fraction in ((0, 1.0), (-300, 0.5), (-5000, 0.0)):
        result = paste.pasted(Patch(picture, crop, quad + off, mask), PasteSettings("feather"))
        assert ((result != picture).any() > 0) == (fraction > 0)


def test_masks_are_soft_larger_when_dilated_and_end_before_the_square_does():
    distance = masks.signed_distance(masks.ellipse())
    small, large = (masks.soft(distance, 0.06, dilation) for dilation in (0.0, 0.05))
    assert (large >= small).all() and large.sum() > small.sum()
    whole = masks.constant(MaskSettings("whole"))
    assert (
        whole.changed.shape == (masks.SIZE, masks.SIZE) and whole.changed[0].max() == 0 and whole.changed[64, 64] == 1
    )
    assert not whole.face.any()
    square = masks.polygon(np.array([[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]))
    assert abs(float((masks.soft(masks.signed_distance(square), 0.06) >= 0.5).mean()) - 0.36) < 0.02


def test_a_mask_covers_the_face_of_the_frame_and_that_of_the_crop():
    squares = [masks.polygon(np.array([[x, 0.3], [x + 0.3, 0.3], [x + 0.3, 0.7], [x, 0.7]])) for x in (0.25, 0.45)]
    result = masks.of_faces(*map(masks.signed_distance, squares), MaskSettings(dilation=0.0))
    assert ((result.changed >= 0.5) == squares[0] | squares[1]).mean() > 0.98
    assert ((result.face >= 0.5) == squares[1]).mean() > 0.98
    assert ((result.shared >= 0.5) == squares[0] & squares[1]).mean() > 0.98


@pytest.mark.parametrize("regions", [(np.zeros((128, 128), dtype=bool),) * 2, (np.ones((128, 128), dtype=bool),) * 2])
def test_a_face_that_is_nowhere_or_everywhere_leaves_a_mask(regions):
    result = masks.of_faces(*map(masks.signed_distance, regions), MaskSettings())
    assert result.changed[64, 64] == regions[0][64, 64] and np.isfinite(result.changed).all()


def test_moving_masks_are_smoothed_over_time(frame):
    def find(crop):
        x = 0.4 if crop.mean() < 0 else 0.6
        return masks.polygon(np.array([[x - 0.2, 0.3], [x + 0.2, 0.3], [x + 0.2, 0.7], [x - 0.2, 0.7]]))

    picture, quad = frame
    frames = [(picture, torch.full((3, 32, 32), (-1.0) ** k), quad) for k in range(8)]
    still, moving = ([p.masks.face for p in masked(frames, find, MaskSettings(sigma=s))] for s in (2.0, 0.0))
    assert np.abs(still[2] - still[3]).max() < 0.5 * np.abs(moving[2] - moving[3]).max() and len(still) == 8


@pytest.mark.parametrize(
    "make", [lambda: MaskSettings("elipse"), lambda: MaskSettings(feather=0.0), lambda: PasteSettings("glue")]
)
def test_masks_and_modes_that_are_none_are_refused(make):
    with pytest.raises(UserError):
        make()


def test_a_face_parser_of_the_users_makes_the_mask(tmp_path):
    class Parser(torch.nn.Module):
        def forward(self, x):
            logits = torch.zeros(len(x), 19, x.shape[2], x.shape[3])
            logits[:, 1, 128:384, 128:384] = 1.0
            return logits

    torch.jit.script(Parser()).save(str(tmp_path / "parser.pt"))
    settings = MaskSettings(str(tmp_path / "parser.pt"))
    result = masks.region_finder(settings)(torch.zeros(3, 512, 512))
    assert result.mean() == pytest.approx(0.25) and settings.name == "mask[parser.pt]"
    (tmp_path / "broken.pt").write_bytes(b"no network")
    with pytest.raises(UserError, match="TorchScript"):
        masks.region_finder(MaskSettings(str(tmp_path / "broken.pt")))


def test_landmarks_of_a_mask_are_found_where_their_network_lies():
    def find(crops):
        devices.append(crops.device.type)
        return torch.rand(1, 68, 2, generator=torch.Generator().manual_seed(0))

    devices = []
    assert masks.region_finder(MaskSettings(), find, device="meta")(torch.zeros(3, 64, 64)).any() and devices == [
        "meta"
    ]
