"""`dynode train factors`: a network that reads the factors of a world off its images; latent flows are trained with it."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from dynode import runtime
from dynode.io.images import from_levels
from dynode.perception import factor_reader
from dynode.perception.factor_reader import FactorNet, FactorSettings, classes
from dynode.perception.lpips import total
from dynode.settings import require_positive, to_json
from dynode.training.loops import minimise
from dynode.training.rendered_pictures import HELD_OUT_SEED, TRAINING_SEED, pictures
from dynode.worlds import World, world
from dynode.worlds.factors import from_normal

HELD_OUT = 512  # images that the accuracy is measured on


@dataclass(frozen=True)
class FactorTrainingSettings:
    """How a factor reader is trained."""

    network: FactorSettings = field(default_factory=FactorSettings)
    batch: int = 32
    steps: int = 3000
    lr: float = 2e-3
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "steps", "lr")


def train_factor_reader(
    settings: FactorTrainingSettings,
    output: Path,
    *,
    distinct: int = 12_288,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """Train the factor reader of a world, write it, and return its card with the accuracy of each factor.

    distinct: number of different images.
    """
    runtime.seed_everything(settings.seed)
    known, size = world(settings.network.world), settings.network.resolution
    images, labels = labelled_images(known, distinct, size, TRAINING_SEED, device, progress)
    network, rng = FactorNet(settings.network).to(device), torch.Generator().manual_seed(settings.seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    for _ in tqdm(range(settings.steps), desc="train", disable=not progress, mininterval=2):
        chosen = torch.randint(len(images), (settings.batch,), generator=rng)
        logits, wanted = network(from_levels(images[chosen].to(device))), labels[chosen].to(device)
        minimise(optimiser, total(F.cross_entropy(logits[f.name], wanted[:, k]) for k, f in enumerate(known.factors)))
        schedule.step()
    accuracy = measure(network.eval(), *labelled_images(known, HELD_OUT, size, HELD_OUT_SEED, device, progress), device)
    card = {"settings": to_json(settings), "accuracy": accuracy, "provenance": runtime.provenance(torch.device(device))}
    factor_reader.save(network, output, card)
    return card


def labelled_images(
    known: World, n: int, size: int, seed: int, device: torch.device | str, progress: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images uint8 (n, 3, R, R) of a world and the classes (n, F) of their factors."""
    z, images = pictures(known, n, size, seed=seed, device=device, progress=progress)
    return images, classes(known.factors, from_normal(known.factors, z))


@torch.no_grad()
def measure(
    network: FactorNet, images: torch.Tensor, labels: torch.Tensor, device: torch.device | str
) -> dict[str, float]:
    """The fraction of images whose class is predicted correctly, by factor."""
    logits = network(from_levels(images.to(device)))
    hits = {f.name: logits[f.name].argmax(1).cpu() == labels[:, k] for k, f in enumerate(network.factors)}
    return {name: round(float(correct.float().mean()), 4) for name, correct in hits.items()}
