"""What is edited: a video, the face followed through it, and codes where they are known already."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dynode import generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation.inversion_quality import SAME_TIME, InversionQuality, inversion_quality
from dynode.inversion import frame_sources
from dynode.io import assets, video
from dynode.io.video import Stretch
from dynode.perception import alignment, face_tracking
from dynode.perception.face_tracking import FaceTrack


@dataclass(frozen=True, repr=False)
class Footage:
    """A video with one face followed through some of its frames, for codes of the generator of that name.

    stretch: the frames that come out; those without the face come out as they are.  None: the followed frames alone.
    clip: codes of the followed frames, where they were inverted before; its squares are the track's then.
    keyframes: codes of some of the followed frames alone, as an edit keeps them.
    metadata: which frames of which file these are.  quality: what `clip` records of its inversion.
    """

    path: Path
    track: FaceTrack
    generator: str
    stretch: Stretch | None = None
    clip: Clip | None = None
    keyframes: Clip | None = None
    metadata: dict = dataclasses.field(default_factory=dict)
    quality: InversionQuality = InversionQuality()

    def __repr__(self):
        span = f"{self.track.ts[0]:g} to {self.track.ts[-1]:g} s"
        codes = "" if self.clip is None else ", with codes"
        return f"<Footage {self.path}: {len(self.track)} frames followed, {span}, for {self.generator}{codes}>"

    def head(self, frames: int) -> "Footage":
        """The first N followed frames, and no others."""
        clip = None if self.clip is None else self.clip.head(frames)
        return dataclasses.replace(self.only(slice(0, frames)), clip=clip)

    def only(self, keep: slice | np.ndarray) -> "Footage":
        """Some of the followed frames, without their codes."""
        parts = {f.name: getattr(self.track, f.name)[keep] for f in dataclasses.fields(self.track)}
        return dataclasses.replace(self, track=FaceTrack(**parts), stretch=None, clip=None)

    def pictures(self) -> Iterator[np.ndarray]:
        """The followed frames uint8 (H, W, 3), in order, one at a time."""
        return video.pick(self.path, self.track.ts)

    def all_frames(self) -> Iterator[tuple[float, np.ndarray | None]]:
        """(time, frame) of all frames that come out, the frame None where the face is followed."""
        if self.stretch is None:
            yield from ((float(t), None) for t in self.track.ts)
            return
        followed = iter(self.track.ts.tolist())
        wanted = next(followed, None)
        for time, frame in self.stretch.of(video.iterate(self.path)):
            if wanted is not None and abs(time - wanted) < SAME_TIME:
                wanted, frame = next(followed, None), None
            yield time, frame

    @property
    def first_time(self) -> float:
        """The time of the first frame that comes out, in seconds; a video that is read starts at 0."""
        return next(self.all_frames())[0]

    def source_frames(self) -> Iterator[np.ndarray]:
        """All frames that come out, uint8 (H, W, 3), as they are in the video."""
        if self.stretch is None:
            yield from self.pictures()
        else:
            yield from (frame for _, frame in self.stretch.of(video.iterate(self.path)))


def from_clip(clip: Clip, path: Path | str = "", beside: Path | str = "") -> Footage:
    """The footage of a clip that was inverted from a video; path: that video, "" to look for it, also beside the clip's file.

    Raises UserError for a clip of a world or without squares, for footage that is not there, and for another video.
    """
    if clip.quads is None:
        raise UserError(f"{clip.name} was not cut from a video: only clips of footage can be pasted back.")
    generators.require_same(clip.meta["generator"], clip.meta["generator_hash"], f"The clip {clip.name}")
    source = frame_sources.source_video(clip, path, beside)
    detected = np.ones(len(clip), dtype=bool) if clip.detected is None else clip.detected.numpy()
    shots = np.zeros(len(clip), dtype=np.int64) if clip.shots is None else clip.shots.numpy()
    track = FaceTrack(clip.ts.numpy(), clip.quads.numpy(), detected, shots)
    return Footage(source, track, clip.meta["generator"], clip=clip, quality=inversion_quality(clip))


def from_video(
    path: Path | str,
    generator: str,
    stretch: Stretch | None = None,
    *,
    face: str = "largest",
    detector: Callable | None = None,
    squares: Callable[[FaceTrack], FaceTrack] = lambda track: track,
    progress=None,
) -> Footage:
    """Follow the face of a video; squares: what smooths a track further.  Raises what `face_tracking.track_face` raises."""
    track = squares(face_tracking.track_face(path, stretch, face=face, detector=detector, progress=progress))
    return with_metadata(path, track, generator, stretch, {"face": face})


def from_centre(path: Path | str, generator: str, stretch: Stretch | None = None, *, progress=None) -> Footage:
    """The centre of every frame of a video, for a generator of anything but faces.

    Raises what `face_tracking.track_centre` raises.
    """
    return with_metadata(path, face_tracking.track_centre(path, stretch, progress=progress), generator, stretch, {})


def with_metadata(path: Path | str, track: FaceTrack, generator: str, stretch: Stretch | None, more: dict) -> Footage:
    """All frames of a stretch, with metadata of which they are."""
    stretch, source = stretch or Stretch(), {"source": Path(path).name, "source_sha256": assets.sha256_of(Path(path))}
    metadata = source | more | {"stretch": dataclasses.asdict(stretch)}
    return Footage(Path(path), track, generator, stretch, metadata=metadata)


def smoothed(track: FaceTrack, sigma: float) -> FaceTrack:
    """A track whose squares are smoothed over time once more, within each shot (sigma in frames)."""
    quads = track.quads.copy()
    for shot in np.unique(track.shots):
        at = track.shots == shot
        quads[at] = alignment.Squares.from_quads(quads[at]).smoothed(sigma, sigma).quads()
    return dataclasses.replace(track, quads=quads)
