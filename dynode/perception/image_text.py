"""How well pictures and words agree: one network makes unit vectors of images, another of texts.

Two parts can do it.  CLIP (Radford et al. 2021) where the user supplies its files (`perception/clip.py`), and otherwise a
small stand-in that was trained here on captions of random pictures (`perception/captions.py`); its name says so.
"""

import os
from pathlib import Path
from typing import Protocol

import torch

from dynode.perception import caption_network

CLIP_VARIABLE = "DYNODE_CLIP"


class ImageText(Protocol):
    """Images (B, 3, R, R) in [-1, 1] and texts become unit vectors (B, K); their product is how well they agree.

    name: such as "clip" or "captions[alexnet]"; it stands in the name of every editor that was taught by it.
    """

    name: str

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Unit vectors (B, K), differentiable in the images."""
        ...

    def texts(self, texts: list[str]) -> torch.Tensor:
        """Unit vectors (N, K).  Raises UserError for a text that the part cannot read."""
        ...


def load(category: str, clip: Path | str = "", device: torch.device | str = "cpu") -> ImageText:
    """CLIP from a file that the user names, here or in DYNODE_CLIP; else the stand-in that ships for a category.

    category: "face" or the name of a world, see `generators.category_of`.
    Raises UserError for a file that is no CLIP, and for a category without a stand-in.
    """
    path = str(clip) or os.environ.get(CLIP_VARIABLE, "")
    if path:
        from dynode.perception.clip_model import CLIPModel

        return CLIPModel(Path(path)).to(device)
    return caption_network.shipped(category, device)
