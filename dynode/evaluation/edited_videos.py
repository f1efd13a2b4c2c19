"""Evaluation of an edited video beside its source: identity, content, motion, warping and the distance of clips, as rows.

Each network sees a video once; the features of a source serve all of its edits.  Frames stream through: of a video in a
file vectors, mean colours and features of clips are kept, no images.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import nn

from dynode.errors import UserError
from dynode.evaluation import motion
from dynode.evaluation.motion import Step
from dynode.evaluation.records import Row
from dynode.io import images as pictures
from dynode.metrics import METRICS, consistency, frechet_video
from dynode.metrics.frechet_video import VideoNetwork
from dynode.perception import alignment, face_tracking, optical_flow, video_features
from dynode.perception.face_api import Recognition
from dynode.perception.face_detection import FaceDetector
from dynode.perception.identity import Identity
from dynode.settings import choose, require_positive

IDENTITIES: dict[str, Callable[[], nn.Module]] = {"mobilefacenet": Identity, "dlib": Recognition}
UNNORMALISED = ("dlib",)  # its Euclidean distances have a meaning: below 0.6 is one person
BATCH = 8  # faces
CROP = 256  # pixels of an aligned face
SHORTER = 224  # pixels of the shorter side that I3D takes
FACE_SOURCES = {"quads": "the source's alignment", "detected": "faces found anew", "crops": "aligned crops"}


@dataclass(frozen=True)
class VideoEvaluatorSettings:
    """How videos are compared.

    clip_len, clip_stride: frames of the clips that the Fréchet distance compares, and how far apart they begin.
    flow_size: pixels of the longer side of the images whose optical flow is estimated.
    missing: "skip" leaves out frames without a face and counts them, "raise" refuses them.
    """

    clip_len: int = frechet_video.CLIP_LEN
    clip_stride: int = 1
    flow_size: int = optical_flow.LONGEST
    missing: str = "skip"

    def __post_init__(self):
        require_positive(self, "clip_len", "clip_stride", "flow_size")
        choose("mode for missing faces", self.missing, consistency.MISSING)


class VideoEvaluator:
    """The networks that edited videos are evaluated with, loaded once.

    identities: names of IDENTITIES, for faces; none for anything else.
    video_network: one of `video_features`; the user's I3D or TransNetV2 where none is given, False for no Fréchet distance.
    """

    def __init__(
        self,
        settings: VideoEvaluatorSettings | None = None,
        identities: Sequence[str] = ("mobilefacenet",),
        video_network: VideoNetwork | Literal[False] | None = None,
        device: torch.device | str = "cpu",
    ):
        self.settings, self.device = settings or VideoEvaluatorSettings(), device
        self.identities = {name: choose("identity network", name, IDENTITIES)().to(device) for name in identities}
        chosen = video_features.load(device=device) if video_network is None else video_network
        self.video_network: VideoNetwork | None = chosen or None
        self.detector: FaceDetector | None = None

    def features_of(
        self,
        frames: "Frames | torch.Tensor",
        *,
        quads: np.ndarray | torch.Tensor | None = None,
        crops: torch.Tensor | None = None,
    ) -> "VideoFeatures":
        """A video, uint8 (T, H, W, 3) or images (T, 3, H, W) in [-1, 1], with its features.

        Faces for identity: at the quads (T, 4, 2) of the source, or given as aligned crops (T, 3, R, R), else detected in
        every frame.
        """
        frames = pictures.to_uint8(frames) if isinstance(frames, torch.Tensor) else frames
        return VideoFeatures(self, frames, None if quads is None else np.asarray(quads), crops)

    def faces(self, frames: Iterable[np.ndarray]) -> list[np.ndarray | None]:
        """The quad of the largest face of every frame, followed from frame to frame; None where none is detected."""
        self.detector = self.detector or FaceDetector()
        detected = [self.detector(frame) for frame in frames]
        if not any(detected):
            return [None] * len(detected)
        followed = face_tracking.follow(detected, "largest")
        return [
            alignment.Squares.from_landmarks(face.landmarks[None]).quads()[0] if face else None for face in followed
        ]


class Frames(Protocol):
    """Frames uint8 (T, H, W, 3): an array, or those of a file, which every iteration reads anew."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[np.ndarray]: ...


@dataclass
class VideoFeatures:
    """A video uint8 (T, H, W, 3) and its features by the evaluator's networks, each computed when it is first needed."""

    evaluator: VideoEvaluator
    frames: Frames
    quads: np.ndarray | None = None
    crops: torch.Tensor | None = None
    known_steps: list[Step] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def face_source(self) -> str:
        """Where the faces come from, in words."""
        return FACE_SOURCES["crops" if self.crops is not None else "quads" if self.quads is not None else "detected"]

    def identity(self, name: str) -> torch.Tensor:
        """Vectors (T, K) of that identity network, NaN where there is no face."""
        return self.vectors[name]

    @cached_property
    def vectors(self) -> dict[str, torch.Tensor]:
        """Vectors (T, K) of every identity network."""
        crops, visible = self.aligned
        networks, parts = self.evaluator.identities, {name: [] for name in self.evaluator.identities}
        with torch.no_grad():
            while batch := list(islice(crops, BATCH)):
                faces = torch.stack(batch).to(self.evaluator.device)
                for name, network in networks.items():
                    parts[name].append(network(faces).double().cpu())
        return {name: spread(torch.cat(known or [torch.zeros(0, 1)]), visible) for name, known in parts.items()}

    @property
    def aligned(self) -> tuple[Iterator[torch.Tensor], torch.Tensor]:
        """Aligned faces (3, R, R), one at a time, and which frames (T,) bool have one."""
        if self.crops is not None:
            return iter(self.crops), torch.ones(len(self), dtype=torch.bool)
        quads = self.evaluator.faces(self.frames) if self.quads is None else list(self.quads)
        visible = torch.tensor([quad is not None for quad in quads])
        shown = (frame for frame, quad in zip(self.frames, quads, strict=True) if quad is not None)
        kept = np.array([quad for quad in quads if quad is not None])
        return face_tracking.aligned_crops(shown, kept, CROP), visible

    @cached_property
    def mean_colours(self) -> torch.Tensor:
        """The mean colour (T, 3) of every frame, in [-1, 1]."""
        return torch.from_numpy(np.stack([frame.mean((0, 1)) for frame in self.frames]) / 127.5 - 1)

    def reduced(self, longest: int) -> Iterator[torch.Tensor]:
        """Images (3, h, w), one at a time, whose longer side has at most N pixels."""
        return (optical_flow.reduced(pictures.from_uint8(frame)[None], longest)[0] for frame in self.frames)

    def steps(self, both: bool) -> Iterable[Step]:
        """The steps from frame to frame, reduced to the size of optical flow; those of frames in memory are kept.

        both: with what is occluded, as a source needs them.
        """
        if self.known_steps and (self.known_steps[0].flows.unoccluded is not None or not both):
            return self.known_steps
        steps = motion.steps(self.reduced(self.evaluator.settings.flow_size), both)
        if isinstance(self.frames, np.ndarray):
            self.known_steps = list(steps)
            return self.known_steps
        return steps

    @cached_property
    def clip_features(self) -> torch.Tensor:
        """Features (n, K) of every clip by the video network; no network takes more than SHORTER pixels."""
        s, network, (height, width) = self.evaluator.settings, self.evaluator.video_network, self.frames.shape[1:3]
        if network is None:
            raise UserError("Features of clips need a video network: the evaluator was made without one.")
        frames = self.reduced(-(-SHORTER * max(height, width) // min(height, width)))
        return frechet_video.windows([frames], network, s.clip_len, s.clip_stride)[0]


def spread(vectors: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """Vectors (T, K) of those (n, K) of the frames (T,) bool that have one, NaN for the others."""
    every = torch.full((len(visible), vectors.shape[1]), torch.nan, dtype=torch.float64)
    every[visible] = vectors.double()
    return every


def edit_rows(source: VideoFeatures, edited: VideoFeatures, **identity: Any) -> tuple[list[Row], tuple[str, ...]]:
    """Every measure of an edited video beside its source, those of the source itself under the method "source"; warnings.

    identity: fields of all rows, such as clip, method, variant (of the edit: "smile 1.5").  The `reference` of a row says
    which identity network compared which faces.  Numbers that do not exist (motion over that of a still source) have no
    row.  Raises UserError for videos of different frames, and where no two frames show a face.
    """
    require_same_frames(source.frames, edited.frames)
    own = identity | {"method": "source", "variant": ""}
    rows = [*content_rows(source, **own), *content_rows(edited, **identity), *identity_rows(source, edited, **identity)]
    rows += motion_rows(source, edited, own, identity)
    distances, warnings = distance_rows([source], [edited], **identity)
    return [row for row in rows + distances if math.isfinite(row.value)], warnings


def require_same_frames(source: Frames, edited: Frames) -> None:
    if source.shape != edited.shape:
        raise UserError(
            f"The source has {size_of(source)}, the edited video {size_of(edited)}: both must show the same frames at the same size."
        )


def size_of(frames: Frames) -> str:
    return f"{len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} pixels"


def identity_rows(source: VideoFeatures, edited: VideoFeatures, **identity: Any) -> Iterator[Row]:
    """Identity ratios, drift and similarity by each network; the number of frames without a face, where there are any."""
    missing = source.evaluator.settings.missing
    for name in source.evaluator.identities:
        named: dict[str, Any] = {"reference": f"{name}, {edited.face_source}"} | identity
        before, after = source.identity(name), edited.identity(name)
        unit_vectors = name not in UNNORMALISED
        measures = {
            "tl_id": consistency.tl_id(before, after, missing),
            "tg_id": consistency.tg_id(before, after, missing),
            "src_id": consistency.src_id(before, after, missing),
            "acd_reference": consistency.acd_reference(after, before, unit_vectors, missing),
        }
        if not after[0].isnan().any():
            measures["edit_id"] = consistency.edit_id(after, missing)
        for metric, value in measures.items():
            yield Row(metric, float(value), n=value.n, **named)
        faceless = int((before + after).isnan().any(1).sum())
        if faceless:
            yield Row("frames_without_face", float(faceless), n=len(source), **named)


def content_rows(features: VideoFeatures, **identity: Any) -> Iterator[Row]:
    """Average content distance of all pairs and of neighbours: of identity vectors, or of mean colours without faces.

    Vectors are unit vectors, but for networks that are UNNORMALISED.
    """
    evaluator = features.evaluator
    content = {
        f"{name}, {features.face_source}": (features.identity(name), name not in UNNORMALISED)
        for name in evaluator.identities
    }
    if not content:
        content = {"mean colour": (features.mean_colours, False)}
    for reference, (vectors, unit_vectors) in content.items():
        for pairs, metric in (("all", "acd"), ("adjacent", "acd_adjacent")):
            value = consistency.acd(vectors, pairs, normalise=unit_vectors, missing=evaluator.settings.missing)
            yield Row(metric, float(value), n=value.n, reference=reference, **identity)


def motion_rows(
    source: VideoFeatures, edited: VideoFeatures, own: dict[str, Any], identity: dict[str, Any]
) -> list[Row]:
    """Warping error along the source's flow of both; how much the edited video moves, and how much as its source does.

    own, identity: fields of the source's rows and of the edited video's.
    """
    alone, beside = motion.compared(source.steps(both=True), edited.steps(both=False))
    longest = min(source.evaluator.settings.flow_size, max(source.frames.shape[1:3]))
    reference, unit = f"{optical_flow.NAME} at {longest} pixels", METRICS["warping_error"].unit
    shared: dict[str, Any] = {"reference": reference}
    errors = [
        Row("warping_error", one["error"], unit=unit, **named | shared)
        for one, named in ((alone, own), (beside, identity))
    ]
    return errors + [Row(name, value, **identity | shared) for name, value in motion.measures(alone, beside).items()]


def distance_rows(
    sources: Sequence[VideoFeatures], edits: Sequence[VideoFeatures], **identity: Any
) -> tuple[list[Row], tuple[str, ...]]:
    """One Fréchet distance between the clips of all sources and of all edited videos, and warnings about it.

    Videos that are too short for two clips together have none, which a warning says; without a video network there is
    neither.
    """
    settings, network = sources[0].evaluator.settings, sources[0].evaluator.video_network
    if network is None:
        return [], ()
    pairs = [(one.clip_features, two.clip_features) for one, two in zip(sources, edits, strict=True)]
    kept = [pair for pair in pairs if len(pair[0])] or pairs[:1]
    real, fake = (torch.cat(each) for each in zip(*kept, strict=True))
    if min(len(real), len(fake)) < 2:
        missing = f"Less than 2 clips of {settings.clip_len} frames: no {frechet_video.name_of(network.name)}."
        return [], (missing,)
    result = frechet_video.distance(real, fake, network.name, settings.clip_len, settings.clip_stride)
    short = len(pairs) - len(kept)
    left_out = (f"{short} videos are shorter than {settings.clip_len} frames and left out.",) if short else ()
    reference = f"{result.n_clips[0]} clips of {settings.clip_len} frames, {result.dims} dimensions"
    named: dict[str, Any] = {"reference": reference} | identity
    return [Row(result.name, result.value, n=result.n_clips[1], **named)], left_out + result.warnings


def stand_ins(evaluator: VideoEvaluator) -> tuple[str, ...]:
    """The networks that stand in for those of the paper."""
    network = getattr(evaluator.video_network, "name", "")
    features = [] if network in ("", "i3d") else [f"video features: {network} for I3D"]
    return tuple([f"identity: {name} for ArcFace IR-SE50" for name in evaluator.identities] + features)
