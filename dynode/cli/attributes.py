"""Commands about attributes: the scores of pictures, of random samples, and the boundaries that they teach."""

from pathlib import Path

from tyro.conf import Positional

from dynode.cli.parameters import Output, Parameters, assignments
from dynode.io import files


def score(
    files: Positional[tuple[Path, ...]], *, first: int = 0, count: int = 1, every: int = 1, device: str = "auto"
) -> None:
    """Print the attributes of the largest face in pictures or videos: smile, yaw, age and others.

    Args:
        files: Pictures or videos of a face seen from the front.
        first: The first frame of a video to score, from 0.
        count: How many frames; their mean is printed with their standard deviation.
        every: Take every so many-th frame.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.errors import UserError
    from dynode.io import video
    from dynode.perception import attributes, face_tracking

    if not files or count < 1:
        raise UserError(f"Name a picture or a video, and 1 frame or more, got {len(files)} files and {count} frames.")
    place, stretch = runtime.device(device), video.Stretch(first, count, every)
    scorer = attributes.of("face", place)
    for path in files:
        scores = scorer(face_tracking.portraits(path, stretch).to(place)).cpu()
        print(f"{path}: {len(scores)} {'frame' if len(scores) == 1 else 'frames'}")
        for name, values in zip(scorer.names, scores.T, strict=True):
            spread = f" ± {values.std():.2f}" if len(scores) > 1 else ""
            print(f"  {name:16} {values.mean():8.2f}{spread} {attributes.ATTRIBUTES[name].unit}")


def score_samples(
    generator: Positional[str] = "mobilestylegan-ffhq",
    output: Output = Path("scores.safetensors"),
    *,
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Score random pictures of a generator: what editors learn their attributes from.

    Args:
        generator: Such as mobilestylegan-ffhq or stylegan2-scene, or a file of weights.
        output: The scores to write.
        p: Change a setting: count=500, seed=1 or truncation_psi=1.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import generators, runtime
    from dynode.editing import random_samples
    from dynode.settings import changed

    files.require_writable(output)
    place = runtime.device(device)
    settings = changed(random_samples.SampleSettings(), assignments(p))
    card = random_samples.measure(generators.load(generator, place), settings, output, device=place, progress=True)
    print(
        f"{output}: {settings.count} samples, {len(card['names'])} attributes, {card['unmeasured']} not measured whole"
    )


def train_boundary(
    generator: Positional[str] = "mobilestylegan-ffhq",
    output: Output = Path("boundaries.safetensors"),
    *,
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Train InterFaceGAN's directions: for every attribute the plane in W that parts who has it from who has not.

    Args:
        generator: Such as mobilestylegan-ffhq or stylegan2-scene, or a file of weights.
        output: The boundaries to write.
        p: Change a setting, such as share=0.05, c=0.1, samples.count=1000 or seed=1.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.editing import interfacegan
    from dynode.settings import changed

    files.require_writable(output)
    settings = changed(interfacegan.BoundarySettings(), assignments(p))
    card = interfacegan.train(generator, settings, output, device=runtime.device(device), progress=True)
    print(f"{output}: accuracy on held-out extremes, accuracy on the rest, correlation with the score")
    for name, facts in card["facts"].items():
        print(f"{name:22} {facts['held_out']:.3f}  {facts['rest']:.3f}  {facts['correlation']:.3f}")
    for name, why in card["left_out"].items():
        print(f"{name}: left out. {why}")
