"""Evaluation of an edited video beside its source: identity, content, motion, warping and the distance of clips, as rows.

Each network sees a video once; the features of a source serve all of its edits.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from dynode import clips
from dynode.errors import UserError
from dynode.evaluation.records import Row
from dynode.io import assets, video
from dynode.io import images as pictures
from dynode.metrics import METRICS, consistency, frechet_video
from dynode.metrics.frechet_video import VideoNetwork
from dynode.metrics.warping import warping_error
from dynode.perception import alignment, face_tracking, optical_flow, video_features
from dynode.perception.face_api import Recognition
from dynode.perception.face_detection import FaceDetector
from dynode.perception.identity import Identity
from dynode.settings import choose, require_positive

IDENTITIES: dict[str, Callable[[], nn.Module]] = {"mobilefacenet": Identity, "dlib": Recognition}
UNNORMALISED = ("dlib",)  # its Euclidean distances have a meaning: below 0.6 is one person
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
        frames: np.ndarray | torch.Tensor,
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

    def faces(self, frames: np.ndarray) -> list[np.ndarray | None]:
        """The quad of the largest face of every frame, followed from frame to frame; None where none is detected."""
        self.detector = self.detector or FaceDetector()
        detected = [self.detector(frame) for frame in frames]
        if not any(detected):
            return [None] * len(frames)
        followed = face_tracking.follow(detected, "largest")
        return [
            alignment.Squares.from_landmarks(face.landmarks[None]).quads()[0] if face else None for face in followed
        ]


@dataclass
class VideoFeatures:
    """A video uint8 (T, H, W, 3) and its features by the evaluator's networks, each computed when it is first needed."""

    evaluator: VideoEvaluator
    frames: np.ndarray
    quads: np.ndarray | None = None
    crops: torch.Tensor | None = None
    vectors: dict[str, torch.Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def face_source(self) -> str:
        """Where the faces come from, in words."""
        return FACE_SOURCES["crops" if self.crops is not None else "quads" if self.quads is not None else "detected"]

    def identity(self, name: str) -> torch.Tensor:
        """Vectors (T, K) of that identity network, NaN where there is no face."""
        if name not in self.vectors:
            network, (crops, visible) = self.evaluator.identities[name], self.aligned
            with torch.no_grad():
                parts = (part.to(self.evaluator.device) for part in crops.split(8)) if visible.any() else ()
                known = [network(part).double().cpu() for part in parts] or [torch.zeros(0, 1)]
            vectors = torch.full((len(self), known[0].shape[1]), torch.nan, dtype=torch.float64)
            vectors[visible] = torch.cat(known).double()
            self.vectors[name] = vectors
        return self.vectors[name]

    @cached_property
    def aligned(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Aligned faces (n, 3, R, R), and which frames (T,) bool have one."""
        if self.crops is not None:
            return self.crops, torch.ones(len(self), dtype=torch.bool)
        quads = self.evaluator.faces(self.frames) if self.quads is None else list(self.quads)
        visible = np.array([quad is not None for quad in quads])
        if not visible.any():
            return torch.zeros(0), torch.from_numpy(visible)
        kept = np.stack([quad for quad in quads if quad is not None])
        crops = torch.stack(list(face_tracking.aligned_crops(self.frames[visible], kept, CROP)))
        return crops, torch.from_numpy(visible)

    def reduced(self, longest: int) -> torch.Tensor:
        """Images (T, 3, h, w) whose longer side has at most N pixels: a long video fits into memory so."""
        parts = np.array_split(self.frames, -(-len(self.frames) // 8))
        return torch.cat([optical_flow.reduced(pictures.from_uint8(part), longest) for part in parts])

    @cached_property
    def small(self) -> torch.Tensor:
        """The frames, reduced to the size at which optical flow is estimated."""
        return self.reduced(self.evaluator.settings.flow_size)

    @cached_property
    def flows(self) -> optical_flow.Flows:
        """Flow in both directions and what is occluded: of a source."""
        return optical_flow.flows(self.small)

    @cached_property
    def backward(self) -> torch.Tensor:
        """Flow to the previous frame alone, which is all that is needed of an edited video."""
        return self.flows.backward if "flows" in self.__dict__ else optical_flow.flows(self.small, both=False).backward

    @cached_property
    def clip_features(self) -> torch.Tensor:
        """Features (n, K) of every clip by the video network; no network takes more than SHORTER pixels."""
        s, network, (height, width) = self.evaluator.settings, self.evaluator.video_network, self.frames.shape[1:3]
        if network is None:
            raise UserError("Features of clips need a video network: the evaluator was made without one.")
        frames = self.reduced(-(-SHORTER * max(height, width) // min(height, width)))
        return frechet_video.windows([frames], network, s.clip_len, s.clip_stride)[0]


def edit_rows(source: VideoFeatures, edited: VideoFeatures, **identity: Any) -> tuple[list[Row], tuple[str, ...]]:
    """Every measure of an edited video beside its source, those of the source itself under the method "source"; warnings.

    identity: fields of all rows, such as clip, method, variant (of the edit: "smile 1.5").  The `reference` of a row says
    which identity network compared which faces.  Numbers that do not exist (motion over that of a still source) have no
    row.  Raises UserError for videos of different frames, and where no two frames show a face.
    """
    require_same_frames(source.frames, edited.frames)
    own = identity | {"method": "source", "variant": ""}
    rows = [*content_rows(source, **own), *content_rows(edited, **identity), *identity_rows(source, edited, **identity)]
    rows += [*motion_rows(source, source, **own), *motion_rows(source, edited, **identity)]
    distances, warnings = distance_rows([source], [edited], **identity)
    return [row for row in rows + distances if math.isfinite(row.value)], warnings


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
        raise UserError(f"The number of frames to compare is 0 (all) or more, got {frames}.")
    path = assets.fetch(source) if source in assets.registry()[1] else Path(source)
    later, _ = video.read(edited, frames or None)
    earlier, quads = aligned_frames(path, clip, frames) if clip else (video.read(path, frames or None)[0], None)
    require_same_frames(earlier, later)
    return earlier, later, quads


def aligned_frames(path: Path, clip: str, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames of a clip in its video, and their quads."""
    known = clips.load(clip)
    known = known.head(frames or len(known))
    if known.quads is None:
        raise UserError(f"The clip {known.name} has no alignment: it was not made from a video of a face.")
    return np.stack(list(video.pick(path, known.ts.numpy()))), known.quads.numpy()


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
        content = {"mean colour": (torch.from_numpy(features.frames.mean((1, 2)) / 127.5 - 1), False)}
    for reference, (vectors, unit_vectors) in content.items():
        for pairs, metric in (("all", "acd"), ("adjacent", "acd_adjacent")):
            value = consistency.acd(vectors, pairs, normalise=unit_vectors, missing=evaluator.settings.missing)
            yield Row(metric, float(value), n=value.n, reference=reference, **identity)


def motion_rows(source: VideoFeatures, edited: VideoFeatures, **identity: Any) -> Iterator[Row]:
    """Warping error along the source's flow; how much the edited video moves, and how much as its source does."""
    named: dict[str, Any] = identity | {"reference": f"{optical_flow.NAME} at {max(source.small.shape[-2:])} pixels"}
    flows = source.flows  # in both directions, so that occlusion is known
    error = warping_error(edited.small, flows.backward, flows.unoccluded)  # pyright: ignore[reportArgumentType]
    yield Row("warping_error", error, unit=METRICS["warping_error"].unit, **named)
    if edited is not source:
        yield Row("flow_ratio", consistency.flow_ratio(source.backward, edited.backward), **named)
        yield Row("flow_agreement", consistency.flow_agreement(source.backward, edited.backward), **named)
        yield Row("motion_ratio", consistency.motion_ratio(source.small, edited.small), **named)


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
