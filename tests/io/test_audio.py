"""The sound of a video beside its edited frames: the same packets at the same times, cut where frames are cut."""

import av
import numpy as np
import pytest

from dynode.io import audio, video

RATE, FRAME = 16_000, 0.04  # samples, and seconds of a frame


def filmed(path, codec="aac", frames=25, delay=0):
    """A grey video of so many frames with a tone as long; delay: milliseconds that the file's clock begins late."""
    with av.open(str(path), "w") as container:
        shown = container.add_stream("libx264", rate=25)
        shown.width = shown.height = 32
        heard = container.add_stream(codec, rate=RATE, layout="mono") if codec else None
        for k in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 100 + k, np.uint8), format="rgb24")
            picture.pts, picture.time_base = k + delay // 40, 1 / shown.codec_context.framerate
            container.mux(shown.encode(picture))
        if heard:
            tone = np.sin(np.arange(int(RATE * FRAME * frames)) * 0.2)[None].astype(np.float32)
            piece = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            piece.rate, piece.pts = RATE, RATE * delay // 1000
            container.mux(heard.encode(piece))
            container.mux(heard.encode())
        container.mux(shown.encode())
    return path


def heard(path) -> list[tuple[float, bytes]]:
    """(seconds since the first frame, content) of the packets of sound."""
    with av.open(str(path)) as source:
        return [
            (t, bytes(packet)) for t, packet in audio.packets(source, source.streams.audio[0], audio.clock_of(path))
        ]


def copied(tmp_path, source, taken=slice(None)):
    frames, times = video.read(source)
    shown = list(zip(times, frames, strict=True))[taken]
    return video.write_timed(tmp_path / "edited.mp4", shown, 25, audio_from=source), [t for t, _ in shown]


@pytest.mark.parametrize("name, delay", [("v.mp4", 0), ("v.mkv", 0), ("v.mkv", 2000)])
def test_sound_is_copied_packet_by_packet_at_its_own_times(tmp_path, name, delay):
    source = filmed(tmp_path / name, delay=delay)
    out, times = copied(tmp_path, source)
    wanted = [(t, content) for t, content in heard(source) if t > -1e-3]
    written = heard(out)
    assert [content for _, content in written] == [content for _, content in wanted] and len(written) > 10
    assert [t for t, _ in written] == pytest.approx([t for t, _ in wanted], abs=2e-3)
    assert video.read(out)[1] == pytest.approx(times, abs=1e-4)
    with av.open(str(out)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_sound_is_cut_where_frames_are_cut(tmp_path):
    source = filmed(tmp_path / "v.mp4")
    out, _ = copied(tmp_path, source, slice(10, 15))
    known = [content for t, content in heard(source) if 0.4 <= t < 0.6]
    assert [content for _, content in heard(out)] == known
    first, last = (heard(out)[k][0] for k in (0, -1))  # times count from the first frame again
    assert 0 <= first < 0.064 and 0.136 < last < 0.2


def test_what_has_no_sound_or_one_that_an_mp4_cannot_hold_stays_silent(tmp_path):
    for name, codec, unsupported in (("v.mkv", "", ""), ("v.mkv", "wavpack", "wavpack")):
        source = filmed(tmp_path / name, codec)
        assert audio.unsupported_codec(source) == unsupported
        out, times = copied(tmp_path, source)
        assert audio.codec_of(out) == "" and len(video.read(out)[0]) == len(times)
    assert audio.codec_of(filmed(tmp_path / "v.mp4")) == "aac"
