"""Commands that edit by what a text says: the image-text stand-in, mappers, one code."""

from pathlib import Path

from tyro.conf import Positional

from dynode.cli.parameters import Output, Parameters, assignments
from dynode.io import files


def train_captions(
    category: Positional[str],
    output: Output = Path("captions.safetensors"),
    *,
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Train the small image-text network that stands in for CLIP, on captions of random pictures.

    Args:
        category: face, scene or isaac3d.
        output: The weights to write.
        p: Change a setting, such as steps=500, pictures=2000 or network.width=32.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.perception.caption_vocabulary import wording
    from dynode.settings import changed
    from dynode.training import train_captions as training

    files.require_writable(output)
    wording(category)
    settings = changed(training.settings_for(category), assignments(p))
    card = training.train(settings, output, device=runtime.device(device), progress=True)
    print(f"{output}: {card['name']}, share of held-out pictures whose attribute is told right by words")
    for name, value in card["quality"].items():
        print(f"{name}: {value:.3f}")


def train_mapper(
    generator: Positional[str],
    text: Positional[str],
    output: Output = Path("mapper.safetensors"),
    *,
    clip: str = "",
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Teach a mapper one text (StyleCLIP): a small network that edits any code by what the text says.

    Args:
        generator: Such as mobilestylegan-ffhq or stylegan2-scene, or a file of weights.
        text: What pictures are to show, such as "red lips" or "mountain".
        output: The mapper to write; a killed run goes on from the checkpoint that lies beside it.
        clip: CLIP's TorchScript archive ViT-B-32.pt (or name it in DYNODE_CLIP); it is a program, which you vouch for. The shipped stand-in where none is named.
        p: Change a setting, such as steps=200, batch=4, stay=0.4 or mapper.fine=false.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.settings import changed
    from dynode.training.train_mapper import MapperTraining, train

    files.require_writable(output)
    settings = changed(changed(MapperTraining(), assignments(p)), {"mapper.text": text})
    card = train(generator, settings, output, clip=clip, device=runtime.device(device), progress=True)
    print(f"{output}: {text!r}, taught by {card['teacher']} in {card['seconds']} s")
    for name, value in card["quality"].items():
        print(f"{name}: {value:.3f}")


def edit_text(
    clip: Positional[str],
    text: Positional[str],
    output: Output = Path("edited.png"),
    *,
    frame: int = 0,
    neutral: str = "",
    strength: float = 3.0,
    image_text: str = "",
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Edit one frame of a clip by a text (StyleCLIP) and write both pictures side by side.

    The code is optimised; where a neutral text is named, it is moved along a global direction of the style space instead.

    Args:
        clip: A clip file, or the name of a shipped clip.
        text: What the picture is to show, such as "a smiling woman with red lips".
        output: The picture to write, source left, edited right.
        frame: Which frame of the clip.
        neutral: What the picture shows now, such as "pale lips": the direction leads from there to the text.
        strength: How far along that direction, in units of the largest channel's deviation.
        image_text: CLIP's TorchScript archive ViT-B-32.pt (or name it in DYNODE_CLIP); it is a program, which you vouch for. The shipped stand-in where none is named.
        p: Change a setting of the optimisation, such as steps=50 or identity=0.1; of the direction, such as images=4.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import clips, runtime
    from dynode.editing import text_edit

    files.require_writable(output)
    known = clips.load(clip)
    told = text_edit.edit_frame(
        known,
        text,
        output,
        frame=frame,
        neutral=neutral,
        strength=strength,
        image_text=image_text,
        changes=assignments(p),
        device=runtime.device(device),
        progress=True,
    )
    print(f"{output}: {told['name']}")
    if told["passed_over"]:
        print(f"words that it does not know: {', '.join(told['passed_over'])}")
    print(f"agreement with the text: {told['before']:.3f} before, {told['behind']:.3f} behind")
