"""Commands about attributes: scores of images, of random samples, the boundaries learned from those, and curvatures."""

from pathlib import Path

from tyro.conf import Positional

from dynode.cli.options import Device, GeneratorName, Output, output_path, print_numbers, stem
from dynode.cli.parameters import Parameters, settings_with


def score(
    files: Positional[tuple[Path, ...]], *, first: int = 0, frames: int = 1, every: int = 1, device: Device = "auto"
) -> None:
    """Print the attributes of the largest face in images or videos, beside those of random faces: smile, yaw, age and others.

    Args:
        files: Images or videos of a face seen from the front.
        first: The first frame of a video to score, from 0.
        frames: How many frames, 0: all; the mean is printed with the standard deviation.
        every: Take every N-th frame.
    """
    import torch

    from dynode import runtime
    from dynode.editing import random_samples
    from dynode.errors import UserError
    from dynode.evaluation.counts import counted
    from dynode.io import video
    from dynode.perception import attributes, face_tracking
    from dynode.reporting.tables import scores_table

    if not files:
        raise UserError("Name an image or a video of a face.")
    chosen, stretch = runtime.device(device), video.Stretch(first, frames, every)
    scorer, random_faces = attributes.attribute_scorer("face", chosen), random_samples.shipped_faces()
    for path in files:
        scores = torch.cat([scorer(face[None].to(chosen)).cpu() for face in face_tracking.portraits(path, stretch)])
        print(f"{path}: {counted(len(scores), 'frame')}")
        measured, units = dict(zip(scorer.names, scores.T, strict=True)), attributes.ATTRIBUTES
        print(scores_table(measured, {name: each.unit for name, each in units.items()}, *random_faces).text(), end="")


def editors(*, generator: str = "", method: str = "") -> None:
    """List what `dynode edit` can change: editors, attributes, recommended and valid strengths, units; prints a table.

    Within the valid range the attribute changes monotonically, on the mean of random codes.

    Args:
        generator: Only the editors of its codes, such as mobilestylegan-ffhq (faces) or stylegan2-scene-factors; by default all.
        method: Instead, what of the system that `dynode edit --method` names, such as stit or tcsve, is kept and what is changed.
    """
    from dynode.editing.listing import editors_by_generator
    from dynode.errors import UserError
    from dynode.reporting.tables import Table

    if method:
        print_fidelity(method)
        return
    rows = [[name, *each.cells] for name, listed in editors_by_generator(generator).items() for each in listed]
    if not rows:
        raise UserError(f"No editor ships for {generator}: `dynode train` makes some.")
    header = ["generator", "--editor", "--attribute", "recommended", "valid", "unit of strength"]
    print(Table(header, rows, {}).markdown(), end="")
    if any(row[1] == "interfacegan" for row in rows):
        print(
            "interfacegan also holds others fixed, as in --attribute 'smile|age,gender=2'; ganspace takes any component."
        )


def print_fidelity(method: str) -> None:
    """Print what of a published system is kept here and what is not.  Raises UserError for an unknown one."""
    from dynode.video_editing.registry import system_class
    from dynode.video_editing.systems.fidelity import table

    if parts := getattr(system_class(method), "fidelity", ()):
        print(table(parts))
    else:
        print(f"{method} is a way to edit of this package: it follows no other system's publication.")


def score_samples(
    generator: GeneratorName = "mobilestylegan-ffhq",
    output: Output = None,
    *,
    p: Parameters = (),
    device: Device = "auto",
) -> None:
    """Score random images of a generator: what editors learn their attributes from.

    Args:
        generator: Such as mobilestylegan-ffhq or stylegan2-scene, or a file of weights.
        output: The scores to write, by default GENERATOR.scores.safetensors.
        p: Change a setting: count=500, seed=1 or truncation_psi=1.
    """
    from dynode import generators, runtime
    from dynode.editing import random_samples

    output = output_path(output, f"{stem(generator)}.scores.safetensors", generator)
    chosen, settings = runtime.device(device), settings_with(random_samples.SampleSettings(), p)
    card = random_samples.measure(
        generators.load(generator, chosen), settings, output, device=chosen, progress=runtime.bars()
    )
    incomplete = f"{card['unmeasured']} with scores missing"
    print(f"{output}: {settings.count} samples, {len(card['names'])} attributes, {incomplete}")


def train_boundary(
    generator: GeneratorName = "mobilestylegan-ffhq",
    output: Output = None,
    *,
    p: Parameters = (),
    device: Device = "auto",
) -> None:
    """Train InterFaceGAN's directions: for every attribute the plane in W that separates samples with it from those without.

    Args:
        generator: Such as mobilestylegan-ffhq or stylegan2-scene, or a file of weights.
        output: The boundaries to write, by default GENERATOR.boundaries.safetensors.
        p: Change a setting, such as share=0.05, c=0.1, samples.count=1000 or seed=1.
    """
    from dynode import runtime
    from dynode.editing import interfacegan

    output = output_path(output, f"{stem(generator)}.boundaries.safetensors", generator)
    settings = settings_with(interfacegan.BoundarySettings(), p)
    card = interfacegan.train_boundaries(
        generator, settings, output, device=runtime.device(device), progress=runtime.bars()
    )
    print(f"{output}: accuracy on held-out extremes, accuracy on the rest, correlation with the score")
    for name, facts in card["facts"].items():
        print(f"{name:22} {facts['held_out']:.3f}  {facts['rest']:.3f}  {facts['correlation']:.3f}")
    for name, why in card["left_out"].items():
        print(f"{name}: left out. {why}")


def train_curvature(
    generator: GeneratorName, output: Output = None, *, p: Parameters = (), device: Device = "auto"
) -> None:
    """Measure how much each style channel changes an image; projections with optimiser=whitened take their steps by that.

    Args:
        generator: Such as mobilestylegan-ffhq, or a file of weights.
        output: The file to write, by default GENERATOR.curvature.safetensors.
        p: Change a setting of the projection whose loss it is, such as lambda_id=0.2 or lpips_net=alex.
    """
    from dynode import generators, runtime
    from dynode.inversion.projection_settings import settings_for
    from dynode.training.train_curvature import measure_curvature

    output = output_path(output, f"{stem(generator)}.curvature.safetensors", generator)
    settings = settings_with(settings_for(generators.resolution_of(generator)), p)
    card = measure_curvature(generator, output, settings, runtime.device(device), progress=runtime.bars())
    print(f"{output}: measured in {card['seconds']} s")
    print_numbers(card["quality"])
