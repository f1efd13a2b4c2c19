"""How consistent an edited video is: identity from frame to frame, content distance, and motion, of features or frames.

Features are (T, K), one vector for each frame; a frame whose face was not found has a vector of NaN.  A video frozen at
its first frame wins every measure of identity: `motion_ratio` and `flow_ratio` stand beside them, and are 0 for it.
"""

import torch
import torch.nn.functional as F

from dynode.errors import UserError
from dynode.settings import choose

GUARD = 1e-3  # a source similarity nearer to 0 makes no ratio
MISSING = ("raise", "skip")
PAIRS = ("all", "adjacent")


class Mean(float):
    """A mean that tells what it is the mean of.

    n: frames or pairs that count.  missing: those without a face in either video.  guarded: pairs whose source
    similarity is nearer to 0 than GUARD.
    """

    def __new__(cls, values: torch.Tensor, missing: int = 0, guarded: int = 0):
        self = super().__new__(cls, float(values.mean()))
        self.n, self.missing, self.guarded = values.numel(), int(missing), int(guarded)
        return self


def tl_id(source: torch.Tensor, edited: torch.Tensor, missing: str = "raise") -> Mean:
    """Temporally local identity consistency (Tzaban et al. 2022): the mean of S^ed_{t,t+1} / S^src_{t,t+1}.

    source, edited (T, K): identity vectors of the same T >= 2 frames; S are their cosines.  1: as consistent as the source
    is; above 1 is possible.  missing: "skip" leaves out pairs with a frame without a face (and tells how many), "raise"
    refuses them.  Raises UserError for these, for vectors that do not fit, and where no pair is left.
    """
    return ratios(source, edited, missing, adjacent(len(source)))


def tg_id(source: torch.Tensor, edited: torch.Tensor, missing: str = "raise") -> Mean:
    """Temporally global identity consistency (Tzaban et al. 2022): the mean of S^ed_ij / S^src_ij over all pairs i != j.

    As `tl_id` otherwise.  It is the mean of the ratios, not the ratio of the means.
    """
    return ratios(source, edited, missing, every_pair(len(source)))


def edit_id(edited: torch.Tensor, missing: str = "raise") -> Mean:
    """Mean cosine of every later frame with the first one of the edited video: 1 where nothing drifts.

    edited (T, K), T >= 2; raises UserError as `tl_id` does, and where the first frame shows no face.
    """
    require_frames(edited)
    if edited[0].isnan().any():
        raise UserError("The first edited frame shows no face: identity cannot be compared with it.")
    return mean_of(F.cosine_similarity(edited[1:].double(), edited[:1].double()), missing)


def src_id(source: torch.Tensor, edited: torch.Tensor, missing: str = "raise") -> Mean:
    """Mean cosine (T,) of every edited frame with the source frame of its time: who the edit has made of the person."""
    require_pair(source, edited)
    return mean_of(F.cosine_similarity(edited.double(), source.double()), missing)


def acd(features: torch.Tensor, pairs: str = "all", normalise: bool = True, missing: str = "raise") -> Mean:
    """Average content distance (Tulyakov et al. 2018): mean Euclidean distance of the features of pairs of frames.

    features (T, K), T >= 2.  pairs: "all", as MoCoGAN does, or "adjacent" frames.  normalise: as unit vectors, so that it
    lies in [0, 2].  The paper's variant is not told: name pairs and normalisation with the number.
    """
    require_frames(features)
    i, j = {"all": every_pair, "adjacent": adjacent}[choose("choice of pairs", pairs, list(PAIRS))](len(features))
    features = F.normalize(features.double(), dim=1) if normalise else features.double()
    return mean_of((features[i] - features[j]).norm(dim=1), missing)


def acd_reference(
    features: torch.Tensor, reference: torch.Tensor, normalise: bool = True, missing: str = "raise"
) -> Mean:
    """Average content distance to a reference ("ACD-I"): each frame's feature against that of the reference.

    features (T, K).  reference (T, K): the source, frame by frame; or (K,): one picture.
    """
    reference = reference.expand_as(features) if reference.dim() == 1 else reference
    require_pair(reference, features, least=1)
    pair = [F.normalize(each.double(), dim=1) if normalise else each.double() for each in (features, reference)]
    return mean_of((pair[0] - pair[1]).norm(dim=1), missing)


def motion_ratio(source: torch.Tensor, edited: torch.Tensor) -> float:
    """Mean squared change from frame to frame of the edited video over that of its source, images (T, 3, H, W).

    1: it changes as much; 0: frozen; NaN where the source does not change.  Flicker counts as much as motion.
    """
    require_pair(source, edited)
    moves = [video.double().diff(dim=0).square().mean() for video in (source, edited)]
    return float(moves[1] / moves[0]) if moves[0] > 0 else float("nan")


def flow_ratio(source: torch.Tensor, edited: torch.Tensor) -> float:
    """Mean length of the optical flow of the edited video over that of its source, flows (T - 1, 2, H, W) in pixels.

    0: frozen; NaN where the source does not move.  Flicker is motion to an optical flow too: see `flow_agreement`.
    """
    lengths = [flow.double().norm(dim=1).mean() for flow in (source, edited)]
    return float(lengths[1] / lengths[0]) if lengths[0] > 0 else float("nan")


def flow_agreement(source: torch.Tensor, edited: torch.Tensor) -> float:
    """How well the edited video moves as its source does: 1 - mean |f_ed - f_src| / mean |f_src|, flows (T - 1, 2, H, W).

    1: the same motion; 0: as far from it as a frozen video is; below 0: farther.  NaN where the source does not move.
    """
    off, moved = ((flow.double()).norm(dim=1).mean() for flow in (edited - source, source))
    return float(1 - off / moved) if moved > 0 else float("nan")


def ratios(source: torch.Tensor, edited: torch.Tensor, missing: str, pairs) -> Mean:
    """The mean over the pairs (i, j) of frames of the ratios of their cosines in both videos."""
    require_pair(source, edited)
    i, j = pairs
    before, after = (F.cosine_similarity(video.double()[i], video.double()[j]) for video in (source, edited))
    guarded = before.abs() < GUARD
    return mean_of(torch.where(guarded, torch.inf, after / before), missing)


def mean_of(values: torch.Tensor, missing: str) -> Mean:
    """The mean of what can be used: NaN has no face, infinity a source similarity of nothing."""
    choose("way with missing faces", missing, list(MISSING))
    faceless, guarded = values.isnan(), values.isinf()
    if missing == "raise" and faceless.any():
        raise UserError(
            f"{int(faceless.sum())} of {len(values)} comparisons want a face where none was found: leave them out by "
            "missing='skip', or give footage that shows it in every frame."
        )
    kept = values[~faceless & ~guarded]
    if not len(kept):
        raise UserError(f"None of {len(values)} comparisons of frames can be made: no two frames show the face.")
    return Mean(kept, faceless.sum(), guarded.sum())


def adjacent(frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Both indices of every pair of neighbouring frames."""
    return torch.arange(frames - 1), torch.arange(1, frames)


def every_pair(frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Both indices of every pair of different frames, each once: what is measured here is symmetric."""
    i, j = torch.triu_indices(frames, frames, offset=1)
    return i, j


def require_frames(features: torch.Tensor, least: int = 2) -> None:
    if len(features) < least:
        raise UserError(f"Consistency wants at least {least} frames, got {len(features)}.")


def require_pair(source: torch.Tensor, edited: torch.Tensor, least: int = 2) -> None:
    """Refuse two videos that are not of the same frames."""
    if source.shape != edited.shape:
        raise UserError(
            f"The source has {tuple(source.shape)} and the edited video {tuple(edited.shape)}: both must show the same "
            "frames at the same size."
        )
    require_frames(edited, least)
