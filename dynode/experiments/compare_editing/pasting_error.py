"""What pasting does to a frame, in grey levels of 255: to its own crop, which should come back, and to an edited face.

A perfect inverse would change nothing of a frame whose own aligned crop is put back.
"""

from collections.abc import Iterable

import numpy as np

from dynode.evaluation import pasted_faces
from dynode.evaluation.pasted_faces import Pasted
from dynode.evaluation.records import Row
from dynode.experiments.compare_editing.comparison import Entry
from dynode.io import images
from dynode.perception import alignment
from dynode.perception.face_api import Landmarks
from dynode.video_editing import paste
from dynode.video_editing.decoding import decoded_crops, decoding_size
from dynode.video_editing.footage import Footage
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.patches import Patch
from dynode.video_editing.video_editor import VideoEditor

UNIT = "grey levels"


def own_patches(footage: Footage, editor: VideoEditor) -> list[Patch]:
    """The followed frames with their own crops, cut at the size at which the editor decodes, and its masks."""
    track = footage.track
    size = editor.resolution or decoding_size(track.width, editor.generator.resolution)
    pairs = zip(footage.pictures(), track.quads, strict=True)
    crops = (alignment.crop(images.from_uint8(frame), quad, size) for frame, quad in pairs)
    return [patch for of_shot in editor.patches(footage, crops) for patch in of_shot]


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

    modes: of pasting, see `paste.PasteSettings`; "seamless" corrects each frame by itself here, as if it were a video.
    """
    patches, result = own_patches(footage, editor), []
    for mode in modes:
        inside, outside = (np.concatenate(each) for each in zip(*(errors(p, mode) for p in patches), strict=True))
        values = {"mean": inside.mean(), "p99": np.percentile(inside, 99), "outside": outside.max()}
        labels: dict = {"clip": name, "method": mode, "unit": UNIT, "reference": "source", "n": len(patches)}
        result += [Row(f"paste_back_{measure}", float(value), **labels) for measure, value in values.items()]
    return result


def edited_rows(made: Entry, footage: Footage, editor: VideoEditor, landmarks: Landmarks, every: int) -> list[Row]:
    """cheek_difference and seam_step of every N-th pasted frame beside the crop that was pasted, see `pasted_faces`."""
    track, at = footage.track, list(range(0, len(footage.track), every))
    size = editor.resolution or decoding_size(track.width, editor.generator.resolution)
    crops = decoded_crops(editor.generator, made.codes.edited[at], size, track.width)
    frames = footage.only(np.array(at)).pictures()
    parts = zip(frames, crops, track.quads[at], made.frames[at], strict=True)
    return list(pasted_faces.rows((Pasted(*each) for each in parts), landmarks, reference="crop", **made.named))
