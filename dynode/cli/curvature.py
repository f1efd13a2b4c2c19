"""`dynode train curvature`: the curvature by which a projection takes its steps."""

from dynode.cli.options import Device, GeneratorName, Output, output_path, print_numbers, stem
from dynode.cli.parameters import Parameters, settings_with


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
