"""Tracking of one face through a video: shots, association from frame to frame, gaps, alignment squares, crops."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from dynode.errors import UserError
from dynode.io import images, video
from dynode.perception import alignment
from dynode.perception.face_detection import Face, FaceDetector

THUMBNAIL = (18, 32)  # rows, columns
CUT_LEVELS, CUT_RATIO = 15.0, 6.0  # a cut changes more grey levels than this, and this many times the median change


Detector = Callable[[np.ndarray], list[Face]]  # frame uint8 (H, W, 3) -> its faces, largest first


@dataclass(frozen=True, repr=False)
class FaceTrack:
    """One face through T frames: times (T,) s, quads (T, 4, 2) px, detected (T,) bool, shots (T,) int from 0."""

    ts: np.ndarray
    quads: np.ndarray
    detected: np.ndarray
    shots: np.ndarray

    def __repr__(self):
        return (
            f"<FaceTrack: {int(self.detected.sum())} of {len(self)} frames show the face, {self.width:.0f} pixels wide>"
        )

    def __len__(self):
        return len(self.ts)

    @property
    def width(self) -> float:
        """Mean side of the alignment square in source pixels."""
        return float(np.linalg.norm(self.quads[:, 3] - self.quads[:, 0], axis=1).mean())

    def crops(self, path: Path | str, size: int = 256) -> Iterator[torch.Tensor]:
        """The aligned crops (3, size, size) of the frames, in order, read from the video one at a time."""
        yield from aligned_crops(video.pick(path, self.ts), self.quads, size)


def track_face(
    path: Path | str,
    stretch: video.Stretch | None = None,
    *,
    face: str = "largest",
    detector: Detector | None = None,
    progress: tqdm | None = None,
) -> FaceTrack:
    """Detect, track and align one face; no frame is kept in memory, so a video may be long.

    face: "largest", or a number counted from the left, 0 first, in the frame where tracking starts.
    Squares are smoothed over all frames of a shot, and cuts are looked for between all of them.
    Frames without the face between others get an interpolated quad and detected = False; those before its first and
    after its last appearance in a shot are left out.
    Raises UserError when the file cannot be read or no frame shows the face.
    """
    require_choice(face)
    frames = (stretch or video.Stretch()).of(video.iterate(path))
    ts, faces, changes = detect_faces(frames, detector or FaceDetector(), progress)
    require_face(faces, face, path)
    shots = [align(ts[shot], follow([faces[k] for k in shot], face)) for shot in shot_indices(changes)]
    return join_shots([shot for shot in shots if shot is not None], path)


def track_centre(path: Path | str, stretch: video.Stretch | None = None, *, progress: tqdm | None = None) -> FaceTrack:
    """The central square of every frame, and the shots: the crops for generators of anything but faces.

    Raises UserError when the file cannot be read or holds a single frame.
    """
    sizes: list[tuple[int, int]] = []

    def note_size(frame: np.ndarray) -> list[Face]:
        sizes.append((frame.shape[0], frame.shape[1]))
        return []

    ts, _, changes = detect_faces((stretch or video.Stretch()).of(video.iterate(path)), note_size, progress)
    if len(ts) < 2:
        raise UserError(f"{path} has {len(ts)} of the frames asked for, at least 2 are wanted to learn a motion from.")
    shots = np.concatenate([np.full(len(shot), k) for k, shot in enumerate(shot_indices(changes))])
    quads = np.stack([centre_square(*size) for size in sizes])
    return FaceTrack(ts, quads, np.ones(len(ts), dtype=bool), shots)


def portraits(
    path: Path | str, stretch: video.Stretch, detector: Detector | None = None, size: int = 256
) -> Iterator[torch.Tensor]:
    """The largest face of each frame of a picture or video, aligned by itself: (3, size, size) in [-1, 1], one at a time.

    Raises UserError when the file cannot be read or one of the frames shows no face.
    """
    detector, k = detector or FaceDetector(), -1
    for k, (_, frame) in enumerate(stretch.of(video.iterate(path))):
        faces = detector(frame)
        if not faces:
            raise UserError(
                f"No face was found in frame {stretch.first + k * stretch.every} of {path}: give a picture of a face "
                "seen from the front, or choose other frames."
            )
        quads = alignment.Squares.from_landmarks(faces[0].landmarks[None]).quads()
        yield from aligned_crops([frame], quads, size)
    if k < 0:
        raise UserError(f"{path} ends before frame {stretch.first}: choose an earlier one.")


def centre_square(height: int, width: int) -> np.ndarray:
    """The corners (4, 2) of the largest central square of a frame, in the order of an alignment square."""
    side = min(height, width)
    left, top = (width - side) / 2 - 0.5, (height - side) / 2 - 0.5
    return np.array([[left, top], [left, top + side], [left + side, top + side], [left + side, top]])


def detect_faces(
    frames: Iterable[tuple[float, np.ndarray]], detector: Detector, progress: tqdm | None
) -> tuple[np.ndarray, list[list[Face]], np.ndarray]:
    """Times (T,) and faces of all frames, and the mean change (T - 1,) from each to the next, in grey levels."""
    ts, faces, changes, before = [], [], [], None
    for time, frame in frames:
        ts.append(time)
        faces.append(detector(frame))
        small = thumbnail(frame)
        if before is not None:
            changes.append(float(np.abs(small - before).mean()))
        before = small
        if progress is not None:
            progress.update()
    return np.array(ts), faces, np.array(changes)


def require_choice(face: str) -> None:
    """Raises UserError for a face that is neither "largest" nor a number."""
    if face != "largest" and not face.isdecimal():
        raise UserError(f"A face is 'largest' or a number counted from the left (0 first), got {face!r}.")


def require_face(faces: list[list[Face]], choice: str, path: Path | str) -> None:
    """Raises UserError for a video in which no frame shows the chosen face, or without frames; faces: those of each frame."""
    if not faces:
        raise UserError(f"{path} ends before the frames that were asked for: choose an earlier first frame.")
    most = max(map(len, faces))
    if most == 0:
        raise UserError(
            f"No face was found in the {len(faces)} frames of {path}: give footage of a face seen from the front."
        )
    if choice != "largest" and int(choice) >= most:
        raise UserError(
            f"There is no face {choice} in {path}: its frames show {most} at most; choose the largest, or a number up to "
            f"{most - 1}, counted from 0 at the left."
        )


def thumbnail(frame: np.ndarray) -> np.ndarray:
    """A frame reduced to grey float32 (18, 32) in [0, 255]."""
    grey = torch.from_numpy(frame.mean(axis=2, dtype=np.float32))
    return F.adaptive_avg_pool2d(grey[None], THUMBNAIL)[0].numpy()


def shot_indices(changes: np.ndarray) -> list[np.ndarray]:
    """The frames of each shot, split where the change (T - 1,) from frame to frame is far above its median."""
    usual = np.median(changes) if len(changes) else 0.0
    cuts = np.flatnonzero((changes > CUT_LEVELS) & (changes > CUT_RATIO * usual)) + 1
    return np.split(np.arange(len(changes) + 1), cuts)


def follow(detections: list[list[Face]], choice: str, stride: int = 1) -> list[Face | None]:
    """The same face in every frame of a shot, None where it is missing; detections: the faces of each frame.

    The nearest face counts as the same one while it moves by less than its own width, more after a gap.
    stride: the video's frames from one of these to the next.
    """
    followed: list[Face | None] = []
    last, missing = None, stride - 1
    for faces in detections:
        face = first_face(faces, choice) if last is None else nearest_face(faces, last, reach=0.75 + 0.25 * missing)
        missing = stride - 1 if face else missing + stride
        last = face or last
        followed.append(face)
    return followed


def first_face(faces: list[Face], choice: str) -> Face | None:
    """The face to start with: the largest, or the n-th from the left, None where there are not that many."""
    if choice == "largest":
        return faces[0] if faces else None
    ordered = sorted(faces, key=lambda face: face.centre[0])
    return ordered[int(choice)] if int(choice) < len(ordered) else None


def nearest_face(faces: list[Face], last: Face, reach: float) -> Face | None:
    """The face nearest to the last position, if it is within `reach` widths of it."""
    if not faces:
        return None
    distances = [np.linalg.norm(face.centre - last.centre) for face in faces]
    k = int(np.argmin(distances))
    return faces[k] if distances[k] < reach * last.width else None


def align(ts: np.ndarray, faces: list[Face | None], stride: int = 1) -> FaceTrack | None:
    """The track of one shot, from the face's first to its last appearance; None where it appears fewer than two times.

    stride: the video's frames from one of these to the next; squares are smoothed over the same time at any.
    """
    present = np.flatnonzero([face is not None for face in faces])
    if len(present) < 2:
        return None
    inside = slice(present[0], present[-1] + 1)
    points = [None if face is None else face.landmarks for face in faces[inside]]
    landmarks, detected = fill_missing(points, ts[inside])
    quads = alignment.Squares.from_landmarks(landmarks).smoothed(1.0 / stride, 3.0 / stride).quads()
    return FaceTrack(ts[inside], quads, detected, np.zeros(len(landmarks), dtype=np.int64))


def fill_missing(points: list[np.ndarray | None], ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (T, 5, 2), interpolated in time where a face was not detected, and detected (T,)."""
    detected = np.array([p is not None for p in points])
    known = np.stack([p for p in points if p is not None]).reshape(-1, 10)
    filled = np.stack([np.interp(ts, ts[detected], column) for column in known.T], axis=1)
    return filled.reshape(-1, 5, 2), detected


def join_shots(pieces: list[FaceTrack], path: Path | str) -> FaceTrack:
    """One track of the tracks of shots.  Raises UserError where there is none."""
    if not pieces:
        raise UserError(
            f"The face in {path} was followed for 1 frame, at least 2 of one shot are wanted: dynamics need a motion to "
            "learn."
        )
    shots = np.concatenate([np.full(len(piece), k) for k, piece in enumerate(pieces)])
    ts, quads, detected = (
        np.concatenate([getattr(piece, key) for piece in pieces]) for key in ("ts", "quads", "detected")
    )
    return FaceTrack(ts, quads, detected, shots)


def aligned_crops(frames: Iterable[np.ndarray], quads: np.ndarray, size: int = 256) -> Iterator[torch.Tensor]:
    """Aligned crops (3, size, size) of frames uint8 (H, W, 3): cut at 1024 pixels, reduced by area."""
    for frame, quad in zip(frames, quads, strict=True):
        large = alignment.crop(images.from_uint8(frame), quad, size=1024)[None]
        yield images.area_resize(large, size)[0]
