"""Which streams of a file are its film and its sound, and what happens where the size of frames changes."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from films import corners_of, four_corners, grey, with_cover, written

from dynode.errors import Remark, UserError
from dynode.io import audio, film, video
from dynode.io.inputs import instead_of_file


def two_films(path, default):
    """Two streams of three frames each, dark and bright; default: the number of the one that players take."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for k, stream in enumerate(streams):
            stream.width = stream.height = 64
            stream.disposition = Disposition.default if k == default else Disposition(0)
        for k, stream in enumerate(streams):
            for t in range(3):
                frame = av.VideoFrame.from_ndarray(grey(50 + 100 * k), format="rgb24")
                frame.pts, frame.time_base = t, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def test_a_cover_picture_before_the_film_is_no_film(tmp_path):
    path = with_cover(written(tmp_path / "plain.mp4", [four_corners()] * 6), tmp_path / "cover.mp4")
    with av.open(str(path)) as container:
        assert container.streams.video[0].disposition & Disposition.attached_pic
    images, _ = video.read(path)
    assert images.shape == (6, 64, 96, 3) and corners_of(images[0]) == pytest.approx([40, 100, 160, 220], abs=2)


@pytest.mark.parametrize("default", [0, 1])
def test_of_two_films_the_default_one_is_read(tmp_path, default):
    images, _ = video.read(two_films(tmp_path / "v.mkv", default))
    assert images.mean() == pytest.approx(50 + 100 * default, abs=2)


def test_a_song_with_a_cover_is_no_video(tmp_path):
    with av.open(str(tmp_path / "song.mka"), "w", format="matroska") as container:
        heard = container.add_stream("aac", rate=16000, layout="mono")
        shown = container.add_stream("mjpeg", rate=25)
        shown.width, shown.height, shown.pix_fmt, shown.disposition = 64, 64, "yuvj420p", Disposition.attached_pic
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        sound.rate, sound.pts = 16000, 0
        container.mux(heard.encode(sound))
        container.mux(heard.encode())
        container.mux(shown.encode(av.VideoFrame.from_ndarray(grey(90), format="rgb24")))
        container.mux(shown.encode())
    with av.open(str(tmp_path / "song.mka")) as container:
        if container.streams.video[0].disposition & Disposition.attached_pic:
            assert film.video_stream(container) is None


def test_a_film_without_frames_is_refused(tmp_path):
    path = tmp_path / "empty.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        container.start_encoding()
    with pytest.raises(UserError, match="no frame that can be decoded|not a video that can be read"):
        list(video.iterate(path))


def test_the_sound_is_the_one_a_player_plays(tmp_path):
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        shown = container.add_stream("libx264", rate=25)
        shown.width = shown.height = 64
        tracks = [container.add_stream(codec, rate=16000, layout="mono") for codec in ("aac", "libopus")]
        for k, track in enumerate(tracks):
            track.disposition = Disposition.default if k else Disposition(0)
        frame = av.VideoFrame.from_ndarray(grey(90), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(shown.encode(frame))
        container.mux(shown.encode())
        for track in tracks:
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
            sound.rate, sound.pts = 16000, 0
            container.mux(track.encode(sound))
            container.mux(track.encode())
    assert audio.codec_of(path) == "opus"


def test_frames_of_another_size_are_fitted_into_the_first_ones(tmp_path):
    small = written(tmp_path / "a.ts", [grey(100)] * 5, fmt="mpegts")
    large = written(tmp_path / "b.ts", [grey(200, 96, 128)] * 5, fmt="mpegts")
    path = tmp_path / "ab.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.warns(Remark, match="128 x 96 pixels are fitted into 64 x 64"):
        images, _ = video.read(path)
    assert images.shape == (10, 64, 64, 3)
    assert images[9, 8:56].mean() == pytest.approx(200, abs=2) and images[9, :7].max() < 3  # bars above and below


def test_pixels_that_are_not_square_stay_and_are_known(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.codec_context.sample_aspect_ratio = 64, 96, Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(four_corners(), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert video.read(path)[0].shape == (1, 64, 96, 3) and video.look(path).pixel == Fraction(4, 3)
    copy = video.write(tmp_path / "copy.mp4", [four_corners()], 25, look=video.look(path))
    with av.open(str(copy)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_a_name_without_its_suffix_is_answered_by_the_file_that_is_read(tmp_path):
    for name in ("my talk-diagnosis.png", "my talk.mp4", "my talk.png", "my talk.safetensors"):
        (tmp_path / name).touch()
    with (
        pytest.raises(UserError, match=r"did you mean '.*my talk\.mp4': give the path of a video"),
        film.opened(tmp_path / "my talk"),
    ):
        pass
    assert instead_of_file(tmp_path / "my talk").endswith("my talk.safetensors'")
