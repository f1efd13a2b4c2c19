"""How consistent an edited video is: identity from frame to frame, content distance, and motion, of features or frames.

Features are (T, K), one vector for each frame; a frame without a detected face has a vector of NaN.  A video frozen at
its first frame wins every measure of identity: `motion_ratio` and `flow_ratio` stand beside them, and are 0 for it.
"""

from collections.abc import Iterable, Iterator
from typing import Self

import torch
import torch.nn.functional as F

from dynode.errors import UserError
from dynode.metrics.registry import quantity
from dynode.settings import choose

GUARD = 1e-3  # a source similarity nearer to 0 makes no ratio
MISSING = ("raise", "skip")
PAIRS = ("all", "adjacent")
MOST_PAIRS = 2**16  # that are compared at once
Pairs = tuple[torch.Tensor, torch.Tensor]  # the indices of both frames of some pairs


quantity("frames_without_face", label="frames without a face", digits=0, column="edits", order=35)


class Mean(float):
    """A mean that knows what it is the mean of.

    n: frames or pairs that count.  missing: those without a face in either video.  guarded: pairs whose source
    similarity is nearer to 0 than GUARD.
    """

    n: int
    missing: int
    guarded: int

    def __new__(cls, value: float, n: int, missing: int = 0, guarded: int = 0) -> Self:
        self = super().__new__(cls, value)
        self.n, self.missing, self.guarded = n, missing, guarded
        return self


@quantity("tl_id", label="TL-ID", better="higher", space="identity", column="edits", order=20)
def tl_id(source: torch.Tensor, edited: torch.Tensor, missing: str = "raise") -> Mean:
    """Temporally local identity consistency (Tzaban et al. 2022): the mean of S^ed_{t,t+1} / S^src_{t,t+1}.

    source, edited (T, K): identity vectors of the same T >= 2 frames; S are their cosines.  1: as consistent as the source
    is; above 1 is possible.  missing: "skip" leaves out pairs with a frame without a face (and counts them), "raise"
    refuses them.  Raises UserError for these, for vectors that do not fit, and where no pair is left.
    """
    return ratios(source, edited, missing, adjacent(len(source)))


@quantity("tg_id", label="TG-ID", better="higher", space="identity", column="edits", order=21)
def tg_id(source: torch.Tensor, edited: torch.Tensor, missing: str = "raise") -> Mean:
    """Temporally global identity consistency (Tzaban et al. 2022): the mean of S^ed_ij / S^src_ij over all pairs i != j.

    As `tl_id` otherwise.  It is the mean of the ratios, not the ratio of the means.
    """
    return ratios(source, edited, missing, every_pair(len(source)))


@quantity("edit_id", label="to the edited first frame", better="higher", space="identity", column="edits", order=25)
def edit_id(edited: torch.Tensor, missing: str = "raise") -> Mean:
    """Mean cosine of every later frame with the first one of the edited video: 1 where nothing drifts.

    edited (T, K), T >= 2; raises UserError as `tl_id` does, and where the first frame shows no face.
    """
    require_frames(edited)
    if edited[0].isnan().any():
        raise UserError("The first edited frame shows no face: identity cannot be compared with it.")
    return mean_of([F.cosine_similarity(edited[1:].double(), edited[:1].double())], missing)


@quantity("src_id", label="to the source", better="higher", space="identity", column="edits", order=26)
def src_id(source: torch.Tensor, edited: torch.Tensor, missing: str = "raise") -> Mean:
    """Mean cosine (T,) of every edited frame with the source frame of its time: how much of the identity is kept."""
    require_pair(source, edited)
    return mean_of([F.cosine_similarity(edited.double(), source.double())], missing)


@quantity("acd", label="ACD, all pairs", better="lower", space="identity", column="edits", order=22)
@quantity("acd_adjacent", label="ACD, adjacent", better="lower", space="identity", column="edits", order=23)
def acd(features: torch.Tensor, pairs: str = "all", normalise: bool = True, missing: str = "raise") -> Mean:
    """Average content distance (Tulyakov et al. 2018): mean Euclidean distance of the features of pairs of frames.

    features (T, K), T >= 2.  pairs: "all", as MoCoGAN does, or "adjacent" frames.  normalise: as unit vectors, so that it
    lies in [0, 2].  The paper does not state its variant: name pairs and normalisation with the number.
    """
    require_frames(features)
    chosen = {"all": every_pair, "adjacent": adjacent}[choose("choice of pairs", pairs, PAIRS)](len(features))
    features = F.normalize(features.double(), dim=1) if normalise else features.double()
    return mean_of(((features[i] - features[j]).norm(dim=1) for i, j in chosen), missing)


@quantity("acd_reference", label="ACD to the source", better="lower", space="identity", column="edits", order=24)
def acd_reference(
    features: torch.Tensor, reference: torch.Tensor, normalise: bool = True, missing: str = "raise"
) -> Mean:
    """Average content distance to a reference ("ACD-I"): each frame's feature against that of the reference.

    features (T, K).  reference (T, K): the source, frame by frame; or (K,): one picture.
    """
    reference = reference.expand_as(features) if reference.dim() == 1 else reference
    require_pair(reference, features, least=1)
    pair = [F.normalize(each.double(), dim=1) if normalise else each.double() for each in (features, reference)]
    return mean_of([(pair[0] - pair[1]).norm(dim=1)], missing)


@quantity("motion_ratio", label="change / source's", digits=2, column="edits", order=32)
def motion_ratio(source: torch.Tensor, edited: torch.Tensor) -> float:
    """Mean squared change from frame to frame of the edited video over that of its source, images (T, 3, H, W).

    1: it changes as much; 0: frozen; NaN where the source does not change.  Flicker counts as much as motion.
    """
    require_pair(source, edited)
    return relative(changes(edited).mean(), changes(source).mean())


@quantity("flow_ratio", label="flow / source's", digits=2, column="edits", order=33)
def flow_ratio(source: torch.Tensor, edited: torch.Tensor) -> float:
    """Mean length of the optical flow of the edited video over that of its source, flows (T - 1, 2, H, W) in pixels.

    0: frozen; NaN where the source does not move.  Flicker is motion to an optical flow too: see `flow_agreement`.
    """
    return relative(lengths(edited).mean(), lengths(source).mean())


@quantity("flow_agreement", label="motion as the source's", better="higher", digits=2, column="edits", order=34)
def flow_agreement(source: torch.Tensor, edited: torch.Tensor) -> float:
    """How well the edited video moves as its source does: 1 - mean |f_ed - f_src| / mean |f_src|, flows (T - 1, 2, H, W).

    1: the same motion; 0: as far from it as a frozen video is; below 0: farther.  NaN where the source does not move.
    """
    return 1 - relative(lengths(edited - source).mean(), lengths(source).mean())


def changes(images: torch.Tensor) -> torch.Tensor:
    """Squared changes (T - 1, 3, H, W) from frame to frame of images (T, 3, H, W)."""
    return images.double().diff(dim=0).square()


def lengths(flow: torch.Tensor) -> torch.Tensor:
    """Lengths (T, H, W) in pixels of flows (T, 2, H, W)."""
    return flow.double().norm(dim=1)


def relative(edited: float | torch.Tensor, source: float | torch.Tensor) -> float:
    """The one number over the other, NaN where a source does not move."""
    return float(edited / source) if source > 0 else float("nan")


def ratios(source: torch.Tensor, edited: torch.Tensor, missing: str, pairs: Iterator[Pairs]) -> Mean:
    """The mean over the pairs (i, j) of frames of the ratios of their cosines in both videos."""
    require_pair(source, edited)
    source, edited = source.double(), edited.double()

    def ratio(i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        before, after = (F.cosine_similarity(video[i], video[j]) for video in (source, edited))
        return torch.where(before.abs() < GUARD, torch.inf, after / before)

    return mean_of((ratio(i, j) for i, j in pairs), missing)


def mean_of(parts: Iterable[torch.Tensor], missing: str) -> Mean:
    """The mean of all finite values: NaN stands for a missing face, infinity for a source similarity near 0."""
    choose("mode for missing faces", missing, MISSING)
    total, n, faceless, guarded = 0.0, 0, 0, 0
    for values in parts:
        kept = values[values.isfinite()]
        total, n = total + float(kept.sum()), n + kept.numel()
        faceless, guarded = faceless + int(values.isnan().sum()), guarded + int(values.isinf().sum())
    comparisons = n + faceless + guarded
    if missing == "raise" and faceless:
        raise UserError(
            f"{faceless} of {comparisons} comparisons need a face where none was detected: leave them out by "
            "missing='skip', or give footage that shows it in every frame."
        )
    if not n:
        raise UserError(f"None of {comparisons} comparisons of frames can be made: no two frames show the face.")
    return Mean(total / n, n, faceless, guarded)


def adjacent(frames: int) -> Iterator[Pairs]:
    """Both indices of every pair of neighbouring frames."""
    yield torch.arange(frames - 1), torch.arange(1, frames)


def every_pair(frames: int) -> Iterator[Pairs]:
    """Both indices of every pair of different frames, each once: what is measured here is symmetric.

    In parts of bounded size: the pairs of a long video do not fit into memory.
    """
    rows = max(1, MOST_PAIRS // frames)
    for first in range(0, frames - 1, rows):
        i, j = torch.triu_indices(min(rows, frames - 1 - first), frames - first, offset=1)
        yield i + first, j + first


def require_frames(features: torch.Tensor, least: int = 2) -> None:
    if len(features) < least:
        raise UserError(f"Consistency needs at least {least} frames, got {len(features)}.")


def require_pair(source: torch.Tensor, edited: torch.Tensor, least: int = 2) -> None:
    """Refuse two videos that are not of the same frames."""
    if source.shape != edited.shape:
        raise UserError(
            f"The source has {tuple(source.shape)} and the edited video {tuple(edited.shape)}: both must show the same "
            "frames at the same size."
        )
    require_frames(edited, least)
