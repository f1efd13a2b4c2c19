"""Commands about attributes: scores of images, of random samples, and the boundaries learned from those."""

from pathlib import Path

from tyro.conf import Positional

from dynode.cli.options import Device, GeneratorName, Output, output_path, stem
from dynode.cli.parameters import Parameters, settings_with


def score(
    files: Positional[tuple[Path, ...]], *, first: int = 0, frames: int = 1, every: int = 1, device: Device = "auto"
) -> None:
    """Print the attributes of the largest face in images or videos: smile, yaw, age and others.

    Args:
        files: Images or videos of a face seen from the front.
        first: The first frame of a video to score, from 0.
        frames: How many frames, 0: all; the mean is printed with the standard deviation.
        every: Take every N-th frame.
    """
    from dynode import runtime
    from dynode.errors import UserError
    from dynode.io import video
    from dynode.perception import attributes, face_tracking

    if not files:
        raise UserError("Name an image or a video of a face.")
    chosen, stretch = runtime.device(device), video.Stretch(first, frames, every)
    scorer = attributes.attribute_scorer("face", chosen)
    for path in files:
        scores = scorer(face_tracking.portraits(path, stretch).to(chosen)).cpu()
        print(f"{path}: {len(scores)} {'frame' if len(scores) == 1 else 'frames'}")
        for name, values in zip(scorer.names, scores.T, strict=True):
            std = f" ± {values.std():.2f}" if len(scores) > 1 else ""
            print(f"  {name:16} {values.mean():8.2f}{std} {attributes.ATTRIBUTES[name].unit}")


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
    card = random_samples.measure(generators.load(generator, chosen), settings, output, device=chosen, progress=True)
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
    card = interfacegan.train_boundaries(generator, settings, output, device=runtime.device(device), progress=True)
    print(f"{output}: accuracy on held-out extremes, accuracy on the rest, correlation with the score")
    for name, facts in card["facts"].items():
        print(f"{name:22} {facts['held_out']:.3f}  {facts['rest']:.3f}  {facts['correlation']:.3f}")
    for name, why in card["left_out"].items():
        print(f"{name}: left out. {why}")
