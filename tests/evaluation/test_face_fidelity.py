"""Fidelity of faces: nothing is off of equal images, planted faults show beyond the controls, and the report names them."""

import dataclasses

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import gaussian_blur

from dynode import clips
from dynode.errors import UserError
from dynode.evaluation import face_report
from dynode.evaluation.face_fidelity import MEASURES, FaceFidelity, FaceNetworks, fidelity
from dynode.evaluation.face_report import FaceReport
from dynode.evaluation.fidelity_controls import controls, shifted
from dynode.inversion.frame_sources import reference_frames
from dynode.metrics import METRICS
from dynode.metrics.face_measures import agreement, contrast, fine_structure
from dynode.reporting import tables

SMILING = 40  # a frame of single_face.warm with teeth


def part(clip, first: int, frames: int):
    """Some frames of a clip."""
    names = [f.name for f in dataclasses.fields(clip) if isinstance(getattr(clip, f.name), torch.Tensor)]
    return dataclasses.replace(clip, **{name: getattr(clip, name)[first : first + frames] for name in names})


@pytest.fixture(scope="module")
def networks():
    return FaceNetworks()


@pytest.fixture(scope="module")
def face():
    """A smiling man (1, 3, 256, 256)."""
    return reference_frames(part(clips.load("single_face.warm"), SMILING, 2))[:1]


@pytest.fixture(scope="module")
def control(face, networks):
    return fidelity(face, shifted(face), networks=networks)


def boxes(face, networks, indices: list[range], margin: float) -> list[tuple[slice, slice]]:
    """Rows and columns around groups of landmarks, larger than they are by a fraction of their width."""
    points = (256 * networks.landmarks(face)[0]).round()
    around = []
    for group in indices:
        (left, top), (right, bottom) = points[list(group)].amin(0), points[list(group)].amax(0)
        more = margin * (right - left)
        around.append((slice(int(top - more), int(bottom + more)), slice(int(left - more), int(right + more))))
    return around


def eyes_shut(face, networks):
    """Skin over both eyes, with a dark line where the lids meet."""
    made = face.clone()
    for rows, columns in boxes(face, networks, [range(36, 42), range(42, 48)], 0.15):
        skin = made[..., rows.stop + 4 : rows.stop + 8, columns].mean((2, 3), keepdim=True)
        made[..., rows, columns] = skin
        line = rows.start + 2 * (rows.stop - rows.start) // 3
        made[..., line : line + 2, columns] = skin - 0.6
    return made


def mouth_blurred(face, networks):
    ((rows, columns),) = boxes(face, networks, [range(48, 68)], 0.1)
    made = face.clone()
    made[..., rows, columns] = gaussian_blur(face, [25, 25], [4.0, 4.0])[..., rows, columns]
    return made


def irises_aside(face, networks):
    """What is between the lids, moved by 5 pixels."""
    made = face.clone()
    for rows, columns in boxes(face, networks, [[37, 38, 40, 41], [43, 44, 46, 47]], 0.3):
        made[..., rows, columns.start + 5 : columns.stop + 5] = face[..., rows, columns]
    return made


def test_equal_images_are_not_off_at_all(face, networks):
    same = fidelity(face, face, networks=networks)
    perfect = {"identity": 1, "detail_eyes": 1, "detail_mouth": 1, "contrast_eyes": 1, "contrast_mouth": 1}
    assert {name: same.mean(name) for name in MEASURES} == pytest.approx(
        {name: perfect.get(name, 0) for name in MEASURES}, abs=1e-5
    )
    assert FaceReport(same, 300).warnings == []


@pytest.mark.parametrize(
    "fault, measures, untouched",
    [
        (eyes_shut, ["eye_opening", "lpips_vgg_eyes", "detail_eyes"], "detail_mouth"),
        (mouth_blurred, ["lpips_alex_mouth", "detail_mouth", "contrast_mouth"], "detail_eyes"),
        (irises_aside, ["gaze", "detail_eyes"], "detail_mouth"),
    ],
)
def test_a_planted_fault_shows_beyond_the_control(fault, measures, untouched, face, networks, control):
    spoiled = fidelity(face, fault(face, networks), networks=networks)
    for name in measures:
        usual, value = control.mean(name), spoiled.mean(name)
        if METRICS[name].better == "lower":
            assert value > 2 * usual, name
        else:
            assert 1 - value > 2 * abs(1 - usual), name
    assert spoiled.mean(untouched) > 0.99
    assert any(line.startswith("Off beside the footage") for line in FaceReport(spoiled).warnings)


def test_a_smear_rich_in_contrast_is_no_detail():
    true = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    other = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1
    ours, theirs, moved = map(fine_structure, (true, other, true.roll(3, 3)))
    assert contrast(theirs) / contrast(ours) == pytest.approx(1, abs=0.1)
    assert agreement(theirs, ours) < 0.3 and agreement(moved, ours) > 0.97 and agreement(ours, ours) == pytest.approx(1)


def test_controls_name_what_is_compared(face, networks):
    rows = controls(face.expand(2, -1, -1, -1), networks=networks)
    assert list(rows) == ["shifted by a pixel, JPEG 75", "neighbouring frames"]
    assert rows["neighbouring frames"].mean("eye_opening") == pytest.approx(0, abs=1e-6)
    assert 0 < rows["shifted by a pixel, JPEG 75"].mean("mouth_opening") < face_report.MOUTH


def test_sequences_of_different_shapes_are_refused(networks):
    with pytest.raises(UserError, match=r"frame by frame.*\(2, 3, 64, 64\)"):
        fidelity(torch.zeros(2, 3, 64, 64), torch.zeros(1, 3, 64, 64), networks=networks)


def invented(frames: int = 30, **values) -> FaceFidelity:
    """A perfect reconstruction of a man who blinks in frames 10 and 11, but for these values."""
    perfect = {name: np.zeros(frames) for name in MEASURES}
    perfect |= {
        name: np.ones(frames) for name in MEASURES if name == "identity" or name.startswith(("detail", "contrast"))
    }
    openings = np.full((2, frames), 0.3)
    openings[:, 10:12] = 0.05
    pose = values.pop("pose", np.zeros((2, frames)))
    openings = values.pop("openings", openings)
    known = perfect | {name: np.full(frames, value) for name, value in values.items()}
    return FaceFidelity(np.arange(frames) / 10, known, openings, pose)


def test_the_report_says_each_thing_that_is_wrong_and_nothing_else():
    assert FaceReport(invented(), 300).warnings == [] and FaceReport(invented()).line.endswith(
        "; blinks: the only one kept"
    )
    assert "cut out 90 pixels wide" in FaceReport(invented(), 90).warnings[0]
    pose = np.zeros((2, 30))
    pose[0, 3] = -55
    (turned,) = FaceReport(invented(pose=pose)).warnings
    assert "in 1 of 30 frames, at 0.30 s (yaw up to 55 degrees, pitch up to 0)" in turned
    (likeness,) = FaceReport(invented(identity=0.96, dlib_distance=0.7), 300).warnings  # the steps optimise the cosine
    assert likeness.startswith("The identity is low: cosine 0.96 and dlib distance 0.70")
    (eyes,) = FaceReport(invented(eye_opening=0.05, gaze=0.01)).warnings
    assert "eyes: eye opening by 0.050;" in eyes
    (mouth,) = FaceReport(invented(detail_mouth=0.4)).warnings
    assert "mouth: only 40 % of its detail agrees" in mouth
    (identity,) = FaceReport(invented(identity=0.7, dlib_distance=0.4)).warnings
    assert "cosine 0.70 and dlib distance 0.40" in identity
    assert FaceReport(invented(identity=0.7, dlib_distance=0.2)).warnings == []


def test_a_lost_blink_and_an_added_one_are_named_with_their_times():
    openings = np.full((2, 30), 0.3)
    openings[0, 10:12] = openings[1, 20:22] = 0.05
    (blink,) = FaceReport(invented(openings=openings)).warnings
    assert blink == "Blinks: the only one is lost, at 1.00 s, and 1 is added, at 2.00 s."
    rows = {row.metric: row.value for row in invented(openings=openings).rows()}
    assert (rows["blinks"], rows["blinks_missing"], rows["blinks_extra"]) == (1, 1, 1)


def test_nothing_is_said_of_blinks_where_nobody_blinks():
    assert "blink" not in FaceReport(invented(openings=np.full((2, 30), 0.3))).text


def test_what_is_tuned_already_is_not_to_be_tuned():
    faults = {"eye_opening": 0.05, "detail_mouth": 0.4, "identity": 0.4, "dlib_distance": 0.7}
    before, after = FaceReport(invented(**faults)), FaceReport(invented(**faults), tuned=True)
    assert len(before.warnings) == len(after.warnings) == 3
    assert all("dynode tune" in line for line in before.warnings) and "tun" not in after.text


def test_observed_and_unobserved_frames_have_rows_of_their_own():
    observed = np.arange(30) % 2 == 0
    made = invented()
    made.values["gaze"][:] = np.where(observed, 0.1, np.nan)
    rows = made.rows(observed, clip="talk", method="reconstruction")
    assert [(row.split, row.value, row.n) for row in rows if row.metric == "gaze"] == [
        ("observed", pytest.approx(0.1), 15)
    ]
    assert {row.split for row in rows if row.metric == "identity"} == {"observed", "unobserved"}
    assert all(row.reference == "source" and row.clip == "talk" and row.metric in METRICS for row in rows)


def test_a_table_has_a_line_for_each_measure_and_a_column_for_each_method():
    rows = [*invented().rows(method="reconstruction"), *invented(detail_mouth=0.5).rows(method="control")]
    table = tables.fidelity_table(rows)
    assert table.header == ["measure", "reconstruction", "control"] and len(table.cells) == len(MEASURES) + 3
    assert ["detail mouth % ↑", "100 ± 0", "50 ± 0"] in table.cells


def test_a_clip_is_compared_with_its_footage_and_a_world_has_no_eyes(networks):
    clip = part(clips.load("single_face.warm"), SMILING, 2)
    report = face_report.clip_fidelity(clip, networks=networks)
    assert report.fidelity.ts.tolist() == clip.ts.tolist() and 280 < report.width < 300
    assert 0.7 < report.fidelity.mean("identity") < 0.95 and report.fidelity.mean("detail_mouth") < 0.8
    with pytest.raises(UserError, match="no clip of a face"):
        face_report.clip_fidelity(clips.load("scene.day"), networks=networks)
