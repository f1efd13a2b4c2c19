"""The clock of a film: recordings one behind the other, jumps, errors, frames without times, and the sound beside them."""

from fractions import Fraction

import av
import numpy as np
import pytest
from films import grey, noise, written
from test_audio import filmed, heard

from dynode.errors import Remark
from dynode.io import video
from dynode.io.video_clock import Clock


def shown(times, rate=Fraction(25), broadcast=False):
    """(time, number) of the frames that come out."""
    return [(round(t, 6), k) for t, k in Clock(rate, broadcast).times(zip(times, range(len(times)), strict=True))]


@pytest.mark.parametrize(
    "times, wanted",
    [
        ([5, 5.04, 5.09, 5.2], [0, 0.04, 0.09, 0.2]),  # from the first frame, whatever the spacing
        ([0, 0.04, 0.08, 0, 0.04, 0.08], [0, 0.04, 0.08, 0.12, 0.16, 0.2]),  # begins anew
        ([1, 1.04, 1.08, 0.2, 0.3, 0.4], [0, 0.04, 0.08, 0.12, 0.22, 0.32]),
        ([0, 0.04, 0, 0.04, 0, 0.04], [0, 0.04, 0.08, 0.12, 0.16, 0.2]),  # and again
        ([None, None, None], [0, 0.04, 0.08]),  # none at all: by the rate
        ([0, None, 0.08, None], [0, 0.04, 0.08, 0.12]),
        ([0] * 12, [0.04 * k for k in range(12)]),  # all alike: by the rate
        ([0, 0.04, 100, 100.04], [0, 0.04, 100, 100.04]),  # a gap is a gap
    ],
)
def test_every_frame_has_a_later_time(times, wanted):
    assert shown(times) == [(pytest.approx(t), k) for k, t in enumerate(wanted)]


def test_a_frame_at_the_time_of_another_or_alone_in_the_past_is_left_out():
    assert shown([0, 0.04, 0.04, 0.04, 0.08]) == [(0, 0), (0.04, 1), (0.08, 4)]
    assert shown([0, 0.04, 0.08, 0.07, 0.12]) == [(0, 0), (0.04, 1), (0.08, 2), (0.12, 4)]
    assert shown([0, 0.04, 0.04]) == [(0, 0), (0.04, 1)]


def test_a_broadcast_may_set_its_clock_forward():
    assert shown([0, 0.04, 9000, 9000.04], broadcast=True)[2:] == [(0.08, 2), (0.12, 3)]
    assert shown([95443.64, 95443.68, 0.0, 0.04], broadcast=True)[2:] == [(0.08, 2), (0.12, 3)]  # 33 bits are full


def test_frames_without_times_and_rate_are_an_error_of_the_file():
    with pytest.raises(LookupError):
        shown([None, None], rate=None)


def test_two_recordings_one_behind_the_other_are_both_read(tmp_path):
    levels = [5 * k for k in range(50)]
    parts = [
        written(tmp_path / f"{k}.ts", [grey(level) for level in half], fmt="mpegts").read_bytes()
        for k, half in enumerate((levels[:25], levels[25:]))
    ]
    (tmp_path / "ab.ts").write_bytes(b"".join(parts))
    with pytest.warns(Remark, match="begins anew, as in recordings one behind the other"):
        images, times = video.read(tmp_path / "ab.ts")
    assert times == pytest.approx(np.arange(50) / 25, abs=1e-4)
    assert images.mean((1, 2, 3)) == pytest.approx(levels, abs=2.5)
    with pytest.warns(Remark):
        picked = list(video.pick(tmp_path / "ab.ts", times))
    assert np.array_equal(picked, images)


def test_a_stream_without_a_container_has_times_by_its_rate(tmp_path):
    path = written(tmp_path / "v.h264", [grey(20 * k) for k in range(10)], fmt="h264")
    images, times = video.read(path)
    assert len(images) == 10 and times == pytest.approx(np.arange(10) / 25)


def test_an_avi_with_frames_out_of_order_is_read_whole(tmp_path):
    path = written(tmp_path / "v.avi", [grey(20 * k) for k in range(10)])
    images, times = video.read(path)
    assert images.mean((1, 2, 3)) == pytest.approx([20 * k for k in range(10)], abs=3)
    assert times == pytest.approx(np.arange(10) / 25, abs=1e-3)


def test_times_are_found_to_half_a_tick_of_the_file(tmp_path):
    path = written(tmp_path / "v.mkv", noise(6), [0, 33, 67, 100, 133, 167])
    assert len(list(video.pick(path, np.arange(6) / 30))) == 6


def test_the_sound_follows_a_clock_that_begins_anew(tmp_path):
    parts = [filmed(tmp_path / f"{k}.ts", frames=25).read_bytes() for k in range(2)]
    path = tmp_path / "ab.ts"
    path.write_bytes(b"".join(parts))
    with pytest.warns(Remark):
        frames, times = video.read(path)
        out = video.write_timed(tmp_path / "out.mp4", zip(times, frames, strict=True), 25, audio_from=path)
    assert video.read(out)[1] == pytest.approx(times, abs=1e-4) and len(times) == 50
    sound = [t for t, _ in heard(out)]
    assert sound[-1] > 1.85 and max(np.diff(sound)) < 0.2  # 50 frames of 0.04 s


def test_a_video_of_later_frames_begins_at_once_and_keeps_when(tmp_path):
    path = tmp_path / "v.mp4"
    video.write_timed(path, [(10 + k / 25, grey(20 * k)) for k in range(5)], 25, title="edited")
    with av.open(str(path)) as container:
        assert float(container.streams.video[0].start_time or 0) == 0
        assert container.metadata["title"] == "edited"
        assert container.metadata["comment"] == "edited; begins at 10.000000 s of its source"
    assert video.read(path)[1] == pytest.approx(np.arange(5) / 25, abs=1e-4)
