"""Commands that edit by a text: the stand-in for CLIP, mappers, one code."""

from typing import Annotated

from tyro.conf import arg

from dynode.cli.options import (
    CategoryName,
    ClipName,
    Device,
    GeneratorName,
    Output,
    Text,
    Tuning,
    output_path,
    print_numbers,
    slug,
    stem,
)
from dynode.cli.parameters import Parameters, assignments, settings_with
from dynode.cli.windows import load_clip

ImageText = Annotated[
    str,
    arg(
        help="CLIP's TorchScript archive ViT-B-32.pt (or name it in DYNODE_CLIP): a program, so trust its source; by "
        "default the shipped stand-in."
    ),
]


def train_captions(
    category: CategoryName, output: Output = None, *, p: Parameters = (), device: Device = "auto"
) -> None:
    """Train the small image-text network that stands in for CLIP, on captions of random images.

    Args:
        category: face, scene or isaac3d.
        output: The weights to write, by default CATEGORY.captions.safetensors.
        p: Change a setting, such as steps=500, pictures=2000 or network.width=32.
    """
    from dynode import runtime
    from dynode.perception.caption_vocabulary import vocabulary
    from dynode.training import train_captions as training

    output = output_path(output, f"{category}.captions.safetensors")
    vocabulary(category)
    settings = settings_with(training.settings_for(category), p, network__category=category)
    card = training.train_caption_network(settings, output, device=runtime.device(device), progress=runtime.bars())
    print(f"{output}: {card['name']}, zero-shot accuracy of each attribute on held-out pictures")
    print_numbers(card["quality"])


def train_mapper(
    generator: GeneratorName,
    text: Text,
    output: Output = None,
    *,
    image_text: ImageText = "",
    p: Parameters = (),
    device: Device = "auto",
) -> None:
    """Train a mapper for one text (StyleCLIP): a small network that edits any code toward the text.

    Args:
        generator: Such as mobilestylegan-ffhq or stylegan2-scene, or a file of weights.
        text: What images are to show, such as "red lips" or "mountain".
        output: The mapper to write, by default GENERATOR.TEXT.mapper.safetensors; a killed run resumes from the checkpoint beside it.
        p: Change a setting, such as steps=200, batch=4, stay=0.4 or mapper.fine=false.
    """
    from dynode import runtime
    from dynode.training.train_mapper import MapperTrainingSettings, train_text_mapper

    output = output_path(output, f"{stem(generator)}.{slug(text)}.mapper.safetensors", generator, image_text)
    settings = settings_with(MapperTrainingSettings(), p, mapper__text=text)
    card = train_text_mapper(
        generator, settings, output, clip_file=image_text, device=runtime.device(device), progress=runtime.bars()
    )
    print(f"{output}: {text!r}, learned from {card['teacher']} in {card['seconds']} s")
    print_numbers(card["quality"])


def edit_text(
    clip: ClipName,
    text: Text,
    output: Output = None,
    *,
    frame: int = 0,
    neutral: str = "",
    strength: float = 3.0,
    image_text: ImageText = "",
    tuning: Tuning = "",
    p: Parameters = (),
    device: Device = "auto",
) -> None:
    """Edit one frame of a clip by a text (StyleCLIP); writes source and edited image side by side.

    The code is optimised; with a neutral text, the edit is a global direction of the style space instead.

    Args:
        clip: A clip file, or the name of a shipped clip.
        text: What the image is to show, such as "a smiling woman with red lips".
        output: The image to write, source left, edited right, by default CLIP-TEXT.png.
        frame: Which frame of the clip, from 0.
        neutral: What the image shows now, such as "pale lips": the direction leads from there to the text.
        strength: How far along that direction, in standard deviations of the channel that changes most.
        p: Change a setting of the optimisation, such as steps=50 or identity=0.1; of the direction, such as images=4.
    """
    from dynode import runtime
    from dynode.editing import text_edit

    output = output_path(output, f"{stem(clip)}-{slug(text)}.png", clip, image_text, tuning)
    loaded = load_clip(clip)
    choices = {"frame": frame, "neutral": neutral, "strength": strength, "image_text": image_text}
    choices |= {"tuning": tuning}
    chosen = runtime.device(device)
    report = text_edit.edit_frame(
        loaded, text, output, changes=assignments(p), device=chosen, progress=runtime.bars(), **choices
    )
    print(f"{output}: {report['name']}")
    if report["unknown_words"]:
        print(f"words unknown to the image-text network: {', '.join(report['unknown_words'])}")
    print(f"agreement with the text: {report['before']:.3f} before, {report['after']:.3f} after")
