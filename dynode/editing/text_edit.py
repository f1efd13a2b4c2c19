"""One frame of a clip edited by a text, as a picture of before and behind."""

from pathlib import Path

import torch
from skimage.io import imsave

from dynode import generators
from dynode.clips import Clip
from dynode.editing import styleclip_direction
from dynode.editing.styleclip import OptimisationSettings, optimised, seen_at
from dynode.errors import UserError
from dynode.io import files
from dynode.io.images import to_uint8
from dynode.perception import caption_vocabulary
from dynode.perception import image_text as parts
from dynode.perception.identity import identity_of
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
    device="cpu",
    progress: bool = False,
) -> dict:
    """Edit a frame's code, write source and edited side by side, and tell what was done and how well the text fits now.

    neutral: a text to come from, for a global direction; none: the code is optimised.  changes: of the settings of either.
    Raises UserError for a frame that is not there, and for what those raise.
    """
    if not 0 <= frame < len(clip):
        raise UserError(f"The clip has frames 0 to {len(clip) - 1}, got {frame}.")
    generators.require_same(clip.meta["generator"], clip.meta["generator_hash"], f"The clip {clip.meta['name']}")
    generator, category = (
        generators.load(clip.meta["generator"], device),
        generators.category_of(clip.meta["generator"]),
    )
    teacher, ws = parts.load(category, image_text, device), clip.ws[frame : frame + 1].float().to(generator.w_avg)
    wanted, size = teacher.texts([text]), seen_at(generator)
    if neutral:
        settings = changed(styleclip_direction.QUICK, changes or {})
        found = styleclip_direction.direction(generator, teacher, text, neutral, settings, progress)
        name = found.name.replace("[w+, ", "[")
        with torch.no_grad():
            edited = generator.synthesis_from_style(found.edit_styles(generator.to_style(ws), strength), size)
    else:
        settings = changed(OptimisationSettings(), changes or {})
        identity = identity_of(category, device) if settings.identity else None
        name = f"styleclip optimisation[{teacher.name}]:{text}"
        moved = optimised(ws, text, generator, teacher, settings, identity, progress)
        edited = generators.render(generator, moved, size).to(ws)
    source = generators.render(generator, ws, size).to(ws)
    with torch.no_grad():
        before, behind = (float((teacher.images(each) @ wanted.T)[0, 0]) for each in (source, edited))
    with files.written_whole(Path(output), ".png") as scratch:
        imsave(scratch, to_uint8(torch.cat([source, edited], 3))[0], check_contrast=False)
    known = getattr(teacher, "phrases", ())
    passed_over = caption_vocabulary.passed_over(text, known) if known else []
    return {"name": name, "before": before, "behind": behind, "passed_over": passed_over}
