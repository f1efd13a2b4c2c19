"""Agreement of images and texts: one network embeds images as unit vectors, another texts.

There are two: CLIP (Radford et al. 2021) where the user supplies its file (`clip_model`), and otherwise a small stand-in,
trained on captions of random images (`caption_network`), which its name identifies.
"""

import os
from pathlib import Path
from typing import Protocol

import torch

from dynode.perception import caption_network

CLIP_VARIABLE = "DYNODE_CLIP"


class ImageText(Protocol):
    """Images (B, 3, R, R) in [-1, 1] and texts as unit vectors (B, K); their cosine measures the agreement.

    name: such as "clip[ViT-B-32]" or "captions[alexnet]"; part of the name of every editor trained with it.
    """

    name: str

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Unit vectors (B, K), differentiable in the images."""
        ...

    def texts(self, texts: list[str]) -> torch.Tensor:
        """Unit vectors (N, K).  Raises UserError for a text that the network cannot read."""
        ...


def load(category: str, clip_file: Path | str = "", device: torch.device | str = "cpu") -> ImageText:
    """CLIP from the user's file, named by `clip_file` or DYNODE_CLIP; else the stand-in that ships for a category.

    category: "face" or the name of a world, see `generators.category_of`.
    Raises UserError for a file that is no CLIP, and for a category without a stand-in.
    """
    path = str(clip_file) or os.environ.get(CLIP_VARIABLE, "")
    if path:
        from dynode.perception.clip_model import CLIPModel

        return CLIPModel(Path(path)).to(device)
    return caption_network.shipped(category, device)
