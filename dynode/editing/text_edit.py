"""One frame of a clip edited by a text, written side by side with its source."""

import math
from pathlib import Path

import torch
from skimage.io import imsave

from dynode import generators
from dynode.clips import Clip
from dynode.editing import styleclip_direction
from dynode.editing.styleclip import OptimisationSettings, optimise, scoring_resolution
from dynode.errors import UserError
from dynode.generators.protocol import Generator, StyleGenerator
from dynode.generators.registry import of_clip
from dynode.io import files, outputs
from dynode.io.images import to_uint8
from dynode.perception import caption_vocabulary
from dynode.perception import image_text as networks
from dynode.perception.identity import identity_of
from dynode.perception.image_text import ImageText
from dynode.settings import changed


def edit_frame(
    clip: Clip,
    text: str,
    output: Path,
    *,
    frame: int = 0,
    neutral: str = "",
    strength: float = 3.0,
    image_text: str = "",
    changes: dict | None = None,
    tuning: Path | str = "",
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """Edit a frame's code by a text and write source and edited image side by side.

    neutral: a text that describes the source, for a global direction; without it the code is optimised.  strength: of the
    global direction.  image_text: a file of CLIP.  changes: of the settings of either method.  tuning: as of `of_clip`.
    Returns {"name": of the editor, "before", "after": cosine with the text, "unknown_words": words that were ignored}.
    Raises UserError for a frame that is not there, and as the methods do.
    """
    outputs.require_output(output, suffixes=outputs.PICTURE)
    if not 0 <= frame < len(clip):
        raise UserError(f"The clip has frames 0 to {len(clip) - 1}, got {frame}.")
    if not math.isfinite(strength):
        raise UserError(f"The strength of an edit must be a finite number, got {strength}.")
    generator = of_clip(clip.meta, f"The clip {clip.name}", tuning, device)
    network = networks.load(generators.category_of(clip.meta["generator"]), image_text, device)
    ws = clip.ws[frame : frame + 1].float().to(generator.w_avg)
    if neutral:
        name, edited = by_direction(ws, (neutral, text), generator, network, strength, changes or {}, progress)
    else:
        name, edited = by_optimisation(ws, text, generator, network, changes or {}, progress)
    source = generators.render(generator, ws, scoring_resolution(generator)).to(ws)
    with torch.no_grad():
        before, after = (float((network.images(each) @ network.texts([text]).T)[0, 0]) for each in (source, edited))
    beside = to_uint8(torch.cat([source, edited], 3))[0]
    files.write(output, lambda part: imsave(part, beside, check_contrast=False))
    known = getattr(network, "phrases", ())
    unknown = caption_vocabulary.unknown_words(text, known) if known else []
    return {"name": name, "before": before, "after": after, "unknown_words": unknown}


def by_direction(
    ws: torch.Tensor,
    texts: tuple[str, str],
    generator: Generator,
    network: ImageText,
    strength: float,
    changes: dict,
    progress: bool = False,
) -> tuple[str, torch.Tensor]:
    """The editor's name and the image of a code (1, L, D) edited by the global direction from a neutral text to a target."""
    neutral, target = texts
    settings = changed(styleclip_direction.QUICK, changes)
    direction = styleclip_direction.global_direction(generator, network, target, neutral, settings, progress)
    with torch.no_grad():
        image = style_edited(generator, direction, ws, strength)  # pyright: ignore[reportArgumentType] (it has a style space)
    return direction.name.replace("[w+, ", "["), image


def style_edited(
    generator: StyleGenerator, direction: styleclip_direction.StyleDirection, ws: torch.Tensor, strength: float
) -> torch.Tensor:
    """The image of a code (1, L, D) whose styles are shifted along a direction."""
    styles = direction.edit_styles(generator.to_style(ws), strength)
    return generator.synthesis_from_style(styles, scoring_resolution(generator))


def by_optimisation(
    ws: torch.Tensor, text: str, generator: Generator, network: ImageText, changes: dict, progress: bool = False
) -> tuple[str, torch.Tensor]:
    """The editor's name and the image of a code (1, L, D) optimised towards a text."""
    settings = changed(OptimisationSettings(), changes)
    device = generator.w_avg.device
    identity = identity_of(generators.category_of(generator.name), device) if settings.identity else None
    edited = optimise(ws, text, generator, network, settings, identity, progress)
    image = generators.render(generator, edited, scoring_resolution(generator)).to(ws)
    return f"styleclip optimisation[{network.name}]:{text}", image
