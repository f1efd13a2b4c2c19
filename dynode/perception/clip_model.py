"""CLIP ViT-B/32 (Radford et al. 2021) from a file that the user supplies; nothing here fetches it.

The file is the TorchScript archive that OpenAI distributes (ViT-B-32.pt), or the same weights as safetensors.  Only the
weights of an archive are used: the program in it runs in half precision on one GPU.
"""

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dynode import runtime
from dynode.errors import UserError
from dynode.io import assets
from dynode.io.inputs import require_file
from dynode.perception.clip_layers import CLIPNetwork, network_from_weights
from dynode.perception.clip_tokenizer import LENGTH, CLIPTokenizer

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIDE, SQUARES = 224, 32  # pixels of CLIP's input: 7 x 32, by which StyleCLIP resizes from any multiple of 32
VOCABULARY = "clip-vocabulary"


def load_network(path: Path) -> CLIPNetwork:
    """The network of a file of weights, frozen, in float32.  Raises UserError for a file that is no CLIP.

    An archive is opened by torch: the user who names its path must trust it.
    """
    require_file(path, "CLIP's archive ViT-B-32.pt was wanted")
    try:
        state = load_file(path) if Path(path).suffix == ".safetensors" else runtime.load_archive(path).state_dict()
    except (RuntimeError, SafetensorError, pickle.UnpicklingError):
        raise UserError(f"{path} is no TorchScript archive: CLIP's ViT-B-32.pt was wanted.") from None
    try:
        return network_from_weights(state)
    except (KeyError, RuntimeError):
        raise UserError(f"{path} holds no CLIP with a vision transformer: ViT-B-32.pt was wanted.") from None


class CLIPModel(nn.Module):
    """CLIP as an `ImageText` network.  vocabulary: CLIP's file of byte pairs, by default the asset of that name."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, path: Path, vocabulary: Path | None = None):
        """Raises UserError for a file that is no CLIP."""
        super().__init__()
        self.network = load_network(path)
        self.words = CLIPTokenizer(vocabulary or assets.fetch(VOCABULARY))
        self.name = f"clip[{Path(path).stem}]"
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Unit vectors (B, 512) of images (B, 3, R, R) in [-1, 1], resized as by StyleCLIP; differentiable."""
        normalised = ((resized(images) + 1) / 2 - self.mean) / self.std
        return F.normalize(self.network.encode_image(normalised), dim=1)

    @torch.no_grad()
    def texts(self, texts: list[str]) -> torch.Tensor:
        """Unit vectors (N, 512) of texts of at most 75 tokens."""
        tokens = torch.zeros(len(texts), LENGTH, dtype=torch.long)
        for row, text in zip(tokens, texts, strict=True):
            numbers = self.words.numbers(text)
            row[: len(numbers)] = torch.tensor(numbers)
        return F.normalize(self.network.encode_text(tokens.to(self.mean.device)), dim=1)


def resized(images: torch.Tensor) -> torch.Tensor:
    """Images (B, 3, R, R) at 224 pixels: enlarged seven times, then averaged over squares of R / 32, as StyleCLIP does.

    Both together are one linear map of rows and one of columns, so the enlarged image is never in memory.
    Raises UserError where R is no multiple of 32.
    """
    side = images.shape[-1]
    if side % SQUARES:
        raise UserError(f"CLIP wants images whose side is a multiple of {SQUARES} pixels, got {side}.")
    rows = torch.eye(side, dtype=images.dtype, device=images.device).repeat_interleave(SIDE // SQUARES, 1)
    weights = F.avg_pool1d(rows, side // SQUARES)  # (R, 224)
    return weights.T @ images @ weights
