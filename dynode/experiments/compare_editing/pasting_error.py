"""What pasting alone does to a frame: its own aligned crop put back, compared with the frame as it was.

A perfect inverse would change nothing.  Errors are in grey levels, of 255.
"""

from collections.abc import Iterable

import numpy as np

from dynode.evaluation.records import Row
from dynode.io import images
from dynode.perception import alignment
from dynode.video_editing import paste
from dynode.video_editing.decoding import decoding_size
from dynode.video_editing.footage import Footage
from dynode.video_editing.paste import PasteSettings, Patch
from dynode.video_editing.video_editor import VideoEditor

UNIT = "grey levels"


def own_patches(footage: Footage, editor: VideoEditor) -> list[Patch]:
    """The followed frames with their own crops, cut at the size at which the editor decodes, and its masks."""
    track = footage.track
    size = editor.resolution or decoding_size(track.width, editor.generator.resolution)
    parts = zip(footage.pictures(), track.quads, editor.masks(footage), strict=True)
    return [Patch(f, alignment.crop(images.from_uint8(f), quad, size), quad, mask) for f, quad, mask in parts]


def errors(patch: Patch, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Absolute errors inside the mask (n, 3) and outside of it (m, 3) of one frame, pasted by itself."""
    (pasted,) = paste.stream([patch], PasteSettings(mode))
    inside = np.zeros(patch.frame.shape[:2], dtype=bool)
    box, _, mask = paste.placed(patch)
    inside[box] = mask > 0
    error = np.abs(pasted.astype(int) - patch.frame)
    return error[inside], error[~inside]


def rows(name: str, footage: Footage, editor: VideoEditor, modes: Iterable[str]) -> list[Row]:
    """paste_back_mean, paste_back_p99 (inside the masks) and paste_back_outside (the largest), over all followed frames.

    modes: of pasting, see `paste.PasteSettings`; "smooth" corrects each frame by itself here, as if it were a video.
    """
    patches, result = own_patches(footage, editor), []
    for mode in modes:
        inside, outside = (np.concatenate(each) for each in zip(*(errors(p, mode) for p in patches), strict=True))
        values = {"mean": inside.mean(), "p99": np.percentile(inside, 99), "outside": outside.max()}
        labels: dict = {"clip": name, "method": mode, "unit": UNIT, "reference": "source", "n": len(patches)}
        result += [Row(f"paste_back_{measure}", float(value), **labels) for measure, value in values.items()]
    return result
