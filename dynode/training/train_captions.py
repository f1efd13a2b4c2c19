"""`dynode train captions`: an image-text network, trained on captions of random images (contrastive, as CLIP).

An image gets a new caption each time it is shown: for a random subset of its attributes, one of the phrases that are true.
The loss classifies each caption of a batch by its image and each image by its caption (Radford et al. 2021, Fig. 3).
Levels of attributes are a world's true factors, or the ranks of attribute scores among random images of a generator.
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
from dynode.io.images import from_levels
from dynode.perception import caption_network, caption_vocabulary
from dynode.perception.caption_network import CaptionNetwork, CaptionSettings
from dynode.settings import require_positive, to_json
from dynode.training.loops import minimise
from dynode.training.rendered_pictures import HELD_OUT_SEED, TRAINING_SEED, pictures
from dynode.worlds import WORLDS
from dynode.worlds.factors import from_normal

GENERATOR = {"face": "mobilestylegan-ffhq"}  # whose random images are the training data of a category that is no world
HELD_OUT_PICTURES = 512


@dataclass(frozen=True)
class CaptionTrainingSettings:
    """How the network is trained."""

    network: CaptionSettings = field(default_factory=CaptionSettings)
    pictures: int = 4096
    said: float = 0.5  # probability that a caption describes an attribute
    batch: int = 256
    steps: int = 600
    lr: float = 3e-3
    decay: float = 0.05  # weight decay: a grid of features has many weights
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "pictures", "said", "batch", "steps", "lr")


def settings_for(category: str) -> CaptionTrainingSettings:
    """The recommended settings: faces at a higher resolution, and fewer of them."""
    if category in WORLDS:
        return CaptionTrainingSettings(CaptionSettings(category))
    return CaptionTrainingSettings(CaptionSettings(category, resolution=160, grid=6), pictures=3000, steps=400)


@dataclass(frozen=True)
class CaptionedPictures:
    """Pooled features (N, C, G, G) of images, and which phrases (N, V) are true of them."""

    features: torch.Tensor
    true: torch.Tensor


def ranks(scores: torch.Tensor) -> torch.Tensor:
    """The quantile (N,) of each score among all, in [0, 1]; NaN stays."""
    known, levels = ~scores.isnan(), torch.full(scores.shape, float("nan"))
    levels[known] = scores[known].argsort().argsort() / max(1, int(known.sum()) - 1)
    return levels


@torch.no_grad()
def pooled_features(
    network: CaptionNetwork, parts: Iterable[torch.Tensor], device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Pooled features (N, C, G, G) in half precision of images that come in parts."""
    return torch.cat([network.features(part.to(device)).half().cpu() for part in parts])


def world_pictures(
    network: CaptionNetwork, n: int, seed: int, device: torch.device | str = "cpu", progress: bool = False
) -> CaptionedPictures:
    """Rendered images of a world, with the phrases that are true of their factors."""
    known = WORLDS[network.settings.category]
    z, images = pictures(known, n, 64, seed=seed, device=device, progress=progress)
    values = zip(known.factors, from_normal(known.factors, z).T, strict=True)
    true = caption_vocabulary.true_phrases(known.name, {f.name: f.fraction(v).double() for f, v in values})
    return CaptionedPictures(pooled_features(network, (from_levels(part) for part in images.split(64)), device), true)


def sample_pictures(
    network: CaptionNetwork, n: int, device: torch.device | str = "cpu", progress: bool = False
) -> tuple[CaptionedPictures, CaptionedPictures]:
    """Random images of a generator, with phrases by the ranks of their scores: nine tenths, and the held-out last tenth."""
    category, settings = network.settings.category, SampleSettings(count=n)
    generator = generators.load(GENERATOR[category], device)
    samples = random_samples.scored(generator, settings, device=device, progress=progress)
    levels = {name: ranks(samples.scores[:n, k]) for k, name in enumerate(samples.names)}
    features = pooled_features(network, random_samples.pictures(generator, settings, progress), device)
    true, cut = caption_vocabulary.true_phrases(category, levels), len(features) * 9 // 10
    return CaptionedPictures(features[:cut], true[:cut]), CaptionedPictures(features[cut:], true[cut:])


def gather_pictures(
    network: CaptionNetwork,
    settings: CaptionTrainingSettings,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> tuple[CaptionedPictures, CaptionedPictures]:
    """Training and held-out images.  Raises UserError for a category without a vocabulary."""
    if network.settings.category in WORLDS:
        training = world_pictures(network, settings.pictures, TRAINING_SEED, device, progress)
        return training, world_pictures(network, HELD_OUT_PICTURES, HELD_OUT_SEED, device)
    return sample_pictures(network, settings.pictures, device, progress)


def phrase_attributes(category: str) -> torch.Tensor:
    """Whether each phrase describes an attribute (A, V)."""
    owners = [caption_vocabulary.attribute_of(category, phrase) for phrase in caption_vocabulary.phrases(category)]
    return torch.tensor([[owner == name for owner in owners] for name in caption_vocabulary.vocabulary(category)])


def compose_captions(true: torch.Tensor, owner: torch.Tensor, said: float, rng: torch.Generator) -> torch.Tensor:
    """Random captions (B, V) of images with true phrases (B, V): with probability `said` one for each attribute (A, V)."""
    described = torch.rand(len(true), len(owner), generator=rng) < said
    lots = torch.rand(true.shape, generator=rng) * true
    bag = torch.zeros(true.shape)
    for k, mine in enumerate(owner):
        best = (lots * mine).argmax(1)
        bag[torch.arange(len(bag)), best] += described[:, k] & (lots * mine).any(1)
    return bag


def contrastive_loss(network: CaptionNetwork, features: torch.Tensor, bags: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the right caption for each image and of the right image for each caption."""
    images, captions = network.embed_features(features), network.embed_bags(bags)
    logits = network.sharpness.clamp(max=4.6).exp() * images @ captions.T
    right = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def train_caption_network(
    settings: CaptionTrainingSettings, output: Path, *, device: torch.device | str = "cpu", progress: bool = False
) -> dict:
    """Train the network of a category, write it, and return its card with its accuracy on held-out images."""
    runtime.seed_everything(settings.seed)
    network = CaptionNetwork(settings.network).to(device)
    training, held_out = gather_pictures(network, settings, device, progress)
    network.mean.copy_(training.features.float().mean((0, 2, 3)))
    network.scale.copy_(training.features.float().std((0, 2, 3)) + 1e-4)
    began = time.time()
    fit_network(network, training, settings, progress)
    card = {
        "name": network.name,
        "settings": to_json(settings),
        "pictures": len(training.features),
        "seconds": round(time.time() - began),
        "quality": measure(network.eval(), held_out),
        "held_out": len(held_out.features),
        "provenance": runtime.provenance(torch.device(device)),
    }
    caption_network.save(network, output, card)
    return card


def fit_network(
    network: CaptionNetwork, training: CaptionedPictures, settings: CaptionTrainingSettings, progress: bool = False
) -> None:
    """Train the network, in place; AdamW, cosine decay of the learning rate."""
    rng, owner = torch.Generator().manual_seed(settings.seed), phrase_attributes(settings.network.category)
    device = network.words.device
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    for _ in tqdm(range(settings.steps), desc="train captions", disable=not progress, mininterval=2):
        chosen = torch.randint(len(training.features), (settings.batch,), generator=rng)
        bags = compose_captions(training.true[chosen], owner, settings.said, rng)
        some = bags.any(1)  # empty captions are left out
        features = training.features[chosen[some]].float().to(device)
        minimise(optimiser, contrastive_loss(network, features, bags[some].to(device)))
        schedule.step()


@torch.no_grad()
def measure(network: CaptionNetwork, held_out: CaptionedPictures) -> dict[str, float]:
    """Zero-shot accuracy by attribute: how often the right band's first phrase has a higher cosine than another band's.

    Chance is 0.5; an attribute with one band is measured against the images outside it (area under the ROC curve).
    """
    images = network.embed_features(held_out.features.float().to(network.words.device))
    cosines = (images @ network.texts(list(network.phrases)).T).cpu()
    column = {phrase: k for k, phrase in enumerate(network.phrases)}
    accuracy = {}
    for name, bands in caption_vocabulary.vocabulary(network.settings.category).items():
        accuracy[name] = band_accuracy(cosines, held_out.true, [column[band.phrases[0]] for band in bands])
    return {name: round(value, 4) for name, value in accuracy.items()}


def band_accuracy(cosines: torch.Tensor, true: torch.Tensor, firsts: list[int]) -> float:
    """Fraction of (image in a band, other band) pairs in the right order; of (inside, outside) pairs for one band."""
    if len(firsts) == 1:
        inside, outside = cosines[true[:, firsts[0]], firsts[0]], cosines[~true[:, firsts[0]], firsts[0]]
        return float((inside[:, None] > outside).float().mean())
    hits = [cosines[true[:, a], a] > cosines[true[:, a], b] for a in firsts for b in firsts if a != b]
    return float(torch.cat(hits).float().mean())
