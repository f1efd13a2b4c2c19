"""A small image-text network, trained on captions of random images: `captions[alexnet]`, a stand-in for CLIP.

Images: the frozen AlexNet of LPIPS, its features pooled over a coarse grid, a small trained head.  Texts: a bag of known
phrases, one trained vector each; the phrases are those of `caption_vocabulary`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from dynode import runtime
from dynode.io.images import resampled
from dynode.io.tensor_files import half_precision, read_metadata, read_safetensors, undamaged, write_safetensors
from dynode.perception import caption_vocabulary
from dynode.perception.lpips import LPIPS
from dynode.settings import choose, require_positive

FORMAT, WHAT = "dynode-captions-1", "an image-text network (as `dynode train captions` writes it)"
CHANNELS = {1: 192, 3: 256, 4: 256}  # layer of AlexNet, from 0 -> its channels


@dataclass(frozen=True)
class CaptionSettings:
    """The category of the images, and the shape of the head."""

    category: str = "scene"
    resolution: int = 128  # pixels a side of AlexNet's input
    grid: int = 5  # cells a side that features are pooled over
    reduced: int = 5  # channels that each layer is reduced to
    width: int = 32  # of the unit vectors

    def __post_init__(self):
        require_positive(self, "resolution", "grid", "reduced", "width")


class CaptionNetwork(nn.Module):
    """An `ImageText` network; `phrases` are those it knows."""

    name = "captions[alexnet]"
    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, settings: CaptionSettings):
        super().__init__()
        s = self.settings = settings
        self.phrases = caption_vocabulary.phrases(s.category)
        self.backbone = [LPIPS("alex")]  # in a list: its weights are not part of the saved ones
        self.register_buffer("mean", torch.zeros(sum(CHANNELS.values())))
        self.register_buffer("scale", torch.ones(sum(CHANNELS.values())))
        self.reduce = nn.ModuleList(nn.Conv2d(channels, s.reduced, 1) for channels in CHANNELS.values())
        self.head = nn.Linear(len(CHANNELS) * s.reduced * s.grid**2, s.width)
        self.words = nn.Parameter(torch.randn(len(self.phrases), s.width) / s.width**0.5)
        self.sharpness = nn.Parameter(torch.tensor(2.5))  # log of the factor of cosines in the loss

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """AlexNet's features (B, C, G, G) of images (B, 3, R, R) in [-1, 1], pooled; nothing in them is trained here."""
        self.backbone[0].to(images.device)
        layers = self.backbone[0].features(resampled(images.clamp(-1, 1), self.settings.resolution))
        return torch.cat([F.adaptive_avg_pool2d(layers[k], self.settings.grid) for k in CHANNELS], 1)

    def embed_features(self, features: torch.Tensor) -> torch.Tensor:
        """Unit vectors (B, K) of pooled features."""
        standardised = (features - self.mean[:, None, None]) / self.scale[:, None, None]
        parts = standardised.split(list(CHANNELS.values()), 1)
        reduced = [F.silu(layer(part)) for layer, part in zip(self.reduce, parts, strict=True)]
        return F.normalize(self.head(torch.cat(reduced, 1).flatten(1)), dim=1)

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Unit vectors (B, K) of images (B, 3, R, R) in [-1, 1] (clamped); differentiable."""
        return self.embed_features(self.features(images))

    def embed_bags(self, bags: torch.Tensor) -> torch.Tensor:
        """Unit vectors (N, K) of bags of phrases (N, V): how often each phrase occurs."""
        return F.normalize(bags.to(self.words) @ self.words, dim=1)

    def bag(self, text: str) -> torch.Tensor:
        """How often each known phrase (V,) occurs in a text.  Raises UserError for a text without any."""
        occurring = caption_vocabulary.known_phrases(text, self.phrases)
        return torch.tensor([float(occurring.count(phrase)) for phrase in self.phrases])

    def texts(self, texts: list[str]) -> torch.Tensor:
        """Unit vectors (N, K); the order of words does not matter.  Raises UserError for a text without a known word."""
        return self.embed_bags(torch.stack([self.bag(text) for text in texts]))


def save(network: CaptionNetwork, path: Path, card: dict) -> None:
    metadata = {"settings": network.settings, "phrases": network.phrases, "card": card}
    write_safetensors(path, half_precision(network), FORMAT, **metadata)


def load(path: Path | str, device: torch.device | str = "cpu") -> CaptionNetwork:
    """A saved network in float32, frozen."""
    tensors, metadata = read_safetensors(Path(path), FORMAT, WHAT)
    with undamaged(path, WHAT):
        network = CaptionNetwork(CaptionSettings(**json.loads(metadata["settings"])))
        network.phrases = tuple(
            json.loads(metadata["phrases"])
        )  # those it was trained with, whatever the table says now
        network.words = nn.Parameter(torch.empty(len(network.phrases), network.settings.width))
        network.load_state_dict({key: value.float() for key, value in tensors.items()})
    return network.to(device).eval().requires_grad_(False)


def shipped(category: str, device: torch.device | str = "cpu") -> CaptionNetwork:
    """The network that comes with the package for a category.  Raises UserError where there is none."""
    return load(choose("image-text network of", category, runtime.shipped("weights", "captions")), device)


def card(path: Path | str) -> dict:
    """Where a network comes from: settings, number of images, accuracy."""
    return json.loads(read_metadata(Path(path), FORMAT, WHAT)["card"])
