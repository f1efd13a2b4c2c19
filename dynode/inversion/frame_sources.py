"""Frame sources for inversion (aligned crops, rendered episodes), reused as reference images in evaluation."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dynode import worlds
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.io import assets
from dynode.io.video import pick
from dynode.perception.face_tracking import FaceTrack, aligned_crops
from dynode.worlds.episodes import Episode


@dataclass(frozen=True)
class FrameSource:
    """Frames to invert: times (T,) s, detected (T,) bool, shots (T,) int, quads (T, 4, 2) px where cropped from a video.

    images(indices, size): the frames of increasing indices, (3, size, size) in [-1, 1], one at a time.
    """

    ts: np.ndarray
    detected: np.ndarray
    shots: np.ndarray
    quads: np.ndarray | None
    images: Callable[[np.ndarray, int], Iterator[torch.Tensor]]

    def __len__(self):
        return len(self.ts)


def from_track(track: FaceTrack, path: Path | str) -> FrameSource:
    """The aligned crops along a track through a video."""

    def images(indices: np.ndarray, size: int) -> Iterator[torch.Tensor]:
        return dataclasses.replace(track, ts=track.ts[indices], quads=track.quads[indices]).crops(path, size)

    return FrameSource(track.ts, track.detected, track.shots, track.quads, images)


def from_episode(episode: Episode, ts: np.ndarray, device: torch.device | str = "cpu") -> FrameSource:
    """The frames of an episode at times (T,) in seconds, rendered from its exact factors."""

    def images(indices: np.ndarray, size: int) -> Iterator[torch.Tensor]:
        for part in worlds.world(episode.world).drawn(episode.factors(ts[indices]), size, device=device):
            yield from part

    return FrameSource(ts, np.ones(len(ts), dtype=bool), np.zeros(len(ts), dtype=np.int64), None, images)


def source_video(clip: Clip) -> Path:
    """The video a clip was made from, where it is one of the assets.  Raises UserError otherwise."""
    sha256 = clip.meta.get("source_sha256", "")
    for asset in assets.registry()[1].values():
        if asset.sha256 == sha256:
            return assets.fetch(asset.name)
    raise UserError(f"The footage of {clip.name} ({clip.meta.get('source', 'unknown')}) is none of the assets.")


def reference_images(clip: Clip, resolution: int = 256) -> dict[str, torch.Tensor]:
    """The reference images (T, 3, R, R) of a clip by their name in tables.

    "truth": the rendered frames of its episode.  "source": the aligned crops of its footage.  Empty for a clip that was made
    in latent space.  Raises UserError for footage that is none of the assets.
    """
    if "flows" in clip.meta:
        return {}
    return {"truth" if "episode" in clip.meta else "source": reference_frames(clip, resolution)}


def reference_frames(clip: Clip, resolution: int = 256) -> torch.Tensor:
    """The reference images (T, 3, R, R) of a clip with an episode or footage, see `reference_images`."""
    if "episode" in clip.meta:
        return truth_at(clip, clip.ts, resolution)
    if clip.quads is None:
        raise UserError(f"{clip.name} has no alignment quads: its footage cannot be cropped.")
    return torch.stack(list(aligned_crops(pick(source_video(clip), clip.ts.numpy()), clip.quads.numpy(), resolution)))


def truth_at(clip: Clip, ts: torch.Tensor, resolution: int = 256) -> torch.Tensor:
    """Ground truth of a clip of a world at any times (T,) in seconds, images (T, 3, R, R)."""
    return render_episode(episode_of(clip), ts, resolution)


def render_episode(episode: Episode, ts: torch.Tensor, resolution: int = 256) -> torch.Tensor:
    """The rendered images (T, 3, R, R) of an episode at any times (T,) in seconds."""
    return torch.stack(list(from_episode(episode, ts.numpy()).images(np.arange(len(ts)), resolution)))


def episode_of(clip: Clip) -> Episode:
    """The episode that a clip of a world was made from."""
    meta = clip.meta["episode"]
    return worlds.world(meta["world"]).episode(meta["kind"], meta["seed"], meta["seconds"])
