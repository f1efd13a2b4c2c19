"""`dynode train adversarial`: a generator that learns a world from its pictures alone, with its card, curve and sample sheet."""

import math
import time
from pathlib import Path

import torch
from PIL import Image

from dynode.errors import UserError
from dynode.evaluation import generator_quality
from dynode.generators import weights
from dynode.generators.weights import WeightsGenerator
from dynode.io import files, names
from dynode.io.images import area_resize, from_levels, to_uint8
from dynode.metrics.frechet import frechet
from dynode.perception.lpips import LPIPS
from dynode.training.adversarial.pictures import pictures_alone
from dynode.training.adversarial.projected_gan import MEASURES, ProjectedGANSettings, ProjectedGANTrainer
from dynode.training.loops import require_minutes
from dynode.training.rendered_pictures import HELD_OUT_SEED, pictures
from dynode.training.train_gan import MIN_MEASURED, card_of, cost_text, held_out_quality, require_start, samples
from dynode.worlds import World

METHOD = "adversarial"
IN_WORDS = "adversarial, from pictures alone: a projected GAN on features of VGG16"
SHEET = "-sheet.png"
PER_SIDE = 8  # samples of a sheet
CURVE_SEED = 2  # of the latents that the curve is measured on; the final quality has others
CPU_RATE = 60  # pictures of 64 pixels a second on two cores, an order of magnitude for the estimate at the start


class CurveJudge:
    """Measures a generator against held-out pictures uint8 (n, 3, R, R), few of them: for the curve alone.

    While it trains at half the resolution, its images of that are measured, against pictures reduced to it.
    """

    def __init__(self, held_out: torch.Tensor, network: LPIPS):
        self.held_out, self.network = held_out, network
        self.known: dict[int, torch.Tensor] = {}

    def real(self, resolution: int) -> torch.Tensor:
        """The features of the pictures at a resolution, computed once."""
        if resolution not in self.known:
            reduced = area_resize(from_levels(self.held_out), resolution)
            self.known[resolution] = generator_quality.features(reduced, self.network)
        return self.known[resolution]

    def __call__(self, generator: WeightsGenerator, resolution: int) -> dict[str, float]:
        real, images = self.real(resolution), samples(generator, len(self.held_out), CURVE_SEED, resolution)
        made = generator_quality.features(images, self.network)
        values = frechet(real, made), *generator_quality.precision_recall(real, made)
        return dict(zip(MEASURES, (*values, generator_quality.classifier_accuracy(real, made)), strict=True))


def train_adversarially(
    world: World,
    output: Path,
    settings: ProjectedGANSettings,
    *,
    distinct: int = 20_480,
    measured: int = 2048,
    curve: int = 512,
    minutes: float = math.inf,
    device: torch.device | str = "cpu",
    compiled: bool = False,
    progress: bool = False,
    start: Path | None = None,
) -> dict:
    """Train a generator on pictures of a world and nothing else, and write it to `output`; returns its card.

    distinct: number of different pictures.  measured, curve: numbers of held-out pictures, and of samples, that the final
    quality and the points of its curve are measured on.  minutes: stop after this time; the same call resumes from
    `<output>.checkpoint`, as after a kill.  A sheet of samples is written beside the weights.
    start: a file of weights to start from instead of random ones; its card is kept in the new one.
    Raises UserError for too few pictures, weights of another shape, and for a checkpoint of another training.
    """
    require_enough(settings, distinct, measured, curve)
    require_start(settings.generator, start)
    require_minutes(minutes)
    print_cost(world, settings, distinct + measured)
    resolution = settings.generator.resolution
    images = pictures_alone(world, distinct, resolution, device=device, progress=progress)
    _, held_out = pictures(world, measured, resolution, seed=HELD_OUT_SEED, device=device, progress=progress)
    network = LPIPS("alex", checked=False).to(device)
    judge = CurveJudge(held_out[:curve], network)
    vgg = LPIPS("vgg", checked=False)
    trainer = ProjectedGANTrainer(settings, images, vgg, device, compiled=compiled, judge=judge, start=start)
    checkpoint = names.beside(output, ".checkpoint")
    trainer.resume(checkpoint)
    generator = trainer.run(checkpoint, until=time.time() + 60 * minutes, progress=progress)
    quality = held_out_quality(generator, world, images, measured, network, device=device, progress=progress)
    described = {"method": METHOD, "method_in_words": IN_WORDS, "distinct_pictures": len(images), "quality": quality}
    described |= {"curve": trainer.quality_curve(), "curve_measured_on": curve}
    card = card_of(world, settings, trainer, start, compiled) | described
    weights.save(generator, output, card, small=trainer.shown >= trainer.total)
    write_sheet(generator, names.beside(output.with_suffix(""), SHEET))
    if trainer.shown >= trainer.total:
        checkpoint.unlink(missing_ok=True)
    return card


def require_enough(settings: ProjectedGANSettings, distinct: int, measured: int, curve: int) -> None:
    """Raises UserError for fewer pictures than a batch, or than quality is measured on."""
    least = max(settings.batch, measured)
    if distinct < least or min(measured, curve) < MIN_MEASURED or curve > measured:
        raise UserError(
            f"A generator learns from at least {least} pictures, a batch or as many as it is measured on, and the curve is "
            f"measured on at least {MIN_MEASURED} of these: got {distinct}, {measured} and {curve}."
        )


def print_cost(world: World, settings: ProjectedGANSettings, images: int) -> None:
    """Print what the training will take, before it starts."""
    area = (settings.generator.resolution / 64) ** 2
    drawing = images * area / world.pictures_per_second
    shown = settings.pictures * area * (1 - 0.75 * settings.coarse)
    print(cost_text(world, images, drawing, settings.pictures, shown / CPU_RATE))


def write_sheet(generator: WeightsGenerator, path: Path) -> None:
    """A PNG of 8 x 8 samples, at least 1024 pixels a side, without interpolation."""
    levels = to_uint8(samples(generator, PER_SIDE**2))
    side = PER_SIDE * generator.resolution
    grid = levels.reshape(PER_SIDE, PER_SIDE, *levels.shape[1:]).swapaxes(1, 2).reshape(side, side, 3)
    factor = max(1, 1024 // side)
    with files.written_whole(path) as scratch:
        Image.fromarray(grid.repeat(factor, 0).repeat(factor, 1)).save(scratch, "PNG")
