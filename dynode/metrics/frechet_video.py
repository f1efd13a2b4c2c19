"""The Fréchet distance of videos: sliding clips of both kinds, as features of a network of `dynode.perception.video_features`.

With I3D's features it is the Fréchet video distance, FVD (Unterthiner et al. 2018); with any other network's it has another
name and another scale, and is no FVD.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from dynode.errors import UserError
from dynode.metrics.frechet import frechet
from dynode.metrics.registry import quantity

CLIP_LEN = 16  # frames, as StyleGAN-V's fvd2048_16f takes them


class VideoNetwork(Protocol):
    """Clips (B, T, 3, H, W) in [-1, 1] -> features (B, K), of at least `least_frames` frames."""

    name: str
    least_frames: int

    def __call__(self, clips: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True)
class VideoDistance:
    """A distance, by the name it must be called: "fvd" of I3D's features, else "frechet_video_distance[NETWORK]".

    n_clips: real and fake.  dims: of a feature.  warnings: what a reader must know, in sentences.
    """

    name: str
    value: float
    n_clips: tuple[int, int]
    dims: int
    warnings: tuple[str, ...]


@quantity("fvd", label="FVD", better="lower", digits=1, column="edits", order=30)
def fvd(
    real_clips: Iterable[torch.Tensor],
    fake_clips: Iterable[torch.Tensor],
    features: VideoNetwork,
    clip_len: int = CLIP_LEN,
    stride: int = 1,
    min_clips: int = 2,
    shrink: float | None = None,
) -> VideoDistance:
    """The distance between the clips of real videos and of fake ones, images (T, 3, H, W) in [-1, 1] each.

    Clips begin at every `stride`-th frame; of the source and the edited video, for edits.  shrink: see `frechet`; it is
    part of the result's name.
    Raises UserError for less than `min_clips` (2 at least) clips of either kind, and for clips too short for the network.
    """
    real, short_real = windows(real_clips, features, clip_len, stride)
    fake, short_fake = windows(fake_clips, features, clip_len, stride)
    warnings = tuple(
        f"{short} {kind} videos are shorter than {clip_len} frames and left out."
        for kind, short in (("real", short_real), ("fake", short_fake))
        if short
    )
    return distance(real, fake, features.name, clip_len, stride, min_clips, shrink, warnings)


def distance(
    real: torch.Tensor,
    fake: torch.Tensor,
    network: str,
    clip_len: int = CLIP_LEN,
    stride: int = 1,
    min_clips: int = 2,
    shrink: float | None = None,
    warnings: tuple[str, ...] = (),
) -> VideoDistance:
    """The same of features (n, K) that `windows` made: those of a source serve many edits."""
    least = max(min_clips, 2)
    for kind, features in (("real", real), ("fake", fake)):
        if len(features) < least:
            raise UserError(
                f"A Fréchet distance needs at least {least} clips of {clip_len} frames of each kind, got "
                f"{len(features)} {kind}: give longer videos, more of them, or shorter clips."
            )
    counts, dims = (len(real), len(fake)), real.shape[1]
    warnings += small_sample(counts, dims, clip_len, stride)
    return VideoDistance(name_of(network, shrink), frechet(real, fake, shrink or 0.0), counts, dims, warnings)


def name_of(network: str, shrink: float | None = None) -> str:
    """What the distance on that network's features is called."""
    name = "fvd" if network == "i3d" else f"frechet_video_distance[{network}]"
    return f"{name}, covariances shrunk by {shrink:g}" if shrink else name


@torch.no_grad()
def windows(
    videos: Iterable[Iterable[torch.Tensor]], features: VideoNetwork, clip_len: int = CLIP_LEN, stride: int = 1
) -> tuple[torch.Tensor, int]:
    """Features (n, K) in double precision of all clips of the videos, and how many videos are too short for one.

    A video: images (T, 3, H, W), or its images one after another, of which `clip_len` are kept.
    """
    require_length(clip_len, stride, getattr(features, "least_frames", 1), features.name)
    parts, short = [], 0
    for video in videos:
        known = len(parts)
        parts += [features(clip[None]).double().cpu() for clip in clips_of(video, clip_len, stride)]
        short += len(parts) == known
    return (torch.cat(parts) if parts else torch.zeros(0, 1, dtype=torch.float64)), short


def clips_of(images: Iterable[torch.Tensor], clip_len: int, stride: int) -> Iterator[torch.Tensor]:
    """The clips (clip_len, 3, H, W) of images (3, H, W) that begin at every `stride`-th of them."""
    kept: deque[torch.Tensor] = deque(maxlen=clip_len)
    for k, image in enumerate(images):
        kept.append(image)
        start = k - clip_len + 1
        if start >= 0 and start % stride == 0:
            yield torch.stack(list(kept))


def small_sample(counts: tuple[int, int], dims: int, clip_len: int, stride: int) -> tuple[str, ...]:
    """Warnings about what few or overlapping clips do to the distance."""
    warnings = []
    if min(counts) <= dims:
        warnings.append(
            f"{min(counts)} clips do not determine a covariance of {dims} dimensions: the value is biased upward, and "
            "compares with values of as many clips only."
        )
    if stride < clip_len:
        warnings.append(f"Clips of {clip_len} frames every {stride} frames overlap: they count as fewer than they are.")
    return tuple(warnings)


def require_length(clip_len: int, stride: int, least: int, name: str) -> None:
    if clip_len < least:
        raise UserError(f"The network {name} needs clips of at least {least} frames, got clips of {clip_len}.")
    if stride < 1:
        raise UserError(f"The stride of clips must be at least 1, got {stride}.")
