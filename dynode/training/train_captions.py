"""`dynode train captions`: an image-text network learns from captions of random pictures (contrastive, as CLIP does).

Each time that a picture is shown it gets a new caption: of some of its attributes, left out at random, one of the phrases
that are true.  In a batch each picture is to find its caption and each caption its picture (Radford et al. 2021, Fig. 3).
Levels of attributes are a world's true factors, or the ranks of the scores that random pictures of a generator got.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from dynode import generators, runtime
from dynode.editing import random_samples
from dynode.editing.random_samples import SampleSettings
from dynode.io import assets
from dynode.io.images import from_levels
from dynode.perception import caption_network, caption_vocabulary
from dynode.perception.caption_network import CaptionNetwork, CaptionSettings
from dynode.settings import require_positive, to_json
from dynode.training.rendered_pictures import pictures
from dynode.training.train_gan import HELD_OUT_SEED, TRAINING_SEED
from dynode.worlds import WORLDS
from dynode.worlds.factors import from_normal

GENERATOR = {"face": "mobilestylegan-ffhq"}  # whose random pictures teach a category that is no world
HELD_OUT_PICTURES = 512  # held-out pictures at most


@dataclass(frozen=True)
class CaptionTrainingSettings:
    """How the network learns."""

    network: CaptionSettings = field(default_factory=CaptionSettings)
    pictures: int = 4096
    said: float = 0.5  # share of a picture's attributes that a caption tells
    batch: int = 256
    steps: int = 600
    lr: float = 3e-3
    decay: float = 0.05  # of weights: a grid of features has many
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "pictures", "said", "batch", "steps", "lr")


def settings_for(category: str) -> CaptionTrainingSettings:
    """The recommended ones: faces are looked at closer, and there are fewer of them."""
    if category in WORLDS:
        return CaptionTrainingSettings(CaptionSettings(category))
    return CaptionTrainingSettings(CaptionSettings(category, resolution=160, grid=6), pictures=3000, steps=400)


@dataclass(frozen=True)
class CaptionedPictures:
    """Pictures with their truth: pooled features (N, C, G, G), true phrases (N, V)."""

    features: torch.Tensor
    true: torch.Tensor


def ranks(scores: torch.Tensor) -> torch.Tensor:
    """The share (N,) of scores that are smaller, in [0, 1]; NaN stays."""
    known, levels = ~scores.isnan(), torch.full(scores.shape, float("nan"))
    levels[known] = scores[known].argsort().argsort() / max(1, int(known.sum()) - 1)
    return levels


@torch.no_grad()
def pooled_features(
    network: CaptionNetwork, parts: Iterable[torch.Tensor], device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Pooled features of pictures that come in parts."""
    return torch.cat([network.features(part.to(device)).half().cpu() for part in parts])


def world_pictures(
    network: CaptionNetwork, n: int, seed: int, device: torch.device | str = "cpu", progress: bool = False
) -> CaptionedPictures:
    """Pictures of a world that the renderer drew; their factors are known."""
    known = WORLDS[network.settings.category]
    choices = {"folder": assets.cache_dir() / "pictures", "device": device, "progress": progress}
    z, drawn = pictures(known, n, 64, seed=seed, **choices)
    shares = {
        f.name: f.fraction(v).double() for f, v in zip(known.factors, from_normal(known.factors, z).T, strict=True)
    }
    parts = (from_levels(part) for part in drawn.split(64))
    return CaptionedPictures(
        pooled_features(network, parts, device), caption_vocabulary.true_phrases(known.name, shares)
    )


def sample_pictures(
    network: CaptionNetwork, n: int, device: torch.device | str = "cpu", progress: bool = False
) -> tuple[CaptionedPictures, CaptionedPictures]:
    """Random pictures of a generator, scored: nine tenths to learn from and the last tenth."""
    category, settings = network.settings.category, SampleSettings(count=n)
    generator = generators.load(GENERATOR[category], device)
    found = random_samples.scored(generator, settings, device=device, progress=progress)
    levels = {name: ranks(found.scores[:n, k]) for k, name in enumerate(found.names)}
    features = pooled_features(network, random_samples.pictures(generator, settings, progress), device)
    true, kept = caption_vocabulary.true_phrases(category, levels), len(features) * 9 // 10
    return CaptionedPictures(features[:kept], true[:kept]), CaptionedPictures(features[kept:], true[kept:])


def gather_pictures(
    network: CaptionNetwork,
    settings: CaptionTrainingSettings,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> tuple[CaptionedPictures, CaptionedPictures]:
    """What is learned from, and what is held out.  Raises UserError for a category without wording."""
    if network.settings.category in WORLDS:
        seen = world_pictures(network, settings.pictures, TRAINING_SEED, device, progress)
        return seen, world_pictures(network, HELD_OUT_PICTURES, HELD_OUT_SEED, device)
    return sample_pictures(network, settings.pictures, device, progress)


def phrase_attributes(category: str) -> torch.Tensor:
    """Which attribute (A, V) each phrase belongs to."""
    names = list(caption_vocabulary.vocabulary(category))
    return torch.stack(
        [
            torch.tensor(
                [caption_vocabulary.attribute_of(category, p) == n for p in caption_vocabulary.phrases(category)]
            )
            for n in names
        ]
    )


def compose_captions(true: torch.Tensor, owner: torch.Tensor, said: float, draws: torch.Generator) -> torch.Tensor:
    """Captions (B, V) of pictures whose true phrases (B, V) are known: at most one phrase of each attribute (A, V)."""
    told = torch.rand(len(true), len(owner), generator=draws) < said
    lots = torch.rand(true.shape, generator=draws) * true
    bag = torch.zeros(true.shape)
    for k, mine in enumerate(owner):
        best = (lots * mine).argmax(1)
        bag[torch.arange(len(bag)), best] += told[:, k] & (lots * mine).any(1)
    return bag


def contrastive_loss(network: CaptionNetwork, features: torch.Tensor, bags: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the right caption for each picture and of the right picture for each caption."""
    seen, said = network.judged(features), network.said(bags)
    logits = network.sharpness.clamp(max=4.6).exp() * seen @ said.T
    right = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def train_caption_network(
    settings: CaptionTrainingSettings, output: Path, *, device: torch.device | str = "cpu", progress: bool = False
) -> dict:
    """Train the network of a category, write it, and return its card with what it tells apart on held-out pictures."""
    runtime.seed_everything(settings.seed)
    network = CaptionNetwork(settings.network).to(device)
    seen, held_out = gather_pictures(network, settings, device, progress)
    network.mean.copy_(seen.features.float().mean((0, 2, 3)))
    network.scale.copy_(seen.features.float().std((0, 2, 3)) + 1e-4)
    began = time.time()
    fit_network(network, seen, settings, progress)
    card = {
        "name": network.name,
        "settings": to_json(settings),
        "pictures": len(seen.features),
        "seconds": round(time.time() - began),
        "quality": measure(network.eval(), held_out),
        "held_out": len(held_out.features),
        "provenance": runtime.provenance(torch.device(device)),
    }
    caption_network.save(network, output, card)
    return card


def fit_network(
    network: CaptionNetwork, seen: CaptionedPictures, settings: CaptionTrainingSettings, progress: bool = False
) -> None:
    """All steps; AdamW, the rate falls along a cosine."""
    draws, owner = torch.Generator().manual_seed(settings.seed), phrase_attributes(settings.network.category)
    place = network.words.device
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    for _ in tqdm(range(settings.steps), desc="train captions", disable=not progress, mininterval=2):
        chosen = torch.randint(len(seen.features), (settings.batch,), generator=draws)
        bags = compose_captions(seen.true[chosen], owner, settings.said, draws)
        said = bags.any(1)  # a caption that tells nothing teaches nothing
        loss = contrastive_loss(network, seen.features[chosen[said]].float().to(place), bags[said].to(place))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


@torch.no_grad()
def measure(network: CaptionNetwork, held_out: CaptionedPictures) -> dict[str, float]:
    """How often the right band's first phrase agrees better with a picture than that of each other band, by attribute.

    Half would be chance; an attribute with one band is judged against the pictures outside it (area under the curve).
    """
    seen = network.judged(held_out.features.float().to(network.words.device))
    agrees = (seen @ network.texts(list(network.phrases)).T).cpu()
    column = {phrase: k for k, phrase in enumerate(network.phrases)}
    found = {}
    for name, bands in caption_vocabulary.vocabulary(network.settings.category).items():
        firsts = [column[band.phrases[0]] for band in bands]
        found[name] = band_accuracy(agrees, held_out.true, firsts)
    return {name: round(value, 4) for name, value in found.items()}


def band_accuracy(agrees: torch.Tensor, true: torch.Tensor, firsts: list[int]) -> float:
    """Share of (picture in a band, other band) pairs that are told apart; of (inside, outside) pairs for one band."""
    if len(firsts) == 1:
        inside, outside = agrees[true[:, firsts[0]], firsts[0]], agrees[~true[:, firsts[0]], firsts[0]]
        return float((inside[:, None] > outside).float().mean())
    hits = [agrees[true[:, a], a] > agrees[true[:, a], b] for a in firsts for b in firsts if a != b]
    return float(torch.cat(hits).float().mean())
