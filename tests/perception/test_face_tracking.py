"""Following one face: which one, gaps, cuts, small faces, long videos; and what they become in a clip and a fit."""

import tracemalloc
import weakref
from itertools import islice

import numpy as np
import pytest
import torch
from conftest import circle_codes

from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.presets import preset
from dynode.dynamics.trajectory import Shots
from dynode.errors import UserError
from dynode.inversion import frame_sources, protocols
from dynode.inversion import invert_frames as inversion
from dynode.inversion.observer import NoObserver
from dynode.inversion.partial_results import Partial
from dynode.inversion.projection import Projection
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.io import assets, video
from dynode.io.video import Stretch
from dynode.perception import face_tracking
from dynode.perception.face_detection import Face, FaceDetector
from dynode.settings import changed

QUICK = changed(preset("trend+mlp"), {"training.iterations": 2, "training.segment_iterations": 30, "training.batch": 6})
TINY = ProjectionSettings(first_steps=5, steps=2, resolution=32)


def face_at(x, y=32.0, width=20.0):
    upright = np.array([[-0.2, -0.15], [0.2, -0.15], [0, 0], [-0.15, 0.2], [0.15, 0.2]])
    box = np.array([x - width / 2, y - width / 2, x + width / 2, y + width / 2])
    return Face(box, upright * width + [x, y])


def scripted(result):
    """A detector that knows the faces of each frame beforehand; largest first, as detectors do."""
    script = iter(result)
    return lambda frame: sorted(next(script), key=lambda face: -face.width)


def footage(tmp_path, levels):
    """A video of one flat grey level per frame, 25 a second."""
    frames = (np.full((64, 96, 3), level, dtype=np.uint8) for level in levels)
    return video.write(tmp_path / "footage.mp4", frames, fps=25)


def tracked(tmp_path, result, levels=None, **options):
    path = footage(tmp_path, levels or [90] * len(result))
    return face_tracking.track_face(path, detector=scripted(result), **options)


def centres(track):
    return track.quads.mean(axis=1)[:, 0]


def frames_of(track):
    return np.round(track.ts * 25).astype(int).tolist()


def track_of(shots, detected):
    n = len(shots)
    quads = np.repeat(np.array([[[8.0, 8], [8, 40], [40, 40], [40, 8]]]), n, axis=0)
    return face_tracking.FaceTrack(np.arange(n) / 25, quads, np.array(detected, dtype=bool), np.array(shots))


def test_the_largest_face_is_taken_by_default(tmp_path):
    track = tracked(tmp_path, [[face_at(20), face_at(50, width=30), face_at(80)]] * 4)
    assert centres(track) == pytest.approx([50] * 4) and track.detected.all() and set(track.shots) == {0}


@pytest.mark.parametrize("face, x", [("0", 15), ("1", 50), ("2", 80)])
def test_faces_are_counted_from_the_left(tmp_path, face, x):
    track = tracked(tmp_path, [[face_at(80), face_at(15, width=28), face_at(50)]] * 3, face=face)
    assert centres(track) == pytest.approx([x] * 3)


def test_the_chosen_face_is_followed_while_another_passes_by(tmp_path):
    result = [[face_at(60, 30), face_at(4 + 6 * k, 44, width=26)] for k in range(16)]
    assert centres(tracked(tmp_path, result, face="1")) == pytest.approx([60] * 16)


def test_the_chosen_face_is_followed_while_another_becomes_larger(tmp_path):
    result = [[face_at(30 + k), face_at(75, width=14 + 4 * k)] for k in range(8)]
    inner = centres(tracked(tmp_path, result))[3:-3]  # smoothing bends the ends
    assert inner == pytest.approx([33, 34], abs=0.3)


def test_the_chosen_face_need_not_be_there_from_the_start(tmp_path):
    result = [[face_at(20)]] * 3 + [[face_at(20), face_at(70)]] * 4
    track = tracked(tmp_path, result, face="1")
    assert frames_of(track) == [3, 4, 5, 6] and centres(track) == pytest.approx([70] * 4)


def test_a_number_that_never_exists_is_refused_with_the_largest_that_does(tmp_path):
    with pytest.raises(UserError, match="no face 2 in .*show 2 at most; .* up to 1, counted from 0"):
        tracked(tmp_path, [[face_at(20), face_at(70)]] * 3, face="2")


@pytest.mark.parametrize("face", ["left", "-1", ""])
def test_what_is_no_number_is_refused_before_any_work(tmp_path, face):
    with pytest.raises(UserError, match="'largest' or a number"):
        face_tracking.track_face(tmp_path / "never read.mp4", face=face)


def test_a_video_without_a_face_is_refused(tmp_path):
    with pytest.raises(UserError, match="No face was found in the 3 frames"):
        tracked(tmp_path, [[]] * 3)


def test_a_face_of_one_frame_is_refused(tmp_path):
    with pytest.raises(UserError, match="followed for 1 frame"):
        tracked(tmp_path, [[], [face_at(40)], []])


def test_a_face_that_leaves_and_returns_is_interpolated_between(tmp_path):
    result = [[face_at(20 + 2 * k)] if 2 <= k < 10 or 16 <= k < 24 else [] for k in range(26)]
    track = tracked(tmp_path, result)
    assert frames_of(track) == list(range(2, 24))
    assert (~track.detected).nonzero()[0].tolist() == list(range(8, 14))
    assert centres(track)[4:-4] == pytest.approx([20 + 2 * k for k in range(6, 20)], abs=0.3)


def test_missing_landmarks_are_interpolated_in_time_not_in_frames():
    points, detected = face_tracking.fill_missing([np.zeros((5, 2)), None, np.ones((5, 2))], np.array([0.0, 1.0, 4.0]))
    assert points[1] == pytest.approx(np.full((5, 2), 0.25)) and detected.tolist() == [True, False, True]


def test_another_face_far_away_is_not_taken_for_the_one_that_left(tmp_path):
    result = [[face_at(15)]] * 4 + [[face_at(80)]] * 2 + [[face_at(17)]] * 4
    track = tracked(tmp_path, result)
    assert track.detected.tolist() == [True] * 4 + [False] * 2 + [True] * 4 and centres(track).max() < 20


def test_after_a_longer_gap_the_face_may_return_elsewhere(tmp_path):
    result = [[face_at(20)]] * 4 + [[]] * 8 + [[face_at(70)]] * 4
    assert tracked(tmp_path, result).detected.sum() == 8


def test_a_cut_begins_a_new_shot_and_picks_the_face_up_anew(tmp_path):
    result = [[face_at(20)]] * 5 + [[face_at(75, width=30)]] * 4
    track = tracked(tmp_path, result, [40] * 5 + [200] * 4)
    assert track.shots.tolist() == [0] * 5 + [1] * 4
    assert centres(track) == pytest.approx([20] * 5 + [75] * 4)  # no smoothing across the cut


def test_shots_without_the_face_are_left_out(tmp_path):
    result = [[]] * 4 + [[face_at(20)]] * 4 + [[face_at(40)]] + [[]] * 3 + [[face_at(60)]] * 4
    track = tracked(tmp_path, result, [40] * 4 + [120] * 4 + [200] * 4 + [90] * 4)
    assert frames_of(track) == [4, 5, 6, 7, 12, 13, 14, 15] and track.shots.tolist() == [0] * 4 + [1] * 4


@pytest.mark.parametrize("levels", [range(10, 250, 20), [90, 104] * 6, [90] * 12])
def test_slow_and_steady_motion_is_no_cut(tmp_path, levels):
    assert set(tracked(tmp_path, [[face_at(40)]] * 12, list(levels)).shots) == {0}


def test_a_cut_out_of_a_slow_motion_is_found(tmp_path):
    levels = [*range(20, 60, 5), *range(180, 220, 5)]
    assert tracked(tmp_path, [[face_at(40)]] * 16, levels).shots.tolist() == [0] * 8 + [1] * 8


@pytest.mark.parametrize(
    "name, first, man", [("face-enters-video", 80, range(96, 112, 4)), ("face-leaves-video", 56, range(56, 72, 4))]
)
def test_only_the_man_remains_of_footage_with_a_cut(name, first, man):
    path = assets.fetch(name)
    track = face_tracking.track_face(path, Stretch(first, 8, 4))
    times = [time for time, _ in islice(video.iterate(path), man.stop)]
    assert track.ts == pytest.approx([times[k] for k in man])
    assert track.detected.all() and set(track.shots) == {0}


def test_a_small_face_is_found_by_the_real_detector():
    track = face_tracking.track_face(assets.fetch("carphone-video"), Stretch(count=3))
    assert len(track) == 3 and 60 < track.width < 200
    frame = video.read(assets.fetch("carphone-video"), 1)[0][0]
    (face,) = FaceDetector()(frame)
    assert 35 < face.width < 60
    half, quarter = (np.ascontiguousarray(frame[::step, ::step]) for step in (2, 4))
    assert 20 <= FaceDetector()(half)[0].width < 25  # near the smallest size
    assert FaceDetector()(quarter) == [] and FaceDetector(smallest=80)(frame) == []


@pytest.mark.parametrize("size", [(8, 8), (20, 60), (21, 60)])
def test_a_frame_smaller_than_any_face_has_none(size):
    assert FaceDetector()(np.full((*size, 3), 90, dtype=np.uint8)) == []


def test_a_long_video_passes_without_being_kept(monkeypatch):
    living, most = {"frame": 0, "thumbnail": 0}, {"frame": 0, "thumbnail": 0}

    def counted(array, kind):
        living[kind] += 1
        most[kind] = max(most[kind], living[kind])
        weakref.finalize(array, lambda: living.update({kind: living[kind] - 1})).atexit = False
        return array

    def long_video(path):
        for k in range(10_000):
            yield k / 25, counted(np.full((32, 48, 3), k % 7, dtype=np.uint8), "frame")

    thumbnail = face_tracking.thumbnail
    monkeypatch.setattr(video, "iterate", long_video)
    monkeypatch.setattr(face_tracking, "thumbnail", lambda frame: counted(thumbnail(frame), "thumbnail"))
    tracemalloc.start()
    track = face_tracking.track_face("long.mp4", detector=lambda frame: [face_at(24.0 + frame[0, 0, 0])])
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(track) == 10_000 and most["frame"] <= 3 and most["thumbnail"] <= 3
    assert held < 10_000 * 150 and peak < 10_000 * 32 * 48 * 3 / 4


def test_every_shot_opens_with_the_first_steps_and_missing_frames_take_none():
    source = frame_sources.from_track(track_of([0, 0, 0, 0, 1, 1, 1], [1, 0, 1, 1, 1, 0, 1]), "never read.mp4")
    batches = protocols.batches_of(source, TINY)
    assert [(*batch.frames, batch.previous, batch.steps) for batch in batches] == [
        (0, None, 5), (2, 0, 2), (3, 2, 2), (4, None, 5), (6, 4, 2),
    ]  # fmt: skip
    apart = protocols.batches_of(source, changed(TINY, {"start": "w_avg", "batch": 3}))
    assert [(batch.frames, batch.previous, batch.steps) for batch in apart] == [((0, 2, 3), None, 5), ((4, 6), None, 5)]


def test_codes_of_missing_frames_lie_on_straight_lines_in_time():
    ts, detected = np.array([0.0, 1.0, 4.0, 5.0, 6.0, 9.0]), np.array([1, 0, 1, 1, 0, 1], dtype=bool)
    codes = torch.randn(4, 2, 3)
    ws = inversion.interpolated(codes, ts, detected)
    assert torch.equal(ws[detected], codes)
    assert torch.allclose(ws[1], 0.75 * codes[0] + 0.25 * codes[1])
    assert torch.allclose(ws[4], 0.75 * codes[2] + 0.25 * codes[3], atol=1e-6)
    beyond = inversion.interpolated(codes[:2], ts[:4], np.array([0, 1, 1, 0], dtype=bool))
    assert torch.equal(beyond, codes[[0, 0, 1, 1]])


class Counting:
    """A projector whose k-th code is k everywhere; it notes which frames started afresh."""

    def __init__(self, stop_after=99, first=0):
        self.count, self.stop_after, self.fresh, self.before = first, stop_after, [], []

    def frames(self, images, previous, callback):
        if self.count == self.stop_after:
            raise KeyboardInterrupt
        assert images.shape == (1, 3, 32, 32)
        self.fresh.append(previous is None)
        self.before.append(None if previous is None else int(previous.ws[0, 0]))
        self.count += 1
        return [Projection(torch.full((2, 3), float(self.count)), 0.1, 0.2, 0.3)]


def test_an_inversion_goes_through_gaps_and_cuts_and_resumes_between(tmp_path):
    path = footage(tmp_path, [40] * 5 + [200] * 4)
    track = track_of([0, 0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1, 1, 0, 1])
    interrupted, resumed = Counting(stop_after=4), Counting(first=4)
    with pytest.raises(KeyboardInterrupt):
        inversion.project_all(
            interrupted,
            frame_sources.from_track(track, path),
            Partial(tmp_path / "c.safetensors", {}),
            TINY,
            NoObserver(),
        )
    partial = Partial(tmp_path / "c.safetensors", {})
    inversion.project_all(resumed, frame_sources.from_track(track, path), partial, TINY, NoObserver())
    assert interrupted.before + resumed.before == [None, 1, 2, None, 4, 5]
    clip = inversion.assembled(frame_sources.from_track(track, path), partial, {"name": "two"}, "cpu", 0)
    assert clip.ws[:, 0, 0].tolist() == pytest.approx([1, 2, 2 + 1 / 3, 2 + 2 / 3, 3, 4, 5, 5.5, 6])
    assert torch.equal(clip.observed, clip.detected) and clip.observed.tolist() == track.detected.tolist()
    assert clip.shots.tolist() == track.shots.tolist() and len(clip.meta["mse"]) == 6
    back = Clip.load(clip.save(tmp_path / "c.safetensors"))
    assert torch.equal(back.shots, clip.shots) and torch.equal(back.observed, clip.observed)


@pytest.fixture
def two_shots():
    """Two paths of 10 and 8 frames that have nothing to do with each other, at 10 frames a second."""
    ts = torch.arange(18, dtype=torch.float64) / 10
    shots = (ts > 0.95).long()
    ws = torch.where(shots[:, None, None] == 0, circle_codes(ts / 4), 5 + circle_codes(ts / 4, seed=1))
    return Clip(ws, ts, shots=shots, meta={"name": "two"})


@pytest.mark.parametrize("sampling", ["regular", "irregular"])
@pytest.mark.parametrize("stride", [2, 3, 40])
def test_both_ends_of_every_shot_stay_observed(two_shots, sampling, stride):
    shown = two_shots.sampled(sampling, stride)
    assert shown.observed[[0, 9, 10, 17]].all() and shown.observed.sum() < 18
    assert shown.observed.sum() == two_shots.sampled("regular", stride).observed.sum()


def test_the_hidden_end_of_a_clip_is_observed_by_no_method(two_shots):
    shown = two_shots.sampled("regular", 3, hidden_end=3)
    assert shown.observed[[0, 9, 10, 14]].all() and not shown.observed[15:].any()
    assert not two_shots.sampled("regular", 3, hidden_end=8).observed[10:].any()
    with pytest.raises(UserError, match="1 of 18 frames can be observed"):
        two_shots.sampled("regular", 3, hidden_end=17)


def test_a_clip_splits_into_its_shots(two_shots):
    first, second = two_shots.split()
    assert (first.name, second.name, len(first), len(second)) == ("two.shot0", "two.shot1", 10, 8)
    (alone,) = two_shots.sampled("regular", 3, hidden_end=7).split()
    assert alone.name == "two.shot0"
    whole = two_shots.head(10)
    assert whole.split() == [whole]


def test_a_clip_whose_shots_show_too_little_is_refused(two_shots):
    lonely = Clip(two_shots.ws, two_shots.ts, torch.arange(18) % 17 == 0, shots=two_shots.shots)  # 0 and 17
    with pytest.raises(UserError, match="No shot of clip holds 2 observed frames"):
        methods.fit(lonely, "linear")


def test_every_shot_has_its_own_path_on_its_side_of_the_cut(two_shots):
    path = methods.fit(two_shots.sampled("regular", 3), "linear")
    first, second = path.shots
    assert isinstance(path, Shots) and path.span == (0.0, 1.7)
    ts = torch.tensor([1.2, 0.2, 0.949, 0.951, -0.5, 2.0], dtype=torch.float64)  # the cut lies at 0.95 s
    late = torch.tensor([True, False, False, True, False, True])
    slopes = path.derivative(ts), first.derivative(ts), second.derivative(ts)
    for values, one, other in ((path(ts), first(ts), second(ts)), slopes):
        assert torch.equal(values[~late], one[~late]) and torch.equal(values[late], other[late])
    assert path([]).shape == (0, 3, 8)


def test_a_path_may_end_before_the_last_shot(two_shots):
    path = methods.fit(two_shots.sampled("regular", 3, hidden_end=8), "linear")
    assert not isinstance(path, Shots) and path.span == (0.0, 0.9)


def test_missing_frames_are_shown_to_no_method(two_shots):
    observed = torch.ones(18, dtype=torch.bool)
    observed[[3, 4, 13]] = False
    spoilt = two_shots.ws.clone()
    spoilt[~observed] = 99.0
    path = methods.fit(Clip(spoilt, two_shots.ts, observed, shots=two_shots.shots), "linear")
    assert path(two_shots.ts).max() < 20


def test_learned_dynamics_of_several_shots_survive_their_file(two_shots, tmp_path):
    fit = methods.fit(two_shots, QUICK)
    assert isinstance(fit, Shots) and [shot.meta["clip"]["name"] for shot in fit.shots] == ["two.shot0", "two.shot1"]
    dense = torch.linspace(-0.1, 1.8, 39, dtype=torch.float64)
    codes, alone = fit(dense), methods.fit(two_shots.split()[1], QUICK)
    assert torch.equal(codes[dense > 0.95], alone(dense[dense > 0.95]))
    back = fit_files.load(fit.save(tmp_path / "fit.safetensors"))
    assert torch.equal(back(dense), codes) and torch.equal(back.derivative(dense), fit.derivative(dense))
    assert back.span == fit.span and torch.equal(back.cuts, fit.cuts)
    assert fit([]).shape == (0, 3, 8)
