"""Commands that train networks: generators of worlds, encoders, readers of factors, flows, latent transformers; curvatures; a queue."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import UseAppendAction, arg

from dynode.cli.options import (
    AttributeName,
    Compiled,
    Device,
    FactorName,
    GeneratorName,
    OptionalPath,
    Output,
    WorldName,
    output_path,
    print_numbers,
    require_different,
    stem,
)
from dynode.cli.parameters import Parameters, settings_with

Names = Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME")]


def train_all(
    output: Output = None,
    *,
    minutes: float = 9.0,
    only: Names = (),
    resolution: Literal[64, 128] = 128,
    compile: Literal["auto", "always", "never"] = "auto",
    tiny: bool = False,
    list: bool = False,
    device: Device = "auto",
) -> None:
    """Train what is worth most on a GPU, one network after the other; writes weights and a log all the while.

    A signal ends it at any second, and the same command with the same folder goes on: from the full state in the cache of the
    machine that trained, elsewhere from the weights, where Adam begins anew.

    Args:
        output: The folder of the weights, one file for each network, and log.json; by default trained.
        minutes: How long all of them train together.
        only: A network to train, see --list; can be given several times, by default the first six of them.
        resolution: Pixels a side of the worlds' generators; the shipped ones have 64.
        compile: Whether torch.compile is used; auto: on a GPU, where a network trains for more than five minutes.
        tiny: Train small networks, to try the command.
        list: Show the networks, their shares of the time, and the assets they need, instead. A machine without a network takes them from the folder that DYNODE_ASSETS names.
    """
    from dynode import runtime
    from dynode.io import outputs
    from dynode.training import jobs, queue, training_log

    require_different("network", only)
    chosen = jobs.chosen(only)
    if list:
        print("\n".join(jobs.listing(only)))
        return
    folder = output or Path("trained")
    outputs.require_output(folder / training_log.NAME)
    options = {"compile": compile, "tiny": tiny, "resolution": resolution, "progress": runtime.bars()}
    log = queue.train_all(chosen, folder, minutes, device=runtime.device(device), **options)
    print(f"{folder}: {', '.join(name for name, entry in log.content['jobs'].items() if entry)}")


def train_gan(
    world: WorldName,
    output: Output = None,
    *,
    architecture: str = "stylegan2",
    p: Parameters = (),
    pictures: int = 12_288,
    measured: int = 2048,
    start: OptionalPath = None,
    minutes: float = float("inf"),
    compiled: Compiled = False,
    device: Device = "auto",
) -> None:
    """Train a generator on a world; writes its weights with a model card.

    Args:
        world: scene, bird or isaac3d.
        output: The weights to write, by default stylegan2-WORLD-factors.safetensors; a killed run resumes from the checkpoint beside them.
        architecture: stylegan2, or dcgan (small, without styles).
        p: Change a setting, such as distil=200000, play=0 or generator.resolution=128.
        pictures: How many distinct images to render and train on; kept in the cache.
        measured: How many images and samples the quality is measured on.
        start: Weights to begin with, a file that this command wrote; by default random ones.
        minutes: Stop training after that long; the same command resumes.
    """
    from dynode import runtime, worlds
    from dynode.training import train_gan as make

    output = output_path(output, make.file_name(world, architecture), start or "")
    known = worlds.world(world)
    plain = make.settings_for(known, architecture=architecture)
    card = make.train_generator(
        known,
        output,
        settings_with(plain, p, generator__z_dim=plain.generator.z_dim),
        distinct=pictures,
        measured=measured,
        minutes=minutes,
        device=runtime.device(device),
        compiled=compiled,
        progress=runtime.bars(),
        start=start,
    )
    print(f"{output}: {card['pictures_shown']} pictures shown in {card['hours']:.2f} hours")
    print_numbers(card["quality"])


def train_adversarial(
    world: WorldName,
    output: Output = None,
    *,
    p: Parameters = (),
    pictures: int = 20_480,
    measured: int = 2048,
    curve: int = 512,
    start: OptionalPath = None,
    minutes: float = float("inf"),
    compiled: Compiled = False,
    device: Device = "auto",
) -> None:
    """Train a generator on a world's pictures alone, against a discriminator; writes its weights with a model card, and a sheet of samples.

    Its latents are noise: what a picture shows is never given to it. `dynode train gan` copies the renderer instead.

    Args:
        world: scene, bird or isaac3d.
        output: The weights to write, by default stylegan2-WORLD.safetensors; a killed run resumes from the checkpoint beside them.
        p: Change a setting, such as pictures=400000, augmentations=translation,cutout or generator.resolution=128.
        pictures: How many distinct images to render and train on; kept in the cache, without what they show.
        measured: How many images and samples the quality is measured on.
        curve: How many of them every point of the curve of quality is measured on.
        start: Weights to begin with, of the same shape; by default random ones.
        minutes: Stop training after that long; the same command resumes.
    """
    from dynode import runtime, worlds
    from dynode.training.adversarial import train_projected_gan as make
    from dynode.training.adversarial.projected_gan import ProjectedGANSettings

    output = output_path(output, f"stylegan2-{world}.safetensors", start or "")
    choices = {"minutes": minutes, "compiled": compiled, "start": start, "progress": runtime.bars()}
    numbers = {"distinct": pictures, "measured": measured, "curve": curve}
    known, settings, chosen = worlds.world(world), settings_with(ProjectedGANSettings(), p), runtime.device(device)
    card = make.train_adversarially(known, output, settings, device=chosen, **numbers, **choices)
    print(f"{output}: {card['pictures_shown']} pictures shown in {card['hours']:.2f} hours")
    print_numbers(card["quality"])


def train_encoder(
    generator: GeneratorName,
    output: Output = None,
    *,
    p: Parameters = (),
    pictures: int = 12_288,
    minutes: float = float("inf"),
    compiled: Compiled = False,
    device: Device = "auto",
) -> None:
    """Train an encoder for a generator; writes its weights with a model card.

    Args:
        generator: Such as stylegan2-scene, mobilestylegan-ffhq, or a file of weights, which learns from the generator's own images.
        output: The weights to write, by default GENERATOR.encoder.safetensors; a killed run resumes from the checkpoint beside them.
        p: Change a setting, such as pictures=20000, encoder.passes=3 or encoder.gradient=false.
        pictures: How many distinct images of a world to render and train on, kept in the cache; faces are drawn anew all the while.
        minutes: Stop training after that long; the same command resumes.
    """
    from dynode import runtime
    from dynode.training.train_encoder import EncoderTrainingSettings, train_image_encoder
    from dynode.training.train_face_encoder import settings_for_device, train_face_encoder

    output = output_path(output, f"{stem(generator)}.encoder.safetensors", generator)
    chosen = runtime.device(device)
    choices = {"minutes": minutes, "device": chosen, "compiled": compiled, "progress": runtime.bars()}
    if generator == "mobilestylegan-ffhq":
        card = train_face_encoder(
            output, settings_with(settings_for_device(chosen), p), generator_name=generator, **choices
        )
    else:
        card = train_image_encoder(
            generator, output, settings_with(EncoderTrainingSettings(), p), distinct=pictures, **choices
        )
    print(f"{output}: {card['pictures_shown']} pictures shown in {card['hours']:.2f} hours")
    print_numbers(card["quality"], digits=4)


def train_factors(
    world: WorldName,
    output: Output = None,
    *,
    p: Parameters = (),
    pictures: int = 12_288,
    device: Device = "auto",
) -> None:
    """Train the network that reads the factors of a world off an image; flows learn from it.

    Args:
        world: scene, bird or isaac3d.
        output: The weights to write, by default WORLD.factors.safetensors.
        p: Change a setting, such as steps=500 or network.channels=16.
        pictures: How many distinct images of the world to render and train on; kept in the cache.
    """
    from dynode import runtime, worlds
    from dynode.training.train_factors import FactorTrainingSettings, train_factor_reader

    output = output_path(output, f"{world}.factors.safetensors")
    settings = settings_with(FactorTrainingSettings(), p, network__world=worlds.world(world).name)
    card = train_factor_reader(
        settings, output, distinct=pictures, device=runtime.device(device), progress=runtime.bars()
    )
    print(f"{output}: accuracy on held-out pictures")
    print_numbers(card["accuracy"])


def train_dynamics(
    world: WorldName,
    output: Output = None,
    *,
    p: Parameters = (),
    minutes: float = float("inf"),
    device: Device = "auto",
) -> None:
    """Train a field that all clips of a world share, and the encoder that tells it which clip this is, for dynode[amortised].

    Args:
        world: scene, bird or isaac3d.
        output: The weights to write, by default GENERATOR.dynamics.safetensors; a killed run resumes from the checkpoint beside them.
        p: Change a setting, such as encoded=400, total=400000, network.hidden=256, generator=stylegan2-bird-factors, or as a control
            network.model=gru, latent_ode or prior, which learns from the same episodes in place of the field.
        minutes: Stop training after that long, encoding not counted; what is reached by then is written.
    """
    from dynode import runtime, worlds
    from dynode.training.amortised.train_amortised import AmortisedTrainingSettings, train_amortised
    from dynode.training.loops import require_minutes

    require_minutes(minutes)
    known, settings = worlds.world(world), settings_with(AmortisedTrainingSettings(), p)
    output = output_path(output, f"{settings.generator_of(known)}.dynamics.safetensors")
    chosen = runtime.device(device)
    card = train_amortised(known, output, settings, minutes=minutes, device=chosen, progress=runtime.bars())
    print(f"{output}: {card['episodes_shown']} episodes shown in {card['hours']:.2f} hours")
    print_numbers(card["quality"])


def train_flow(
    generator: GeneratorName,
    factor: FactorName,
    output: Output = None,
    *,
    p: Parameters = (),
    factors: OptionalPath = None,
    device: Device = "auto",
) -> None:
    """Train a latent flow: a field in W along which one factor of a world changes.

    Args:
        generator: Such as stylegan2-scene-factors, or a file of weights.
        factor: What is to change, such as hour, fog or wall_color.
        output: The flow to write, by default GENERATOR.FACTOR.flow.safetensors.
        p: Change a setting, such as flow.source=4, flow.target=0, flow.depth=0, alpha=8 or steps=500.
        factors: The network that reads the factors; by default the shipped one of the world.
    """
    from dynode import runtime
    from dynode.perception import factor_reader
    from dynode.training.train_flow import FlowTrainingSettings, train_latent_flow

    output = output_path(output, f"{stem(generator)}.{factor}.flow.safetensors", generator, factors or "")
    chosen = runtime.device(device)
    settings = settings_with(FlowTrainingSettings(), p, flow__factor=factor)
    network = factor_reader.load(factors, chosen) if factors else None
    card = train_latent_flow(generator, settings, output, network=network, device=chosen, progress=runtime.bars())
    print(f"{output}: trained in {card['seconds']} s")
    print_numbers(card["quality"])


def train_transformer(
    generator: GeneratorName,
    attribute: AttributeName,
    output: Output = None,
    *,
    p: Parameters = (),
    device: Device = "auto",
) -> None:
    """Train a latent transformer: a linear map of codes by which one attribute changes and the others stay.

    Args:
        generator: Such as mobilestylegan-ffhq or stylegan2-scene, or a file of weights.
        attribute: What is to change, such as smile, age or fog: any attribute that is scored for this generator.
        output: The editor to write, by default GENERATOR.ATTRIBUTE.transformer.safetensors.
        p: Change a setting, such as steps=500, keep=3, transformer.rank=512, transformer.apart=true, mixtures=1000 or classifier.hidden=64,32.
    """
    from dynode import runtime
    from dynode.training.train_transformer import TransformerTrainingSettings, train_latent_transformer

    output = output_path(output, f"{stem(generator)}.{attribute}.transformer.safetensors", generator)
    settings = settings_with(TransformerTrainingSettings(), p, transformer__attribute=attribute)
    card = train_latent_transformer(generator, settings, output, device=runtime.device(device), progress=runtime.bars())
    accuracy = card["classifier"][attribute]
    print(f"{output}: trained in {card['seconds']} s; accuracy of the classifier {accuracy:.3f}")
    print_numbers(card["quality"])
