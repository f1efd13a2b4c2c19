"""Edits of a clip's first code by any editor, propagated through the clip: images, attribute changes, identity preservation.

An editor that does not come with the package is no error here: its edit has no images, but the reason.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory
from dynode.editing import editors, propagation
from dynode.errors import UserError
from dynode.evaluation import resolution_for
from dynode.evaluation.editor_quality import STD, EditorEvaluator, ImageScores, leakage, own_attribute
from dynode.evaluation.records import Row

MISSING = "editor_missing"


@dataclass(frozen=True)
class ClipEdit:
    """An editor METHOD:ATTRIBUTE and its strength, in its own unit.

    shows: the figure of the paper that it is for.  measures: the attribute that is to change, where its name does not contain
    it.  rows: the first N style rows only, 0 all.
    """

    editor: str
    strength: float
    shows: str = ""
    measures: str = ""
    rows: int = 0

    @property
    def label(self) -> str:
        return f"{self.editor} {self.strength:+g}"


@dataclass
class EditedClip:
    """An edit with its images (T, 3, R, R) and their rows; or with the reason why there are none."""

    edit: ClipEdit
    images: torch.Tensor | None = None
    rows: list[Row] = field(default_factory=list)
    missing: str = ""


class Stage:
    """A clip's learned path at times ts (T,), rendered, and the evaluator that measures what an edit changes in its images.

    mode: how edits of the first code are propagated, see `dynode.editing.propagation`.
    """

    def __init__(self, clip: Clip, path: Trajectory, judge: EditorEvaluator, ts: torch.Tensor, mode: str = "offset"):
        self.clip, self.path, self.judge, self.ts, self.mode = clip, path, judge, ts, mode
        self.own = self.rendered(path)
        self.before = judge.score_images(self.own)

    def rendered(self, path: Trajectory) -> torch.Tensor:
        """Images (T, 3, R, R) of a path."""
        generator = self.judge.generator
        return generators.render(generator, path(self.ts), resolution_for(generator))

    def edited(self, edit: ClipEdit) -> EditedClip:
        """The clip with the edit of its first code propagated; an editor that does not ship comes back as missing."""
        named: dict[str, Any] = {
            "category": self.judge.category,
            "clip": self.clip.name,
            "method": edit.label,
            "variant": edit.shows,
        }
        try:
            editor = editors.load(edit.editor, self.judge.generator)
        except UserError as error:
            return EditedClip(edit, rows=[Row(MISSING, 1.0, **named, reference=str(error))], missing=str(error))
        w0 = self.clip.ws[0]
        edited = propagation.composed(w0, [(editor, edit.strength)], edit.rows)
        images = self.rendered(propagation.propagate(self.path, w0, edited, self.mode))
        own = edit.measures or own_attribute(edit.editor, self.judge.names)
        rows = list(self.rows(self.judge.names.index(own), self.judge.score_images(images), named))
        fraction = propagation.fraction_in_field(self.path, w0, edited)
        rows.append(Row("edit_seen_share", fraction, space="latent", unit="share of the edit", **named))
        return EditedClip(edit, images, [row for row in rows if math.isfinite(row.value)])

    def rows(self, own: int, after: ImageScores, named: dict[str, Any]) -> Iterator[Row]:
        """Means over the frames: change of the edit's own attribute, change of the others, and similarity of the faces."""
        changes = self.judge.changes(self.before, after).double()
        others, labels = [k for k in range(changes.shape[1]) if k != own], {**named, "n": len(changes)}
        mean, rest = float(changes[:, own].nanmean()), float(changes[:, others].abs().nanmean())
        yield Row("own_change", mean, reference=self.judge.names[own], unit=STD, **labels)
        yield Row("others_change", rest, reference="all others", unit=STD, **labels)
        yield Row("leakage", float(leakage(changes[:, own], changes[:, others])), **labels)
        yield from identity_rows(self.before, after, labels)


def identity_rows(before: ImageScores, after: ImageScores, labels: dict[str, Any]) -> Iterator[Row]:
    """Means over the frames of the cosine by one identity network, and of the distance by another; none without faces."""
    if before.identity is not None and after.identity is not None:
        cosine = (before.identity * after.identity).sum(1)
        yield Row("identity", float(cosine.mean()), reference="mobilefacenet", unit="cosine", **labels)
    if before.dlib is not None and after.dlib is not None:
        distance = (before.dlib - after.dlib).norm(dim=1)
        yield Row("distance[dlib]", float(distance.mean()), reference="dlib", **labels)
