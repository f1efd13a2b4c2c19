"""What a clip is made from: aligned frames of a video, or an episode of a world; also its second reference later."""

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
    """Frames to invert: times (T,) s, detected (T,) bool, shots (T,) int, quads (T, 4, 2) px where cut from a video.

    images(at, size): the frames of the increasing indices `at`, (3, size, size) in [-1, 1], one at a time.
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

    def images(at, size):
        return dataclasses.replace(track, ts=track.ts[at], quads=track.quads[at]).crops(path, size)

    return FrameSource(track.ts, track.detected, track.shots, track.quads, images)


def from_episode(episode: Episode, ts: np.ndarray, device: torch.device | str = "cpu") -> FrameSource:
    """The pictures of an episode at times (T,) in seconds, drawn anew and exact."""

    def images(at, size):
        for part in worlds.world(episode.world).drawn(episode.factors(ts[at]), size, device=device):
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
    """What a clip shows, by the name it has in tables, images (T, 3, R, R): "truth", its episode drawn again; "source",
    the aligned crops of its footage; nothing for a clip that was made in latent space.

    Raises UserError for footage that is none of the assets.
    """
    if "flows" in clip.meta:
        return {}
    return {"truth" if "episode" in clip.meta else "source": reference_frames(clip, resolution)}


def reference_frames(clip: Clip, resolution: int = 256) -> torch.Tensor:
    """The true pictures (T, 3, R, R) of a clip's frames, as in `references`."""
    if "episode" in clip.meta:
        return truth_at(clip, clip.ts, resolution)
    return torch.stack(list(aligned_crops(pick(source_video(clip), clip.ts.numpy()), clip.quads.numpy(), resolution)))


def truth_at(clip: Clip, ts: torch.Tensor, resolution: int = 256) -> torch.Tensor:
    """What the world of a clip's episode really looked like at any times (T,) in seconds, images (T, 3, R, R)."""
    return render_episode(episode_of(clip), ts, resolution)


def render_episode(episode: Episode, ts: torch.Tensor, resolution: int = 256) -> torch.Tensor:
    """The pictures of an episode at any times (T,) in seconds, images (T, 3, R, R)."""
    return torch.stack(list(from_episode(episode, ts.numpy()).images(np.arange(len(ts)), resolution)))


def episode_of(clip: Clip) -> Episode:
    """The episode that a clip of a world was made from."""
    told = clip.meta["episode"]
    return worlds.world(told["world"]).episode(told["kind"], told["seed"], told["seconds"])
