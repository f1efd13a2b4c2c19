"""The command that makes a clip of codes which another projector left."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from dynode.cli.options import Output, output_path, stem
from dynode.errors import UserError

CodeFiles = Positional[Annotated[tuple[Path, ...], arg(metavar="FILE [FILE ...]")]]


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
