"""The audio track of a video, copied without decoding beside frames that keep their times."""

import contextlib
import io
import math
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from dynode.io import film
from dynode.io.video_clock import LONGEST_GAP, Clock

JUMP = 0.5  # seconds that the times of packets may go back without a clock that begins again


class Copier:
    """Copies the audio of an open video into an open .mp4 without frames so far, without decoding it.

    clock: of the video's frames.  begin: seconds on it at which the clock of the .mp4 begins.
    """

    def __init__(
        self, source: InputContainer, stream: AudioStream, clock: Clock, container: OutputContainer, begin: float
    ):
        self.container, self.stream = container, container.add_stream_from_template(stream, opaque=True)
        self.packets = packets(source, stream, clock, begin)
        self.waiting, self.begin, self.last = next(self.packets, None), math.nan, -math.inf

    def until(self, seconds: float) -> None:
        """Copy the packets that begin before that time, but none from before the time of the first call."""
        self.begin = seconds if math.isnan(self.begin) else self.begin
        while self.waiting and self.waiting[0] < seconds:
            time, packet = self.waiting
            dts = packet.dts or 0
            if time >= self.begin and dts > self.last:  # muxers refuse times that jump back
                self.last, packet.stream = dts, self.stream
                self.container.mux(packet)
            self.waiting = next(self.packets, None)


class Silence:
    """Copies nothing: for a video without audio, or with a codec that an .mp4 cannot hold."""

    def until(self, seconds: float) -> None:
        pass


@contextlib.contextmanager
def copier(path: Path | str | None, container: OutputContainer, begin: float = 0.0) -> Iterator[Copier | Silence]:
    """The copier of a video's audio, if one is named, into an open .mp4 without frames so far."""
    if path is None or not codec_of(path) or unsupported_codec(path):
        yield Silence()
        return
    clock = clock_of(path)
    with opened(path) as source:
        stream = film.audio_stream(source)
        assert stream is not None
        yield Copier(source, stream, clock, container, begin)


def opened(path: Path | str) -> InputContainer:
    """A video, open for reading."""
    return av.open(str(path), metadata_errors="replace")  # old files carry titles in Latin-1


def codec_of(path: Path | str) -> str:
    """The codec of the audio that a player plays, such as "aac"; "" for a video without audio."""
    with opened(path) as source:
        stream = film.audio_stream(source)
        return stream.codec_context.codec.canonical_name if stream else ""


def unsupported_codec(path: Path | str) -> str:
    """The codec of a video's audio where an .mp4 cannot hold it, else ""."""
    with av.open(io.BytesIO(), "w", format="mp4") as container:
        codec = codec_of(path)
        return "" if codec in container.supported_codecs else codec


def clock_of(path: Path | str) -> Clock:
    """The clock of a video's frames, read to the end where it may jump, else to the first frame."""
    with film.opened(path) as opened_film:
        frames = opened_film.frames()
        next(frames)
        if opened_film.clock.broadcast:
            for _ in frames:
                pass
        return opened_film.clock


def packets(
    source: InputContainer, stream: AudioStream, clock: Clock, begin: float = 0.0
) -> Iterator[tuple[float, av.Packet]]:
    """(seconds since `begin` on a film's clock, packet) of a stream, as far as it can be read; the packets' own times too.

    Where the times of packets jump, the clock of the frames has jumped beside them.
    """
    unit, last, stretch = float(stream.time_base or 1), math.nan, 0
    with contextlib.suppress(av.error.FFmpegError):
        for packet in source.demux(stream):
            if packet.pts is None or packet.dts is None:
                continue
            now = packet.pts * unit
            if now < last - JUMP or (clock.broadcast and now > last + LONGEST_GAP):
                stretch = min(stretch + 1, len(clock.offsets) - 1)
            last = now
            shift = round((clock.offsets[stretch] - clock.start - begin) / unit)
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            yield packet.pts * unit, packet
