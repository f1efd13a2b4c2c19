"""The commands for what others made: codes of another projector become a clip, folders of datasets are read."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from dynode.cli.options import Output, output_path, stem
from dynode.errors import UserError

CodeFiles = Positional[Annotated[tuple[Path, ...], arg(metavar="FILE [FILE ...]")]]
DatasetName = Positional[Annotated[str, arg(metavar="NAME")]]
Folder = Positional[Annotated[Path, arg(metavar="FOLDER")]]
Labels = Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="LABEL=VALUE")]


def clip(
    files: CodeFiles,
    output: Output = None,
    *,
    times: str = "",
    fps: float = 0.0,
    generator: str = "mobilestylegan-ffhq",
) -> None:
    """Make a clip of the codes of another projector: PTI, StyleGAN2-ADA, e4e and others; writes a clip.

    Args:
        files: A file of codes (.npy .npz .pt .pth .safetensors), or one for each frame, taken in the order of the numbers in their names.
        output: The clip to write, by default FILE.clip.safetensors.
        times: The seconds of the frames: a file with one number a line, an .npy, or 0,0.04,0.08.
        fps: The frame rate of the frames, instead of times.
        generator: What the codes were projected with: a shipped generator or a file of weights, such as a published StyleGAN2's .pkl or .pt.
    """
    from dynode.generators.foreign_codes import clip_of_codes
    from dynode.io.code_files import read_times

    if not files:
        raise UserError("Name a file of codes, such as projected_w.npz, or one for each frame.")
    output = output_path(output, f"{stem(files[0])}.clip.safetensors", *files)
    made = clip_of_codes(files, read_times(times) if times else None, generator, fps=fps, name=output.stem)
    made.save(output)
    print(f"{output}: {len(made)} frames, {float(made.ts[-1] - made.ts[0]):.2f} s, codes {tuple(made.ws.shape[1:])}")
    rows = made.ws.shape[1]
    if rows > 1 and (made.ws == made.ws[:, :1]).all():
        print(f"Each code is one vector of W, which its {rows} rows share.")
    print(f"Reconstruction {made.meta['reconstruction']}.")


def dataset(
    name: DatasetName,
    folder: Folder,
    output: Output = None,
    *,
    select: Labels = (),
    vary: str = "",
    fps: float = 10.0,
    size: int = 256,
) -> None:
    """List what a folder of a published dataset holds, with its licence; write a film of its pictures.

    Args:
        name: ravdess, talkinghead-1kh (videos, which `dynode invert` takes as they are), ffhq, cub, places or isaac3d (pictures).
        folder: Where it was unpacked to, as published.
        output: A video of the pictures, one a frame, for `dynode invert`; none is written by default.
        select: Only entries with that label, such as emotion=happy.
        vary: Only those that differ from the first in this label alone, such as robot_x.
        fps: The frame rate of the video.
        size: Pixels a side of the video: the middle square of a picture, or that around its bird.
    """
    from dynode.io import datasets

    held = datasets.load(name, folder).chosen(dict(map(label_and_value, select)))
    held = held.varied(vary) if vary else held
    print("\n".join(datasets.summary(held)))
    if output:
        datasets.film(held, output_path(output, "film.mp4"), fps=fps, size=size)
        print(f"{output}: {len(held)} frames; `dynode invert {output} --generator FILE` inverts them")
    elif held.kind == "videos":
        print(f"`dynode invert {held.entries[0].path}` inverts the first")


def label_and_value(text: str) -> tuple[str, str]:
    """ "emotion=happy" -> its two parts.  Raises UserError for anything else."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UserError(f"--select wants LABEL=VALUE, such as emotion=happy, got {text!r}.")
    return name, value
