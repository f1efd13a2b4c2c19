"""The frames of a video as a protocol may align them: each by itself, observed ones together, or all together."""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dynode.errors import Remark, UserError
from dynode.inversion.protocols import Protocol
from dynode.io import video
from dynode.io.video import Stretch
from dynode.perception import face_tracking
from dynode.perception.alignment import Squares
from dynode.perception.face_detection import Face
from dynode.perception.face_tracking import Detector, FaceTrack

Aligned = tuple[FaceTrack, np.ndarray]  # the frames to invert, and which of them are observed (T,) bool


def align_face(
    path: Path | str, stretch: Stretch, protocol: Protocol, face: str, detector: Detector, progress: tqdm | None = None
) -> Aligned:
    """The face of a video by a protocol.  face: as in `face_tracking.track_face`, which it raises the same as.

    independent: the chosen face of every frame by itself, in the square of its own landmarks; one shot, for a cut is
    between frames.  All frames come out; those without the face are marked, with squares interpolated between others.
    observed: see `observed_shot`.  Cuts are looked for between observed frames alone.
    """
    if protocol.name == "chain":
        track = face_tracking.track_face(path, stretch, face=face, detector=detector, progress=progress)
        return track, track.detected
    face_tracking.require_choice(face)
    ts, faces, thumbnails = detected_faces(path, stretch, detector, progress)
    if protocol.name == "independent":
        face_tracking.require_face(faces, face, path)
        remark_on_cuts(thumbnails, path)
        track = by_themselves(ts, [face_tracking.first_face(each, face) for each in faces], path)
        return track, track.detected
    shots = observed_shots(thumbnails, protocol.stride)
    face_tracking.require_face([faces[k] for shot in shots for k in shot], face, path)
    pieces = [observed_shot(ts, faces, shot, face, protocol.stride) for shot in shots]
    return joined([piece for piece in pieces if piece is not None], path)


def align_centre(path: Path | str, stretch: Stretch, protocol: Protocol, progress: tqdm | None = None) -> Aligned:
    """The central square of every frame of a video by a protocol: only shots and observed frames depend on it.

    Raises what `face_tracking.track_centre` raises.
    """
    track = face_tracking.track_centre(path, stretch, progress=progress)
    if protocol.name == "chain":
        return track, track.detected
    track = dataclasses.replace(track, shots=np.zeros_like(track.shots))
    if protocol.name == "independent":
        return track, track.detected
    thumbnails = [face_tracking.thumbnail(frame) for frame in video.pick(path, track.ts)]
    shots = observed_shots(thumbnails, protocol.stride)
    pieces = [of_shot(track, shot) for shot in shots if len(shot) > 1]
    if not pieces:
        raise UserError(
            f"{path} has no shot with two observed frames at stride {protocol.stride}: choose a smaller one."
        )
    return joined(pieces, path)


def detected_faces(
    path: Path | str, stretch: Stretch, detector: Detector, progress: tqdm | None
) -> tuple[np.ndarray, list[list[Face]], list[np.ndarray]]:
    """Times (T,), faces and thumbnails of all frames, each frame by itself."""
    ts, faces, thumbnails = [], [], []
    for time, frame in stretch.of(video.iterate(path)):
        ts.append(time)
        faces.append(detector(frame))
        thumbnails.append(face_tracking.thumbnail(frame))
        if progress is not None:
            progress.update()
    return np.array(ts), faces, thumbnails


def by_themselves(ts: np.ndarray, faces: Sequence[Face | None], path: Path | str) -> FaceTrack:
    """Every frame in the square of its own landmarks; of a frame without the face it is interpolated and marked."""
    detected = np.array([face is not None for face in faces])
    if detected.sum() < 2:
        raise UserError(
            f"The face in {path} was detected in {int(detected.sum())} frame, at least 2 are wanted: dynamics need a motion "
            "to learn."
        )
    own = [Squares.from_landmarks(face.landmarks[None]) for face in faces if face is not None]
    known = Squares(np.concatenate([each.centre for each in own]), np.concatenate([each.x for each in own]))
    quads = between(ts, ts[detected], known).quads()
    quads[detected] = known.quads()
    return FaceTrack(ts, quads, detected, np.zeros(len(ts), dtype=np.int64))


def between(ts: np.ndarray, known_ts: np.ndarray, known: Squares) -> Squares:
    """Squares at times (T,), interpolated in time between known ones; beyond them the nearest."""
    columns = np.concatenate([known.centre, known.x], axis=1).T
    centre_and_x = np.stack([np.interp(ts, known_ts, column) for column in columns], axis=1)
    return Squares(centre_and_x[:, :2], centre_and_x[:, 2:])


def remark_on_cuts(thumbnails: Sequence[np.ndarray], path: Path | str) -> None:
    """Remark where a video seems to have cuts; what is computed from its frames does not depend on that."""
    first = [int(shot[0]) for shot in shots_of(thumbnails)[1:]]
    if first:
        warnings.warn(
            f"{path} seems to have cuts before frames {', '.join(map(str, first))} of those taken, and independent frames know of none: "
            "invert each shot by itself, by --first and --frames.",
            Remark,
            stacklevel=2,
        )


def shots_of(thumbnails: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The frames of each shot, split where two neighbours differ by a cut."""
    changes = [float(np.abs(b - a).mean()) for a, b in zip(thumbnails, thumbnails[1:], strict=False)]
    return face_tracking.shot_indices(np.array(changes)) if len(thumbnails) else []


def observed_shots(thumbnails: Sequence[np.ndarray], stride: int) -> list[np.ndarray]:
    """The observed frames of each shot: every `stride`-th frame and the last, split where two of them differ by a cut."""
    at = np.unique([*range(0, len(thumbnails), stride), *range(len(thumbnails))[-1:]])
    return [at[shot] for shot in shots_of([thumbnails[k] for k in at])]


def observed_shot(ts: np.ndarray, faces: list[list[Face]], at: np.ndarray, choice: str, stride: int) -> Aligned | None:
    """One shot, from the first to the last observed frame with the face; None where fewer than two of them have it.

    at: its observed frames.  Squares are smoothed over those alone.  Squares of the frames between are interpolated in time
    from these, so they are the crop that a method predicts; a face detected in it marks such a frame as detected.
    """
    track = face_tracking.align(ts[at], face_tracking.follow([faces[k] for k in at], choice, stride), stride)
    if track is None:
        return None
    inside = np.flatnonzero((ts >= track.ts[0]) & (ts <= track.ts[-1]))
    observed = np.isin(inside, at)
    quads = between(ts[inside], track.ts, Squares.from_quads(track.quads)).quads()
    quads[observed] = track.quads
    detected = np.array([any(shows(quad, face) for face in faces[k]) for k, quad in zip(inside, quads, strict=True)])
    detected[observed] = track.detected
    whole = FaceTrack(ts[inside], quads, detected, np.zeros(len(inside), dtype=np.int64))
    return whole, observed & detected


def shows(quad: np.ndarray, face: Face) -> bool:
    """Whether the centre of a face lies in a square (4, 2), as far from its middle as half a side."""
    square = Squares.from_quads(quad[None])
    return bool(np.linalg.norm(face.centre - square.centre[0]) < np.linalg.norm(square.x[0]))


def of_shot(track: FaceTrack, at: np.ndarray) -> Aligned:
    """The frames of a track from the first to the last of the observed ones of a shot."""
    inside = slice(at[0], at[-1] + 1)
    parts = {f.name: getattr(track, f.name)[inside] for f in dataclasses.fields(track)}
    return FaceTrack(**parts), np.isin(np.arange(at[0], at[-1] + 1), at)


def joined(pieces: Sequence[Aligned], path: Path | str) -> Aligned:
    """One track of the shots' tracks, numbered, and its observed frames.  Frames between two shots are left out."""
    track = face_tracking.join_shots([piece for piece, _ in pieces], path)
    return track, np.concatenate([observed for _, observed in pieces])
