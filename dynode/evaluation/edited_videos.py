"""Judge an edited video beside its source: identity, content, motion, warping and the distance of clips, as rows.

A video is looked at once, and what was seen of a source is kept for all of its edits.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from dynode import clips
from dynode.errors import UserError
from dynode.evaluation.records import Row, averaged
from dynode.io import assets, video
from dynode.io import images as pictures
from dynode.metrics import consistency, frechet_video
from dynode.metrics.warping import warping_error
from dynode.perception import alignment, face_tracking, optical_flow, video_features
from dynode.perception.face_api import Recognition
from dynode.perception.face_detection import FaceDetector
from dynode.perception.identity import Identity
from dynode.settings import choose, require_positive

IDENTITIES = {"mobilefacenet": Identity, "dlib": Recognition}  # the second for a second opinion
AS_THEY_ARE = ("dlib",)  # Euclidean distances that mean something: below 0.6 is one person
CROP = 256  # pixels of an aligned face
SHORTER = 224  # pixels of the shorter side that I3D takes
WAYS = {"quads": "the source's alignment", "detected": "faces found anew", "crops": "aligned crops"}


@dataclass(frozen=True)
class JudgeSettings:
    """How videos are looked at.

    clip_len, clip_stride: frames of the clips that the Fréchet distance compares, and how far apart they begin.
    flow_size: pixels of the longer side of the images that optical flow is found in.
    missing: "skip" leaves out frames without a face and counts them, "raise" refuses them.
    """

    clip_len: int = frechet_video.CLIP_LEN
    clip_stride: int = 1
    flow_size: int = optical_flow.LONGEST
    missing: str = "skip"

    def __post_init__(self):
        require_positive(self, "clip_len", "clip_stride", "flow_size")
        choose("way with missing faces", self.missing, list(consistency.MISSING))


class Judge:
    """The networks that look at videos, loaded once.

    identities: names of IDENTITIES, for faces; none for anything else.  features: a network of `video_features`; the user's
    I3D or TransNetV2 where none is given, False for no Fréchet distance.
    """

    def __init__(
        self, settings: JudgeSettings | None = None, identities=("mobilefacenet",), features=None, device="cpu"
    ):
        self.settings, self.device = settings or JudgeSettings(), device
        self.identities = {name: choose("identity network", name, IDENTITIES)().to(device) for name in identities}
        self.features = video_features.load(device=device) if features is None else features
        self.detector = None

    def watch(self, frames, *, quads=None, crops: torch.Tensor | None = None) -> "Watched":
        """A video, uint8 (T, H, W, 3) or images (T, 3, H, W) in [-1, 1], with the faces that identity is taken from: at the
        quads (T, 4, 2) of its source, or given as aligned crops (T, 3, R, R), else found anew in every frame."""
        frames = pictures.to_uint8(frames) if isinstance(frames, torch.Tensor) else frames
        return Watched(self, frames, None if quads is None else np.asarray(quads), crops)

    def faces(self, frames: np.ndarray) -> list[np.ndarray | None]:
        """The quad of the largest face of every frame, followed from frame to frame; None where none is found."""
        self.detector = self.detector or FaceDetector()
        found = [self.detector(frame) for frame in frames]
        followed = face_tracking.follow(found, "largest") if any(found) else found
        return [
            alignment.Squares.from_landmarks(face.landmarks[None]).quads()[0] if face else None for face in followed
        ]


@dataclass
class Watched:
    """A video uint8 (T, H, W, 3) and what the judge's networks see in it, each looked at when it is first asked for."""

    judge: Judge
    frames: np.ndarray
    quads: np.ndarray | None = None
    crops: torch.Tensor | None = None
    known: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.frames)

    @property
    def way(self) -> str:
        """Where the faces come from, in words."""
        return WAYS["crops" if self.crops is not None else "quads" if self.quads is not None else "detected"]

    def identity(self, name: str) -> torch.Tensor:
        """Vectors (T, K) of that identity network, NaN where no face was found."""
        if name not in self.known:
            network, (crops, shown) = self.judge.identities[name], self.aligned
            with torch.no_grad():
                parts = (part.to(self.judge.device) for part in crops.split(8)) if shown.any() else ()
                seen = [network(part).double().cpu() for part in parts] or [torch.zeros(0, 1)]
            vectors = torch.full((len(self), seen[0].shape[1]), torch.nan, dtype=torch.float64)
            vectors[shown] = torch.cat(seen).double()
            self.known[name] = vectors
        return self.known[name]

    @cached_property
    def aligned(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Aligned faces (n, 3, R, R) and which frames (T,) bool show one."""
        if self.crops is not None:
            return self.crops, torch.ones(len(self), dtype=torch.bool)
        quads = self.judge.faces(self.frames) if self.quads is None else list(self.quads)
        shown = np.array([quad is not None for quad in quads])
        kept = [quad for quad in quads if quad is not None]
        crops = (
            torch.stack(list(face_tracking.cut(self.frames[shown], np.stack(kept), CROP))) if kept else torch.zeros(0)
        )
        return crops, torch.from_numpy(shown)

    def reduced(self, longest: int) -> torch.Tensor:
        """Images (T, 3, h, w) whose longer side has at most so many pixels: a long video fits into memory so."""
        parts = np.array_split(self.frames, -(-len(self.frames) // 8))
        return torch.cat([optical_flow.reduced(pictures.from_uint8(part), longest) for part in parts])

    @cached_property
    def small(self) -> torch.Tensor:
        """The frames reduced to what optical flow is found in."""
        return self.reduced(self.judge.settings.flow_size)

    @cached_property
    def flows(self) -> optical_flow.Flows:
        """Flow both ways and what is seen: of a source."""
        return optical_flow.flows(self.small)

    @cached_property
    def backward(self) -> torch.Tensor:
        """Flow to the frame before alone, which is all that is asked of an edited video."""
        return self.flows.backward if "flows" in self.__dict__ else optical_flow.flows(self.small, both=False).backward

    @cached_property
    def clip_features(self) -> torch.Tensor:
        """What the network for video sees in every clip, (n, K); no network wants more than SHORTER pixels."""
        s, (height, width) = self.judge.settings, self.frames.shape[1:3]
        frames = self.reduced(-(-SHORTER * max(height, width) // min(height, width)))
        return frechet_video.windows([frames], self.judge.features, s.clip_len, s.clip_stride)[0]


def rows(source: Watched, edited: Watched, **named) -> tuple[list[Row], tuple[str, ...]]:
    """Every measure of an edited video beside its source, those of the source itself under the method "source"; warnings.

    named: fields of all rows, such as clip, method, variant (of the edit: "smile 1.5").  `reference` of a row tells which
    identity network looked at which faces.  Numbers that do not exist (motion over that of a still source) have no row.
    Raises UserError for videos of different frames, and where no two frames show a face.
    """
    require_same_frames(source.frames, edited.frames)
    own = named | {"method": "source", "variant": ""}
    found = [*content_rows(source, **own), *content_rows(edited, **named), *identity_rows(source, edited, **named)]
    found += [*motion_rows(source, source, **own), *motion_rows(source, edited, **named)]
    distances, warnings = distance_rows([source], [edited], **named) if source.judge.features else ([], ())
    return [row for row in found + distances if math.isfinite(row.value)], warnings


def require_same_frames(source: np.ndarray, edited: np.ndarray) -> None:
    if source.shape != edited.shape:
        raise UserError(
            f"The source has {size_of(source)}, the edited video {size_of(edited)}: both must show the same frames at the same size."
        )


def size_of(frames: np.ndarray) -> str:
    return f"{len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} pixels"


def read_pair(
    source: str, edited: str, frames: int = 0, clip: str = ""
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Both videos uint8 (T, H, W, 3), and the quads (T, 4, 2) of the source's clip if one is named.

    source: a file or an asset; with a clip, its frames are the clip's.  Raises UserError for files that cannot be read, for
    videos of different frames, and for a clip without alignment.
    """
    if frames < 0:
        raise UserError(f"The number of frames to look at is 0 (all) or more, got {frames}.")
    path = assets.fetch(source) if source in assets.registry()[1] else Path(source)
    later, _ = video.read(edited, frames or None)
    one, quads = aligned_frames(path, clip, frames) if clip else (video.read(path, frames or None)[0], None)
    require_same_frames(one, later)
    return one, later, quads


def aligned_frames(path: Path, clip: str, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames of a clip in its video, and their quads."""
    known = clips.load(clip)
    if known.quads is None:
        raise UserError(f"The clip {known.name} knows no alignment: it was not made from a video of a face.")
    known = known.head(frames or len(known))
    return np.stack(list(video.pick(path, known.ts.numpy()))), known.quads.numpy()


def identity_rows(source: Watched, edited: Watched, **named) -> Iterator[Row]:
    """Identity ratios, drift and likeness by each network; how many frames show no face, where some do not."""
    missing = source.judge.settings.missing
    for name in source.judge.identities:
        seen = {"reference": f"{name}, {edited.way}"} | named
        pair = source.identity(name), edited.identity(name)
        for measure in (consistency.tl_id, consistency.tg_id, consistency.src_id, consistency.acd_reference):
            one, other = pair if measure is not consistency.acd_reference else pair[::-1]
            options = {"normalise": name not in AS_THEY_ARE} if measure is consistency.acd_reference else {}
            value = measure(one, other, missing=missing, **options)
            yield Row(measure.__name__, float(value), n=value.n, **seen)
        if not pair[1][0].isnan().any():
            value = consistency.edit_id(pair[1], missing)
            yield Row("edit_id", float(value), n=value.n, **seen)
        faceless = int((pair[0] + pair[1]).isnan().any(1).sum())
        if faceless:
            yield Row("frames_without_face", float(faceless), n=len(source), **seen)


def content_rows(video: Watched, **named) -> Iterator[Row]:
    """Average content distance of all pairs and of neighbours: of identity vectors, of mean colours where no face is meant.

    Vectors are unit vectors, but for networks AS_THEY_ARE."""
    missing = video.judge.settings.missing
    seen = {f"{name}, {video.way}": (video.identity(name), name not in AS_THEY_ARE) for name in video.judge.identities}
    for reference, (features, unit) in (
        seen or {"mean colour": (torch.from_numpy(video.frames.mean((1, 2)) / 127.5 - 1), False)}
    ).items():
        for pairs, metric in (("all", "acd"), ("adjacent", "acd_adjacent")):
            value = consistency.acd(features, pairs, normalise=unit, missing=missing)
            yield Row(metric, float(value), n=value.n, reference=reference, **named)


def motion_rows(source: Watched, edited: Watched, **named) -> Iterator[Row]:
    """Warping error along the source's flow, and how much, and how alike, the edited video moves."""
    seen = named | {"reference": f"{optical_flow.NAME} at {max(source.small.shape[-2:])} pixels"}
    error = warping_error(edited.small, source.flows.backward, source.flows.seen)
    yield Row("warping_error", error, unit="[-1,1]^2", **seen)
    if edited is not source:
        yield Row("flow_ratio", consistency.flow_ratio(source.backward, edited.backward), **seen)
        yield Row("flow_agreement", consistency.flow_agreement(source.backward, edited.backward), **seen)
        yield Row("motion_ratio", consistency.motion_ratio(source.small, edited.small), **seen)


def distance_rows(sources: list[Watched], edits: list[Watched], **named) -> tuple[list[Row], tuple[str, ...]]:
    """One Fréchet distance between the clips of all sources and of all edited videos, and what must be said of it.

    Videos that are too short for two clips together have none, and the warning tells so.
    """
    judge = sources[0].judge
    settings, network = judge.settings, judge.features.name
    pairs = [(one.clip_features, two.clip_features) for one, two in zip(sources, edits, strict=True)]
    kept = [pair for pair in pairs if len(pair[0])] or pairs[:1]
    real, fake = (torch.cat(found) for found in zip(*kept, strict=True))
    if min(len(real), len(fake)) < 2:
        missing = f"Less than 2 clips of {settings.clip_len} frames: no {frechet_video.name_of(network)}."
        return [], (missing,)
    found = frechet_video.distance(real, fake, network, settings.clip_len, settings.clip_stride)
    short = len(pairs) - len(kept)
    left_out = (f"{short} videos are shorter than {settings.clip_len} frames and left out.",) if short else ()
    told = f"{found.n_clips[0]} clips of {settings.clip_len} frames, {found.dims} dimensions"
    return [
        Row(found.name, found.value, n=found.n_clips[1], **({"reference": told} | named))
    ], left_out + found.warnings


def stand_ins(judge: Judge) -> tuple[str, ...]:
    """What here is not what the paper measured with."""
    network = getattr(judge.features, "name", "")
    found = [] if network in ("", "i3d") else [f"video features: {network} for I3D"]
    return tuple([f"identity: {name} for ArcFace IR-SE50" for name in judge.identities] + found)


def mean_rows(found: list[Row]) -> list[Row]:
    """Over the clips of each method and edit: mean, std over clips, n of them; distances of clips are means too."""
    return averaged([dataclasses.replace(row, clip="", n=1, std=None) for row in found])
