"""CLIP (Radford et al. 2021) by open_clip, from a file that the user supplies; nothing here fetches it.

The file is the TorchScript archive that OpenAI distributes (ViT-B-32.pt), or the same weights as safetensors.  Only the
weights of an archive are used: the program in it runs in half precision on one GPU.
"""

import pickle
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dynode import runtime
from dynode.errors import UserError
from dynode.io.inputs import require_file

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIDE, SQUARES = 224, 32  # pixels of CLIP's input: 7 x 32, by which StyleCLIP resizes from any multiple of 32
LENGTH = 77  # tokens of CLIP's input
HEAD = 64  # channels of one head of attention
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")  # which archives have beside them


def load_network(path: Path) -> nn.Module:
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


def open_clip() -> Any:
    """The library.  Raises UserError where it is not installed."""
    try:
        import open_clip  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise UserError("CLIP wants the package open_clip_torch: `pip install 'dynode[clip]'` brings it.") from None
    return open_clip


def network_from_weights(state: dict[str, torch.Tensor]) -> nn.Module:
    """open_clip's network, frozen, built to the shapes of OpenAI's weights.  Raises KeyError or RuntimeError for other weights."""
    state = {name: value.float() for name, value in state.items() if name not in NOT_WEIGHTS}
    width, patch = state["visual.conv1.weight"].shape[0], state["visual.conv1.weight"].shape[-1]
    words, text_width = state["token_embedding.weight"].shape
    side = round((len(state["visual.positional_embedding"]) - 1) ** 0.5)
    vision = {"layers": depth_of(state, "visual.transformer"), "width": width, "head_width": HEAD}
    text = {"context_length": len(state["positional_embedding"]), "vocab_size": words, "width": text_width}
    network = open_clip().CLIP(
        state["text_projection"].shape[1],
        vision | {"patch_size": patch, "image_size": side * patch},
        text | {"layers": depth_of(state, "transformer"), "heads": text_width // HEAD},
        quick_gelu=True,
    )
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def depth_of(state: dict[str, torch.Tensor], tower: str) -> int:
    """How many blocks a tower has, by the names of its weights."""
    first = f"{tower}.resblocks."
    return len({name.removeprefix(first).partition(".")[0] for name in state if name.startswith(first)})


class CLIPModel(nn.Module):
    """CLIP as an `ImageText` network."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, path: Path):
        """Raises UserError for a file that is no CLIP, and where open_clip is not installed."""
        super().__init__()
        self.words: Any = open_clip().SimpleTokenizer(context_length=LENGTH)
        self.network: Any = load_network(path)
        self.name = f"clip[{Path(path).stem}]"
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Unit vectors (B, 512) of images (B, 3, R, R) in [-1, 1], resized as by StyleCLIP; differentiable."""
        normalised = ((resized(images) + 1) / 2 - self.mean) / self.std
        return F.normalize(self.network.encode_image(normalised), dim=1)

    @torch.no_grad()
    def texts(self, texts: list[str]) -> torch.Tensor:
        """Unit vectors (N, 512) of texts.  Raises UserError for one without tokens, or with more than CLIP takes."""
        for text in texts:
            if not 0 < (count := len(self.words.encode(text))) <= LENGTH - 2:
                raise UserError(f"CLIP reads texts of 1 to {LENGTH - 2} tokens, got {count} in {text[:40]!r}.")
        return F.normalize(self.network.encode_text(self.words(texts).to(self.mean.device)), dim=1)


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
