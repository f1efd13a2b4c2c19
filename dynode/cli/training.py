"""Commands that train the networks of a world: generator, encoder, reader of factors, flows."""

from pathlib import Path

from tyro.conf import Positional

from dynode.cli.parameters import Output, Parameters, assignments
from dynode.io import files


def train_gan(
    world: Positional[str],
    output: Output = Path("generator.safetensors"),
    *,
    architecture: str = "stylegan2",
    p: Parameters = (),
    pictures: int = 12_288,
    measured: int = 2048,
    start: Path | None = None,
    minutes: float = float("inf"),
    compiled: bool = False,
    device: str = "auto",
) -> None:
    """Train a generator on a world; writes its weights with a model card.

    Args:
        world: scene, bird or isaac3d.
        output: The weights to write; a killed run goes on from the checkpoint that lies beside them.
        architecture: stylegan2, or dcgan (small, without styles).
        p: Change a setting, such as distil=200000, play=0 or generator.resolution=128.
        pictures: How many different pictures to draw and learn from; kept in the cache.
        measured: How many pictures and samples the quality is measured on.
        start: Weights to begin with, a file that this command wrote; random ones where none is named.
        minutes: Stop training after so many; the same command goes on.
        compiled: Use torch.compile: minutes longer to start, then faster; takes a C++ compiler.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime, worlds
    from dynode.training import train_gan as make

    files.require_writable(output)
    known = worlds.world(world)
    card = make.train(
        known,
        output,
        make.settings_for(known, assignments(p), architecture),
        distinct=pictures,
        measured=measured,
        minutes=minutes,
        device=runtime.device(device),
        compiled=compiled,
        progress=True,
        start=start,
    )
    print(f"{output}: {card['pictures_shown']} pictures shown in {card['hours']:.2f} hours")
    for name, value in card["quality"].items():
        print(f"{name}: {value:.3f}")


def train_encoder(
    generator: Positional[str],
    output: Output = Path("encoder.safetensors"),
    *,
    p: Parameters = (),
    pictures: int = 12_288,
    minutes: float = float("inf"),
    compiled: bool = False,
    device: str = "auto",
) -> None:
    """Train an encoder for the generator of a world; writes its weights with a model card.

    Args:
        generator: Such as stylegan2-scene, or a file of weights.
        output: The weights to write; a killed run goes on from the checkpoint that lies beside them.
        p: Change a setting, such as pictures=20000, encoder.passes=3 or encoder.gradient=false.
        pictures: How many different pictures of the world to draw and learn from; kept in the cache.
        minutes: Stop training after so many; the same command goes on.
        compiled: Use torch.compile: minutes longer to start, then faster; takes a C++ compiler.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.settings import changed
    from dynode.training.train_encoder import TrainingSettings, train

    files.require_writable(output)
    card = train(
        generator,
        output,
        changed(TrainingSettings(), assignments(p)),
        distinct=pictures,
        minutes=minutes,
        device=runtime.device(device),
        compiled=compiled,
        progress=True,
    )
    print(f"{output}: {card['pictures_shown']} pictures shown in {card['hours']:.2f} hours")
    for name, value in card["quality"].items():
        print(f"{name}: {value:.4f}")


def train_factors(
    world: Positional[str],
    output: Output = Path("factors.safetensors"),
    *,
    p: Parameters = (),
    pictures: int = 12_288,
    device: str = "auto",
) -> None:
    """Train the network that reads the factors of a world off a picture; flows learn from it.

    Args:
        world: scene, bird or isaac3d.
        output: The weights to write.
        p: Change a setting, such as steps=500 or network.channels=16.
        pictures: How many different pictures of the world to draw and learn from; kept in the cache.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime, worlds
    from dynode.settings import changed
    from dynode.training.train_flow import ReadingSettings, train_factors

    files.require_writable(output)
    settings = changed(ReadingSettings(), {"network.world": worlds.world(world).name} | assignments(p))
    card = train_factors(settings, output, distinct=pictures, device=runtime.device(device), progress=True)
    print(f"{output}: share of held-out pictures read right")
    for name, value in card["accuracy"].items():
        print(f"{name}: {value:.3f}")


def train_flow(
    generator: Positional[str],
    factor: Positional[str],
    output: Output = Path("flow.safetensors"),
    *,
    p: Parameters = (),
    factors: Path | None = None,
    device: str = "auto",
) -> None:
    """Train a latent flow: a field in W along which one factor of a world changes.

    Args:
        generator: Such as stylegan2-scene, or a file of weights.
        factor: What is to change, such as hour, fog or wall_color.
        output: The flow to write.
        p: Change a setting, such as flow.source=4, flow.target=0, flow.depth=0, alpha=8 or steps=500.
        factors: The network that reads the factors; the shipped one of the world where none is named.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.perception import factor_reader as reading
    from dynode.settings import changed
    from dynode.training.train_flow import FlowTraining, train_flow

    files.require_writable(output)
    place = runtime.device(device)
    settings = changed(FlowTraining(), {"flow.factor": factor} | assignments(p))
    network = reading.load(factors, place) if factors else None
    card = train_flow(generator, settings, output, network=network, device=place, progress=True)
    print(f"{output}: trained in {card['seconds']} s")
    for name, value in card["quality"].items():
        print(f"{name}: {value:.3f}")


def train_transformer(
    generator: Positional[str],
    attribute: Positional[str],
    output: Output = Path("transformer.safetensors"),
    *,
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Train a latent transformer: a linear map of codes by which one attribute changes and the others stay.

    Args:
        generator: Such as mobilestylegan-ffhq or stylegan2-scene, or a file of weights.
        attribute: What is to change, such as smile, age or fog: whatever is scored of what the generator shows.
        output: The editor to write.
        p: Change a setting, such as steps=500, keep=3, transformer.rank=512, transformer.apart=true, mixtures=1000 or classifier.view=rows.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.settings import changed
    from dynode.training.train_transformer import TransformerTraining, train

    files.require_writable(output)
    settings = changed(TransformerTraining(), {"transformer.attribute": attribute} | assignments(p))
    card = train(generator, settings, output, device=runtime.device(device), progress=True)
    print(
        f"{output}: trained in {card['seconds']} s; classifier right for {card['classifier'][attribute]:.3f} of codes"
    )
    for name, value in card["quality"].items():
        print(f"{name}: {value:.3f}")
