"""Frame sources for inversion (aligned crops, rendered episodes), reused as reference images in evaluation."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch

from dynode import worlds
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.io import assets
from dynode.io.video import iterate, pick
from dynode.perception.face_tracking import FaceTrack, aligned_crops
from dynode.worlds.episodes import Episode


@dataclass(frozen=True, repr=False)
class FrameSource:
    """Frames to invert: times (T,) s, detected (T,) bool, shots (T,) int, quads (T, 4, 2) px where cropped from a video.

    observed (T,) bool: detected frames that a method may see; all of them but in the protocol `observed`.
    images(indices, size): the frames of increasing indices, (3, size, size) in [-1, 1], one at a time.
    """

    ts: np.ndarray
    detected: np.ndarray
    shots: np.ndarray
    quads: np.ndarray | None
    observed: np.ndarray
    images: Callable[[np.ndarray, int], Iterator[torch.Tensor]]

    def __repr__(self):
        return f"<FrameSource: {len(self)} frames, {self.ts[0]:g} to {self.ts[-1]:g} s, {int(self.detected.sum())} to invert>"

    def __len__(self):
        return len(self.ts)

    @property
    def projected(self) -> np.ndarray:
        """The frames to project, in the order of their projection: observed ones, then those that are held out."""
        return np.concatenate([np.flatnonzero(self.observed), np.flatnonzero(self.detected & ~self.observed)])

    def pictures(self, size: int, done: int = 0) -> Iterator[torch.Tensor]:
        """The images of `projected`, in its order, but for the first ones that are done."""
        order, count = self.projected, int(self.observed.sum())
        yield from self.images(order[min(done, count) : count], size)
        yield from self.images(order[max(done, count) :], size)


def from_track(track: FaceTrack, path: Path | str, observed: np.ndarray | None = None) -> FrameSource:
    """The aligned crops along a track through a video.  observed (T,) bool: None for all frames with the face."""

    def images(indices: np.ndarray, size: int) -> Iterator[torch.Tensor]:
        return dataclasses.replace(track, ts=track.ts[indices], quads=track.quads[indices]).crops(path, size)

    observed = track.detected if observed is None else observed & track.detected
    return FrameSource(track.ts, track.detected, track.shots, track.quads, observed, images)


def from_episode(episode: Episode, ts: np.ndarray, device: torch.device | str = "cpu", stride: int = 1) -> FrameSource:
    """The frames of an episode at times (T,) in seconds, rendered from its exact factors.

    stride: every N-th frame and the last are observed.
    """

    def images(indices: np.ndarray, size: int) -> Iterator[torch.Tensor]:
        for part in worlds.world(episode.world).drawn(episode.factors(ts[indices]), size, device=device):
            yield from part

    every, shots = np.ones(len(ts), dtype=bool), np.zeros(len(ts), dtype=np.int64)
    observed = np.isin(np.arange(len(ts)), [*range(0, len(ts), stride), len(ts) - 1])
    return FrameSource(ts, every, shots, None, observed, images)


def source_video(clip: Clip, footage: Path | str = "", beside: Path | str = "") -> Path:
    """The video a clip was made from: `footage`, or the file of its name beside another, in the current folder, or an asset.

    footage: its path, "" to look for it.  beside: the clip's own file.  A file counts when its sha256 is the one that the
    clip records.  Raises UserError for another video, and where none is there.
    """
    if footage:
        return verified_footage(clip, Path(footage))
    name, sha256 = clip.meta.get("source", ""), clip.meta.get("source_sha256", "")
    folders = [Path(beside).parent, Path()] if Path(beside).parent != Path() else [Path()]
    for path in (folder / Path(name).name for folder in folders if name):
        if path.is_file() and assets.sha256_of(path) == sha256:
            return path
    for asset in assets.registry()[1].values():
        if asset.sha256 == sha256:
            return assets.fetch(asset.name)
    where = " and ".join(str(folder.absolute()) for folder in folders)
    raise UserError(
        f"The footage of {clip.name}, {name or 'a video without a name'}, is none of the assets and not in {where} as it "
        "was inverted: name that file with --footage."
    )


def verified_footage(clip: Clip, path: Path) -> Path:
    """`path` itself, where it is the file that a clip was made from.  Raises UserError, which says what else it is."""
    if not path.is_file():
        raise UserError(f"There is no file {path}: name the video that {clip.name} was made from.")
    if assets.sha256_of(path) == clip.meta.get("source_sha256"):
        return path
    source = clip.meta.get("source", "unknown")
    if has_times(path, clip.ts.numpy()):
        raise UserError(
            f"{path} is another file than {source}, which {clip.name} was made from; their frame times agree, so it may be "
            f"the same recording encoded anew: name the original, or invert {path} by itself."
        )
    raise UserError(f"{path} is not the video that {clip.name} was made from ({source}).")


def has_times(path: Path, ts: np.ndarray) -> bool:
    """Whether a video has a frame within a millisecond, to which some containers round, of each of the times (T,)."""
    until = takewhile(lambda time: time < ts[-1] + 0.1, (time for time, _ in iterate(path)))
    try:
        times = np.array(list(until))
    except UserError:
        return False
    return bool(len(times)) and bool((np.abs(times[:, None] - ts).min(0) <= 1.1e-3).all())


def reference_images(clip: Clip, resolution: int = 256, footage: Path | str = "") -> dict[str, torch.Tensor]:
    """The reference images (T, 3, R, R) of a clip by their name in tables.

    "truth": the rendered frames of its episode.  "source": the aligned crops of its footage.  Empty for a clip that was made
    in latent space.  footage: the video, "" to look for it.  Raises UserError where it is not there.
    """
    if "flows" in clip.meta:
        return {}
    return {"truth" if "episode" in clip.meta else "source": reference_frames(clip, resolution, footage)}


def reference_frames(clip: Clip, resolution: int = 256, footage: Path | str = "") -> torch.Tensor:
    """The reference images (T, 3, R, R) of a clip with an episode or footage, see `reference_images`."""
    if "episode" in clip.meta:
        return truth_at(clip, clip.ts, resolution)
    if clip.quads is None:
        raise UserError(
            f"The codes of {clip.name} came without the squares their faces were cut from: leave out --source."
        )
    pictures = pick(source_video(clip, footage), clip.ts.numpy())
    return torch.stack(list(aligned_crops(pictures, clip.quads.numpy(), resolution)))


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
