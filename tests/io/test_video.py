"""Reading videos: times, pixel formats, stretches, and files that cannot be read; writing them."""

import av
import numpy as np
import pytest
from films import GREYS as CORNERS
from films import corners_of, four_corners, noise, written

from dynode.errors import UserError
from dynode.io import video, video_writing
from dynode.io.video import Stretch
from dynode.perception import face_tracking
from dynode.perception.face_detection import Face

IRREGULAR = [0, 40, 50, 130, 131, 400]  # milliseconds


def still_face(frame):
    points = np.array([[20, 12], [28, 12], [24, 16], [21, 20], [27, 20]], dtype=float)
    return [Face(np.array([16.0, 8, 32, 24]), points)]


def test_irregular_times_are_read_as_they_are(tmp_path):
    path = written(tmp_path / "v.mp4", noise(6), IRREGULAR)
    assert [time for time, _ in video.iterate(path)] == pytest.approx([ms / 1000 for ms in IRREGULAR])


def test_times_count_from_the_first_frame(tmp_path):
    path = written(tmp_path / "v.mkv", noise(6), [ms + 5000 for ms in IRREGULAR])
    assert video.read(path)[1] == pytest.approx(np.array(IRREGULAR) / 1000)


def test_irregular_times_reach_the_track_and_find_their_frames_again(tmp_path):
    path = written(tmp_path / "v.mkv", noise(6), IRREGULAR, "ffv1", "bgr0")
    track = face_tracking.track_face(path, Stretch(first=1, every=2), detector=still_face)
    assert track.ts == pytest.approx([0.04, 0.13, 0.4])
    assert np.array_equal(list(video.pick(path, track.ts)), noise(6)[1::2])
    assert len(list(track.crops(path, size=64))) == 3


def test_a_video_without_a_flag_stays_as_it_is(tmp_path):
    images, _ = video.read(written(tmp_path / "v.mp4", [four_corners()] * 3))
    assert images.shape == (3, 64, 96, 3) and corners_of(images[0]) == pytest.approx(CORNERS, abs=4)


@pytest.mark.parametrize("codec, name", [("png", "v.mov"), ("ffv1", "v.mkv")])
def test_grey_video_comes_as_three_equal_channels(tmp_path, codec, name):
    grey = noise(3, channels=1)
    images, _ = video.read(written(tmp_path / name, grey, codec=codec, pix_fmt="gray", source="gray"))
    assert np.array_equal(images, np.repeat(grey[..., None], 3, axis=3))


@pytest.mark.parametrize("codec, layout, colours", [("png", "rgba", slice(0, 3)), ("qtrle", "argb", slice(1, 4))])
def test_transparency_is_dropped(tmp_path, codec, layout, colours):
    frames = noise(3, channels=4)
    images, _ = video.read(written(tmp_path / "v.mov", frames, codec=codec, pix_fmt=layout, source=layout))
    assert np.array_equal(images, frames[..., colours])


def test_ten_bits_come_as_eight(tmp_path):
    images, _ = video.read(written(tmp_path / "v.mp4", [four_corners()] * 3, pix_fmt="yuv420p10le"))
    assert images.dtype == np.uint8 and corners_of(images[0]) == pytest.approx(CORNERS, abs=4)


@pytest.mark.parametrize(
    "stretch, taken",
    [
        (Stretch(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (Stretch(first=7), [7, 8, 9]),
        (Stretch(count=3), [0, 1, 2]),
        (Stretch(first=1, count=3, every=3), [1, 4, 7]),
        (Stretch(every=4), [0, 4, 8]),
        (Stretch(first=8, count=5), [8, 9]),
        (Stretch(first=10), []),
    ],
)
def test_a_stretch_takes_what_it_says(stretch, taken):
    assert list(stretch.of(range(10))) == taken


@pytest.mark.parametrize("values", [{"first": -1}, {"count": -2}, {"every": 0}])
def test_an_impossible_stretch_is_refused(values):
    with pytest.raises(UserError, match="--first and --frames must be 0 or more and --every at least 1"):
        Stretch(**values)


def test_a_stretch_beyond_the_end_is_refused(tmp_path):
    path = written(tmp_path / "v.mp4", noise(4))
    with pytest.raises(UserError, match="ends before the frames that were asked for"):
        face_tracking.track_face(path, Stretch(first=4), detector=still_face)


@pytest.mark.parametrize(
    "ts, message", [([0.0, 0.06], "0.0600 s"), ([0.04, 9.0], "9.0000 s"), ([0.08, 0.04], "0.0400 s")]
)
def test_times_of_another_video_are_refused(tmp_path, ts, message):
    path = written(tmp_path / "v.mp4", noise(4))
    with pytest.raises(UserError, match=f"no frame at {message}"):
        list(video.pick(path, np.array(ts)))


def test_an_mp4_that_breaks_off_is_refused(tmp_path):
    path = written(tmp_path / "v.mp4", noise(30))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="not a video that can be read"):
        list(video.iterate(path))


def test_a_format_that_needs_no_end_is_read_as_far_as_it_goes(tmp_path):
    path = written(tmp_path / "v.mkv", noise(30), codec="mpeg4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 5 < len(list(video.iterate(path))) < 25


def test_damage_in_the_middle_ends_in_frames_or_in_a_sentence(tmp_path):
    whole = written(tmp_path / "v.mp4", noise(20)).read_bytes()
    for seed in range(8):
        broken, draws = bytearray(whole), np.random.default_rng(seed)
        at = int(draws.integers(0, len(whole) - 64))
        broken[at : at + 64] = draws.bytes(64)
        (tmp_path / "broken.mp4").write_bytes(broken)
        try:
            assert len(list(video.iterate(tmp_path / "broken.mp4"))) <= 20
        except UserError as error:
            assert "broken.mp4" in str(error)


def test_sound_without_pictures_is_refused(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        sound.rate, sound.pts = 16000, 0
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(UserError, match="no video stream"):
        list(video.iterate(tmp_path / "sound.mp4"))


@pytest.mark.parametrize("content", [b"", b"not a video, a text\n" * 99])
def test_what_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(UserError, match="not a video that can be read"):
        list(video.iterate(tmp_path / "v.mp4"))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path, message in ((tmp_path / "missing.mp4", "There is no file"), (tmp_path, "is a folder")):
        with pytest.raises(UserError, match=message):
            list(video.iterate(path))


def test_a_title_in_an_old_encoding_does_no_harm(tmp_path):
    path = written(tmp_path / "v.avi", noise(3), codec="mpeg4", title="Andre in the garden")
    path.write_bytes(path.read_bytes().replace(b"Andre in", "André in".encode("latin-1")))
    assert len(list(video.iterate(path))) == 3


def test_what_is_written_is_read_back(tmp_path):
    path = video.write(tmp_path / "v.mp4", [four_corners()] * 6, fps=30000 / 1001)
    images, ts = video.read(path, 5)
    assert len(images) == 5 and ts == pytest.approx(np.arange(5) * 1001 / 30000, abs=1e-4)
    assert corners_of(images[4]) == pytest.approx(CORNERS, abs=4)


def test_the_same_frames_give_the_same_file(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (8, 240, 322, 3), dtype=np.uint8)
    written = set()
    for k in range(12):
        path = video_writing.write_timed(tmp_path / f"{k}.mp4", ((i / 24, each) for i, each in enumerate(frames)), 24.0)
        written.add(path.read_bytes())
    assert len(written) == 1
