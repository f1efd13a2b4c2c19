"""`dynode train gan`: pictures, training, quality, and a weights file that carries its model card."""

import math
import time
from pathlib import Path

import torch

from dynode import runtime
from dynode.errors import UserError
from dynode.evaluation import generator_quality
from dynode.generators import weights
from dynode.generators.dcgan import DCGANSettings
from dynode.generators.stylegan2 import StyleGAN2Settings
from dynode.io import assets
from dynode.io.images import from_levels
from dynode.perception.lpips import LPIPS
from dynode.settings import changed, choose, to_json
from dynode.training.gan_training import GANTrainer, GANTrainingSettings
from dynode.training.rendered_pictures import pictures
from dynode.worlds import World, factors

TRAINING_SEED, HELD_OUT_SEED = (
    0,
    1,
)  # seeds of the pictures that are learned from and of those that quality is measured on
MIN_MEASURED = 16  # pictures that quality can be measured on
CPU_RATE = 90  # pictures a second on two cores, an order of magnitude for the estimate printed before the work starts
RENDER_RATE = {"scene": 30, "bird": 9, "isaac3d": 8}  # pictures of 64 pixels drawn a second, likewise


ARCHITECTURES = {
    "stylegan2": GANTrainingSettings(generator=StyleGAN2Settings(normalise_z=False, mapping_lr=1.0, octaves=4)),
    "dcgan": GANTrainingSettings(generator=DCGANSettings(), coarse=0.0),
}


def settings_for(world: World, changes: dict | None = None, architecture: str = "stylegan2") -> GANTrainingSettings:
    """The settings of a world's generator: one normal number for each factor, two for a circular one.

    changes: dotted names, such as distil or generator.w_dim.  Raises UserError for an unknown name.
    """
    whole = choose("architecture", architecture, ARCHITECTURES)
    return changed(whole, {"generator.z_dim": factors.normal_dim(world.factors)} | (changes or {}))


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

    distinct: different pictures drawn; measured: how many held-out pictures, and as many samples, quality is measured on.
    minutes: stop after so many; the same call goes on from `<output>.checkpoint`, as after a kill.
    start: a file of weights to begin with instead of random ones; its card is kept in the new one.
    Raises UserError for too few pictures, weights of another shape, and for a checkpoint of another training.
    """
    if distinct < max(settings.batch, measured) or measured < MIN_MEASURED:
        raise UserError(
            f"A generator learns from at least {settings.batch} pictures, and from as many as it is measured on, "
            f"which is at least {MIN_MEASURED}: got {distinct} and {measured}."
        )
    folder = assets.cache_dir() / "pictures"
    print_cost(world, settings, distinct + measured)
    choices = {"folder": folder, "device": device, "progress": progress}
    z, seen = pictures(world, distinct, settings.generator.resolution, seed=TRAINING_SEED, **choices)
    network = LPIPS("alex").to(device)
    training = GANTrainer(settings, z, seen, network, device, compiled=compiled, start=start)
    checkpoint = output.with_suffix(".checkpoint")
    training.resume(checkpoint)
    generator = training.run(checkpoint, until=time.time() + 60 * minutes, progress=progress)
    _, held_out = pictures(world, measured, settings.generator.resolution, seed=HELD_OUT_SEED, **choices)
    card = {
        "world": world.name,
        "settings": to_json(settings),
        "method": method(training),
        "distinct_pictures": len(seen),
        "pictures_shown": training.shown,
        "hours": round(training.seconds / 3600, 2),
        "quality": measure(generator, from_levels(held_out), from_levels(seen[: len(held_out)]), network),
        "provenance": runtime.provenance(torch.device(device), compiled=compiled),
    }
    if start is not None:
        card["started_from"] = {"hash": assets.sha256_of(start)[:12]} | weights.card(start)
    weights.save(generator, output, card)
    if training.shown >= training.total:
        checkpoint.unlink(missing_ok=True)
    return card


def method(training: GANTrainer) -> str:
    """What was done to the generator, in words."""
    s, told = training.settings, "distilled from the renderer"
    if training.shown > s.distil and s.refine:
        told += f", refined at {s.enlarged} pixels by LPIPS, texture and a linear discriminant of AlexNet's features"
    return told + (", then adversarial" if training.shown > s.distil + s.refine else "")


def print_cost(world: World, settings: GANTrainingSettings, drawn: int) -> None:
    shown = settings.distil + 2 * settings.refine + 4 * settings.play
    print(
        f"{drawn} pictures of {world.name} to draw (once), about {drawn / RENDER_RATE[world.name] / 60:.0f} minutes, and "
        f"{settings.distil + settings.refine + settings.play} to show, about {shown / CPU_RATE / 60:.0f} minutes on 2 CPU cores. "
        "It can be stopped and resumed."
    )


@torch.no_grad()
def samples(generator, n: int, seed: int = 0, chunk: int = 32) -> torch.Tensor:
    """n images (n, 3, R, R) in [-1, 1] of random latents, on the CPU."""
    z = torch.randn(n, generator.z_dim, generator=torch.Generator().manual_seed(seed)).to(generator.w_avg)
    return torch.cat([generator(part).clamp(-1, 1).cpu() for part in z.split(chunk)])


def measure(generator, held_out: torch.Tensor, other: torch.Tensor, network: LPIPS) -> dict[str, float]:
    """Quality of samples against held-out pictures of the world, beside that of other pictures of the world."""
    made = samples(generator, len(held_out))
    return {
        name: round(value, 4)
        for name, value in generator_quality.compared(
            *(generator_quality.features(images, network) for images in (held_out, other, made))
        ).items()
    }
