"""`dynode train gan`: rendered images, training, quality, and a weights file that carries its model card."""

import math
import time
from pathlib import Path
from typing import Any

import torch

from dynode import runtime
from dynode.errors import UserError
from dynode.evaluation import generator_quality
from dynode.generators import weights
from dynode.generators.weights import WeightsGenerator
from dynode.io import assets, names
from dynode.io.images import from_levels
from dynode.perception.lpips import LPIPS
from dynode.settings import changed, choose, to_json
from dynode.training.gan_training import GANTrainer, GANTrainingSettings, require_same_shape
from dynode.training.loops import Trainer, require_minutes
from dynode.training.rendered_pictures import HELD_OUT_SEED, pictures
from dynode.worlds import World, factors

MIN_RESOLUTION, MIN_FOR_LPIPS = 16, 32  # below, AlexNet pools its features away
MIN_MEASURED = 16  # images that quality can be measured on
CPU_RATE = 90  # images a second on two cores, an order of magnitude for the estimate printed before the work starts


def settings_for(world: World, changes: dict | None = None, architecture: str = "stylegan2") -> GANTrainingSettings:
    """The settings for a world's generator: one normal number for each factor, two for a circular one.

    changes: dotted names, such as distil or generator.w_dim.  Raises UserError for an unknown name.
    """
    chosen = choose("architecture", architecture, weights.ARCHITECTURES)
    settings = (
        GANTrainingSettings(chosen.settings) if chosen.coarse else GANTrainingSettings(chosen.settings, coarse=0.0)
    )
    return changed(settings, {"generator.z_dim": factors.normal_dim(world.factors)} | (changes or {}))


def file_name(world_name: str, architecture: str) -> str:
    """The file of a world's generator that copies its renderer; a StyleGAN2's says so, as one learned from pictures has its name."""
    copy = "-factors" if architecture == "stylegan2" else ""
    return f"{architecture}-{world_name}{copy}.safetensors"


def train_generator(
    world: World,
    output: Path,
    settings: GANTrainingSettings,
    *,
    distinct: int = 12_288,
    measured: int = 2048,
    minutes: float = math.inf,
    device: torch.device | str = "cpu",
    compiled: bool = False,
    progress: bool = False,
    start: Path | None = None,
) -> dict:
    """Train a generator on a world and write it to `output`; returns its card.

    distinct: number of different images.  measured: number of held-out images, and of samples, that quality is measured on.
    minutes: stop after this time; the same call resumes from `<output>.checkpoint`, as after a kill.
    start: a file of weights to start from instead of random ones; its card is kept in the new one.
    Raises UserError for too few images, weights of another shape, and for a checkpoint of another training.
    """
    require_enough(settings, distinct, measured)
    require_trainable(settings, start)
    require_minutes(minutes)
    print_cost(world, settings, distinct + measured)
    z, images = pictures(world, distinct, settings.generator.resolution, device=device, progress=progress)
    network = LPIPS("alex", checked=False).to(device)
    trainer = GANTrainer(settings, z, images, network, device, compiled=compiled, start=start)
    checkpoint = names.beside(output, ".checkpoint")
    trainer.resume(checkpoint)
    generator = trainer.run(checkpoint, until=time.time() + 60 * minutes, progress=progress)
    quality = held_out_quality(generator, world, images, measured, network, device=device, progress=progress)
    described = {"method": method(trainer), "distinct_pictures": len(images), "quality": quality}
    card = card_of(world, settings, trainer, start, compiled) | described
    weights.save(generator, output, card)
    if trainer.shown >= trainer.total:
        checkpoint.unlink(missing_ok=True)
    return card


def card_of(world: World, settings: Any, trainer: Trainer, start: Path | None, compiled: bool) -> dict:
    """The card of a generator: what it was trained on and how, and the card of the weights that it started from."""
    before = {} if start is None else {"hash": assets.sha256_of(start)[:12]} | weights.card(start)
    return {
        "world": world.name,
        "settings": to_json(settings),
        "pictures_shown": trainer.shown,
        "hours": round(trainer.seconds / 3600, 2),
        "provenance": runtime.provenance(trainer.device, compiled=compiled),
    } | ({"started_from": before} if before else {})


def require_enough(settings: GANTrainingSettings, distinct: int, measured: int) -> None:
    """Raises UserError for fewer images than a batch, or than quality is measured on."""
    if distinct < max(settings.batch, measured) or measured < MIN_MEASURED:
        raise UserError(
            f"A generator learns from at least {settings.batch} pictures, and from as many as it is measured on, "
            f"which is at least {MIN_MEASURED}: got {distinct} and {measured}."
        )


def require_start(generator: Any, start: Path | None) -> None:
    """Raises UserError for weights to start from whose shape is not that of a generator's settings."""
    if start is not None:
        require_same_shape(weights.load(start, start.stem).settings, generator, start)


def require_trainable(settings: GANTrainingSettings, start: Path | None = None) -> None:
    """Raises UserError for no phase at all, for images that LPIPS cannot see, and for weights of another shape."""
    require_start(settings.generator, start)
    if not settings.distil + settings.refine + settings.play:
        raise UserError("Nothing is to be trained: distil, refine and play are all 0, set one of them.")
    wanted = MIN_FOR_LPIPS if settings.lpips and settings.distil else MIN_RESOLUTION
    if settings.generator.resolution < wanted:
        raise UserError(
            f"AlexNet, whose features train and measure a generator, wants {wanted} pixels a side or more here, got "
            f"{settings.generator.resolution}: set generator.resolution={wanted}."
        )


def method(trainer: GANTrainer) -> str:
    """What was done to the generator, in words."""
    s, text = trainer.settings, "distilled from the renderer"
    if trainer.shown > s.distil and s.refine:
        text += f", refined at {s.enlarged} pixels by LPIPS, texture and a linear discriminant of AlexNet's features"
    return text + (", then adversarial" if trainer.shown > s.distil + s.refine else "")


def print_cost(world: World, settings: GANTrainingSettings, images: int) -> None:
    """Print what the training will take, before it starts."""
    costly = settings.distil + 2 * settings.refine + 4 * settings.play
    shown = settings.distil + settings.refine + settings.play
    print(cost_text(world, images, images / world.pictures_per_second, shown, costly / CPU_RATE))


def cost_text(world: World, drawn: int, drawing: float, shown: int, showing: float) -> str:
    """What a training will take: numbers of pictures drawn and shown, and the seconds of both."""
    return (
        f"{drawn} pictures of {world.name} to draw (once), about {drawing / 60:.0f} minutes, and {shown} to show, about "
        f"{showing / 60:.0f} minutes on 2 CPU cores. It can be stopped and resumed."
    )


@torch.no_grad()
def samples(generator: WeightsGenerator, n: int, seed: int = 0, resolution: int | None = None) -> torch.Tensor:
    """n images (n, 3, R, R) in [-1, 1] of random latents, on the CPU.  resolution: as `forward` of the generator takes it."""
    z = torch.randn(n, generator.z_dim, generator=torch.Generator().manual_seed(seed)).to(generator.w_avg)
    return torch.cat([generator(part, resolution).clamp(-1, 1).cpu() for part in z.split(32)])


def held_out_quality(
    generator: WeightsGenerator,
    world: World,
    images: torch.Tensor,
    n: int,
    network: LPIPS,
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict[str, float]:
    """Quality of n samples against held-out images of the world, beside that of the training images uint8 (N, 3, R, R)."""
    size = images.shape[-1]
    _, held_out = pictures(world, n, size, seed=HELD_OUT_SEED, device=device, progress=progress)
    sets = from_levels(held_out), from_levels(images[: len(held_out)]), samples(generator, len(held_out))
    quality = generator_quality.compared(*(generator_quality.features(each, network) for each in sets))
    return {name: round(value, 4) for name, value in quality.items()}
