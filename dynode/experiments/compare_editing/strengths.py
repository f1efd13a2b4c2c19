"""How far an edited video has gone where it should, and elsewhere: attributes of its faces beside those of the source."""

import math
from collections.abc import Iterator

import numpy as np

from dynode.evaluation.editor_quality import STD, EditorEvaluator, leakage, own_attribute
from dynode.evaluation.records import Row
from dynode.experiments.compare_editing import comparison
from dynode.experiments.compare_editing.comparison import Entry
from dynode.video_editing.footage import Footage


def rows(entry: Entry, footage: Footage, source: np.ndarray, judge: EditorEvaluator, columns: int) -> Iterator[Row]:
    """Means over some frames uint8 (T, H, W, 3): change of the edit's own attribute and of the others, and their ratio.

    In standard deviations of random pictures of the generator; by the networks that taught the editors, so a method that
    deceives them would gain.  Nothing for an edit of strength 0.
    """
    attribute, _, strength = entry.edit.partition(",")[0].rpartition(" ")
    if not float(strength):
        return
    own = judge.names.index(own_attribute(attribute, judge.names))
    at, quads = comparison.evenly(len(source), columns), footage.track.quads
    before, after = (judge.score_images(comparison.close_up(frames, quads, at)) for frames in (source, entry.frames))
    changes = judge.changes(before, after).double()
    others = [k for k in range(changes.shape[1]) if k != own]
    named = {**entry.named, "n": len(at)}
    values = {"own_change": changes[:, own].nanmean(), "others_change": changes[:, others].abs().nanmean()}
    for name, value in values.items():
        reference = judge.names[own] if name == "own_change" else "all others"
        yield Row(name, float(value), reference=reference, unit=STD, **named)
    if math.isfinite(share := float(leakage(changes[:, own], changes[:, others]))):
        yield Row("leakage", share, **named)
