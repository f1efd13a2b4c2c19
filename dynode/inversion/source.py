"""The aligned frames a clip was made from: the second reference of an evaluation."""

from pathlib import Path

import torch

from dynode import assets
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.perception.tracking import cut
from dynode.video import pick


def footage_of(clip: Clip) -> Path:
    """The video a clip was made from, where it is one of the assets.  Raises UserError otherwise."""
    sha256 = clip.meta.get("source_sha256", "")
    for asset in assets.registry()[1].values():
        if asset.sha256 == sha256:
            return assets.fetch(asset.name)
    raise UserError(f"The footage of {clip.name} ({clip.meta.get('source', 'unknown')}) is none of the assets.")


def source_frames(clip: Clip, resolution: int = 256) -> torch.Tensor:
    """The aligned crops (T, 3, R, R) of a clip's frames."""
    frames = pick(footage_of(clip), clip.ts.numpy())
    return torch.stack(list(cut(frames, clip.quads.numpy(), resolution)))
