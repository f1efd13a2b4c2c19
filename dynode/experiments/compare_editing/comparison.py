"""Systems side by side on the same footage and edits: frames, measures, costs, and whether the paper's order holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from dynode.errors import UserError
from dynode.evaluation import edited_videos
from dynode.evaluation.edited_videos import VideoEvaluator, VideoFeatures
from dynode.evaluation.records import Row, averaged, select
from dynode.io import images
from dynode.perception import alignment
from dynode.video_editing.cost_counters import Counters, reset_peak_memory
from dynode.video_editing.edited_codes import EditedCodes
from dynode.video_editing.footage import Footage
from dynode.video_editing.keyframes import Edit, EditTrack, edit_of
from dynode.video_editing.per_frame import rows_of
from dynode.video_editing.video_editor import VideoEditor

AVERAGED = (
    "tl_id",
    "tg_id",
    "acd",
    "acd_adjacent",
    "acd_reference",
    "edit_id",
    "src_id",
)  # measures with means over videos
AVERAGED += ("warping_error", "motion_ratio", "flow_ratio", "flow_agreement")
ORDER = {"tl_id": 1, "tg_id": 1, "acd": -1, "frechet": -1}  # 1: higher is better


@dataclass
class Entry:
    """One system's video of one edit of one clip: its pasted frames uint8 (T, H, W, 3), and what the judge measures on them."""

    clip: str
    edit: str
    method: str
    codes: EditedCodes
    counters: Counters
    frames: np.ndarray
    watched: VideoFeatures

    @property
    def named(self) -> dict:
        return {"clip": self.clip, "variant": self.edit, "method": self.method}


def frames_of(footage: Footage) -> np.ndarray:
    """The followed frames uint8 (T, H, W, 3), all in memory."""
    return np.stack(list(footage.pictures()))


def entry(editor: VideoEditor, label: str, footage: Footage, edit: str, method: str, judge: VideoEvaluator) -> Entry:
    """Edit the followed frames of a clip's footage; edit: such as "smile=2 age=1"; method: of editing one code.

    Raises UserError for footage whose codes are not known.
    """
    if footage.clip is None:
        raise UserError(f"{footage.path} has no codes: compare systems on the footage of clips.")
    chosen, counters = edit_by(editor, edit, method), Counters()
    reset_peak_memory()
    codes = editor.plan(footage, chosen, counters)
    frames = np.stack([frame for _, frame in editor.render(footage, codes, counters)])
    watched = judge.features_of(frames, quads=footage.track.quads)
    return Entry(footage.clip.name, codes.text, label, codes, counters, frames, watched)


def edit_by(editor: VideoEditor, text: str, method: str) -> Edit:
    """The edit of a text, such as "smile=2 age=1", by a method of editing one code of the editor's generator."""
    tracks = [EditTrack.parsed(each) for each in text.split()]
    return edit_of(tracks, method, editor.generator, rows_of(editor.generator.name))


def edit(chosen: Sequence, editor: str) -> tuple[str, str]:
    """The edit as a text and what edits by it, of (attribute, strength) or (attribute, strength, another editor)."""
    attribute, strength, *other = chosen
    return f"{attribute}={strength:g}", other[0] if other else editor


def measured(sources: dict[str, VideoFeatures], entries: Iterable[Entry]) -> tuple[list[Row], tuple[str, ...]]:
    """All measures of all entries beside their sources, by clip; the sources' own once for each; every warning once."""
    rows: dict[Row, None] = {}  # as a set in order
    warnings: dict[str, None] = {}
    for one in entries:
        own, own_warnings = edited_videos.edit_rows(sources[one.clip], one.watched, **one.named)
        rows |= dict.fromkeys(own)
        warnings |= dict.fromkeys(own_warnings)
    return list(rows), tuple(warnings)


def pooled(sources: dict[str, VideoFeatures], entries: list[Entry]) -> tuple[list[Row], tuple[str, ...]]:
    """The Fréchet distance of each method's clips of all videos to those of their sources, and its warnings."""
    rows: list[Row] = []
    warnings: dict[str, None] = {}
    for method in dict.fromkeys(one.method for one in entries):
        mine = [one for one in entries if one.method == method]
        pair = [sources[one.clip] for one in mine], [one.watched for one in mine]
        own, own_warnings = edited_videos.distance_rows(*pair, clip="all", variant="all", method=method)
        rows += own
        warnings |= dict.fromkeys(own_warnings)
    return rows, tuple(warnings)


def costs(entries: Iterable[Entry]) -> list[Row]:
    """The counters of every entry as rows."""
    return [row for one in entries for row in one.counters.rows(**one.named)]


def gains(rows: list[Row], ours: str, other: str, identity: str = "mobilefacenet") -> dict[str, float]:
    """How much better a method is than another in the paper's four measures; above 0: better.

    Means over the videos that both edited; the Fréchet distance is that over all videos.  rows: of `measured` and `pooled`.
    identity: the network whose vectors count.
    """
    result = {}
    for name, sign in ORDER.items():
        one, two = (values_of(rows, name, method, identity) for method in (ours, other))
        shared = one.keys() & two.keys()
        if shared:
            result[name] = sign * float(np.mean([one[video] - two[video] for video in shared]))
    return result


def values_of(rows: list[Row], name: str, method: str, identity: str) -> dict[tuple[str, str], float]:
    """A method's values of a measure by (clip, edit)."""
    if name == "frechet":
        mine = [r for r in select(rows, method=method, clip="all") if r.metric.startswith(("frechet", "fvd"))]
    else:
        mine = [r for r in select(rows, method=method, metric=name) if r.reference.startswith(identity)]
    return {(row.clip, row.variant): row.value for row in mine}


def overall(rows: list[Row], methods: Iterable[str]) -> list[Row]:
    """The means of these methods' measures over all clips and edits that all of them have, beside the pooled distances."""
    methods = list(methods)
    videos = [{(r.clip, r.variant) for r in select(rows, method=method) if r.clip != "all"} for method in methods]
    shared = set.intersection(*videos)
    mine = [
        row for row in rows if row.method in methods and (row.clip, row.variant) in shared and row.metric in AVERAGED
    ]
    return averaged([replace(row, clip="", variant="", n=1, std=None) for row in mine])


def evenly(frames: int, columns: int) -> list[int]:
    """The numbers of at most that many of some frames, from first to last."""
    return torch.linspace(0, frames - 1, min(columns, frames)).round().int().tolist()


def close_up(frames: np.ndarray, quads: np.ndarray, at: Iterable[int], size: int = 256) -> torch.Tensor:
    """The face's square of some pasted frames, images (n, 3, S, S): what lies around the mask's edge is in it."""
    return torch.stack([alignment.crop(images.from_uint8(frames[k]), quads[k], size) for k in at])
