"""Commands about attributes: the scores of pictures, of random samples, and the boundaries that they teach."""

from pathlib import Path

from tyro.conf import Positional

from dynode.cli.parameters import Output, Parameters, assignments


def score(files: Positional[tuple[Path, ...]], *, frames: int = 1, device: str = "auto") -> None:
    """Print the attributes of the largest face in pictures and videos: smile, yaw, age and others.

    Args:
        files: Pictures or videos, each with a face seen from the front.
        frames: How many frames of a video to score, evenly spaced; their mean is printed, and their spread.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.editing import faces_of
    from dynode.errors import UserError
    from dynode.perception import attributes

    if not files or frames < 1:
        raise UserError(f"Name pictures or videos, and 1 frame or more of each, got {len(files)} and {frames}.")
    place = runtime.device(device)
    scorer = attributes.of("face", place)
    for path in files:
        found = scorer(faces_of.aligned(path, frames).to(place)).detach().cpu()
        print(f"{path}: {len(found)} {'frame' if len(found) == 1 else 'frames'}")
        for name, values in zip(scorer.names, found.T, strict=True):
            spread = f" ± {values.std():.2f}" if len(found) > 1 else ""
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
    from dynode.editing import samples
    from dynode.settings import changed

    runtime.require_writable(output)
    place = runtime.device(device)
    settings = changed(samples.SampleSettings(), assignments(p))
    card = samples.measure(generators.load(generator, place), settings, output, device=place, progress=True)
    print(f"{output}: {settings.count} samples, {len(card['names'])} attributes, {card['unmeasured']} not measured whole")
