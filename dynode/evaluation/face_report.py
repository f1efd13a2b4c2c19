"""The report on the faces of an inversion: a line of numbers, and plain warnings of what a person would notice."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from dynode import generators, runtime
from dynode.border import public
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation.blinks import Blink
from dynode.evaluation.face_fidelity import BATCH, SIZE, FaceFidelity, FaceNetworks, fidelity, of_pairs
from dynode.evaluation.records import Row
from dynode.generators import Generator, tuned
from dynode.generators.registry import of_clip
from dynode.inversion.frame_sources import source_video
from dynode.inversion.invert_frames import SMALL_FACE
from dynode.io.video import pick
from dynode.perception.face_tracking import aligned_crops

# Of 120 random faces of mobilestylegan-ffhq 19 in 20 have yaws up to 37 and pitches of -20 to 25 degrees; none a yaw above 52.
YAW, PITCH = 40, 30  # degrees
# Means.  In the footage of the assets, frames shifted by a pixel of 256 and recompressed differ by 0.003 to 0.008, 0.004 to 0.013
# and 0.002 to 0.005, neighbouring frames, which move, by up to 0.03, 0.03 and 0.04; eyes of another person by 0.05 and 0.07 or more.
EYES, GAZE, MOUTH = 0.03, 0.035, 0.02
DETAIL = 0.65  # shifted frames have 0.94 and more; where teeth are gone and where eyes are smears 0.4 to 0.55
# Neighbouring frames have 0.92 to 0.99 and 0.06 to 0.21, two people at most 0.24 and at least 0.68.
DISTANCE = 0.3
MOST_NAMED = 6  # times in a sentence


@dataclass(frozen=True, repr=False)
class FaceReport:
    """A comparison of faces with their source.

    width: the side of the face's square in pixels of the footage, 0 where unknown.  tuned: whether a tuned generator made them.
    """

    fidelity: FaceFidelity
    width: float = 0.0
    tuned: bool = False

    def __repr__(self):
        return f"<FaceReport: {self.line}>"

    @property
    def line(self) -> str:
        """The numbers."""
        return f"faces beside the footage: {self.fidelity.text}"

    @property
    def warnings(self) -> list[str]:
        """A sentence for each thing that a person would notice, or that keeps a face from looking right."""
        made = (self.size_warning, self.pose_warning, self.blink_warning, *self.region_warnings, self.identity_warning)
        return [sentence for sentence in made if sentence]

    @property
    def text(self) -> str:
        """All of it, one sentence a line."""
        return "\n".join([self.line, *self.warnings])

    def rows(self, observed: np.ndarray | None = None, **identity: Any) -> list[Row]:
        """The numbers as rows, see `FaceFidelity.rows`."""
        return self.fidelity.rows(observed, **identity)

    @property
    def size_warning(self) -> str:
        if not 0 < self.width < SMALL_FACE:
            return ""
        return (
            f"The face is too small: it is cut out {self.width:.0f} pixels wide, and below {SMALL_FACE} the eyes and teeth that "
            "are made are not in the footage."
        )

    @property
    def pose_warning(self) -> str:
        yaw, pitch = self.fidelity.pose
        far = np.flatnonzero((np.abs(yaw) > YAW) | (np.abs(pitch) > PITCH))
        if not len(far):
            return ""
        return (
            f"The head is turned too far in {len(far)} of {len(yaw)} frames, at {self.times(far)} (yaw up to "
            f"{np.abs(yaw).max():.0f} degrees, pitch up to {np.abs(pitch).max():.0f}): the generator's faces are seldom beyond "
            f"{YAW} and {PITCH}."
        )

    @property
    def blink_warning(self) -> str:
        match = self.fidelity.blinks
        parts = [
            f"{words}, at {self.spans(events)}"
            for words, events in ((match.lost, match.missing), (match.added, match.extra))
            if words
        ]
        return f"Blinks: {', and '.join(parts)}." if parts else ""

    @property
    def region_warnings(self) -> list[str]:
        return [self.off("eyes", {"eye_opening": EYES, "gaze": GAZE}), self.off("mouth", {"mouth_opening": MOUTH})]

    def off(self, region: str, limits: dict[str, float]) -> str:
        """A sentence for a region whose geometry is off by more than its limits, or whose detail is another."""
        mean, detail = self.fidelity.mean, f"detail_{region}"
        reasons = [
            f"{name.replace('_', ' ')} by {mean(name):.3f}" for name, limit in limits.items() if mean(name) > limit
        ]
        if mean(detail) < DETAIL:
            worst = self.fidelity.ts[self.fidelity.worst(detail)]
            reasons.append(f"only {100 * mean(detail):.0f} % of its detail agrees, least at {worst:.2f} s")
        if not reasons:
            return ""
        advice = "" if self.tuned else "; tuning the generator to the person (`dynode tune`) helps"
        return f"Off beside the footage, {region}: {', '.join(reasons)}{advice}."

    @property
    def identity_warning(self) -> str:
        cosine, distance = self.fidelity.mean("identity"), self.fidelity.mean("dlib_distance")
        if distance <= DISTANCE:  # of the network that no inversion optimises
            return ""
        others = "more steps" if self.tuned else "more steps or tuning the generator (`dynode tune`)"
        return (
            f"The identity is low: cosine {cosine:.2f} and dlib distance {distance:.2f}, a good likeness has a distance of at most "
            f"{DISTANCE}; {others} may help, a larger face more."
        )

    def times(self, frames: np.ndarray) -> str:
        named = ", ".join(f"{self.fidelity.ts[k]:.2f}" for k in frames[:MOST_NAMED])
        return named + (", ..." if len(frames) > MOST_NAMED else "") + " s"

    def spans(self, events: tuple[Blink, ...]) -> str:
        return self.times(np.array([event.first for event in events]))


def inversion_report(
    clip: Clip, source: torch.Tensor, made: torch.Tensor, networks: FaceNetworks | None = None
) -> FaceReport:
    """The report on faces made from a clip, images (n, 3, R, R) in [-1, 1] of its frames with the face, beside their source."""
    compared = fidelity(source, made, clip.ts.numpy()[with_face(clip)], networks=networks)
    return FaceReport(compared, width_of(clip), tuned="tuning" in clip.meta)


def with_face(clip: Clip) -> np.ndarray:
    """Which frames (T,) bool were inverted: codes of the others are interpolated, and have no face beside them."""
    return np.ones(len(clip), dtype=bool) if clip.detected is None else clip.detected.numpy()


def width_of(clip: Clip) -> float:
    """The mean side of the alignment squares in pixels; 0 of a clip that has none."""
    return 0.0 if clip.quads is None else float((clip.quads[:, 3] - clip.quads[:, 0]).norm(dim=1).mean())


@public
def clip_fidelity(
    clip: Clip,
    generator: Generator | None = None,
    footage: Path | str = "",
    *,
    tuning: Path | str = "",
    networks: FaceNetworks | None = None,
    device: torch.device | str = "cpu",
) -> FaceReport:
    """Render every frame of a clip of a face and compare it with the clip's footage; about a second a frame on 2 cores.

    generator: what renders the codes, by default the clip's own, tuned if the clip or `tuning` names a tuning.  footage: the
    video, "" to look for it.  Raises UserError for a clip of anything but a face, and where the footage is not there.
    """
    quads, device, kept = squares_of(clip), runtime.device(device), with_face(clip)
    generator = generator or of_clip(clip.meta, f"The clip {clip.name}", tuning, device)
    ts, ws = clip.ts.numpy()[kept], clip.ws[torch.from_numpy(kept)]
    frames = parts_of(aligned_crops(pick(source_video(clip, footage), ts), quads[kept], SIZE), BATCH)
    pairs = (
        (source, generators.render(generator, codes, SIZE))
        for source, codes in zip(frames, ws.split(BATCH), strict=True)
    )
    with tqdm(total=len(ts), desc="compare faces", unit="frame", mininterval=1, delay=0.1) as bar:
        compared = of_pairs(pairs, ts, networks or FaceNetworks().to(device), bar)
    return FaceReport(compared, width_of(clip), tuned=bool(tuned.hash_of(generator)))


def parts_of(frames: Iterator[torch.Tensor], size: int) -> Iterator[torch.Tensor]:
    """Frames (3, R, R), one at a time, as parts (n, 3, R, R) of `size` each but the last."""
    while part := list(islice(frames, size)):
        yield torch.stack(part)


def squares_of(clip: Clip) -> np.ndarray:
    """The alignment squares (T, 4, 2) of a clip of a face.  Raises UserError for any other clip."""
    if clip.quads is None or not of_face(clip):
        raise UserError(f"{clip.name} is no clip of a face in a video: its frames have no eyes to compare.")
    return clip.quads.numpy()


def of_face(clip: Clip) -> bool:
    """Whether the frames of a clip are aligned faces of a video."""
    return clip.quads is not None and generators.category_of(clip.meta.get("generator", "")) == "face"
