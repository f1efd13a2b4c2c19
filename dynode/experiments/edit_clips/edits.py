"""Edits of a clip's first code by editors of any method, carried through the clip: pictures, what changed, who is left.

An editor that does not come with the package is no error here: its edit has no pictures, and says why.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory
from dynode.editing import editors, propagation
from dynode.errors import UserError
from dynode.evaluation import resolution_for
from dynode.evaluation.editor_quality import Judge, Seen, leakage, own_attribute
from dynode.evaluation.records import Row

MISSING = "editor_missing"


@dataclass(frozen=True)
class ClipEdit:
    """An editor METHOD:ATTRIBUTE and its strength, in its own unit.

    shows: the figure of the paper that it is for.  measures: the attribute that is to change, where its name does not tell.
    rows: the first so many style rows only, 0 all.
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
    """An edit with the pictures (T, 3, R, R) that it made and their rows; or with the reason why there are none."""

    edit: ClipEdit
    images: torch.Tensor | None = None
    rows: list[Row] = field(default_factory=list)
    missing: str = ""


def shipped(names: Iterable[str], generator) -> tuple[dict[str, editors.Editor], dict[str, str]]:
    """The editors of these names that there are, and why there are no others."""
    found, missing = {}, {}
    for name in names:
        try:
            found[name] = editors.load(name, generator)
        except UserError as error:
            missing[name] = str(error)
    return found, missing


class Stage:
    """A clip's learned path at times ts (T,), drawn, and the judge that tells what an edit changed in its pictures.

    mode: how edits of the first code are carried, see `dynode.editing.propagation`.
    """

    def __init__(self, clip: Clip, path: Trajectory, judge: Judge, ts: torch.Tensor, mode: str = "offset"):
        self.clip, self.path, self.judge, self.ts, self.mode = clip, path, judge, ts, mode
        self.own = self.drawn(path)
        self.before = judge.look(self.own)

    def drawn(self, path: Trajectory) -> torch.Tensor:
        """Images (T, 3, R, R) of a path."""
        generator = self.judge.generator
        return generators.render(generator, path(self.ts), resolution_for(generator))

    def edited(self, edit: ClipEdit) -> EditedClip:
        """The clip with its first code edited and the edit carried; what does not ship comes back as missing."""
        named = {"category": self.judge.category, "clip": self.clip.name, "method": edit.label, "variant": edit.shows}
        found, missing = shipped([edit.editor], self.judge.generator)
        if missing:
            (reason,) = missing.values()
            return EditedClip(edit, rows=[Row(MISSING, 1.0, **named, reference=reason)], missing=reason)
        w0 = self.clip.ws[0]
        moved = propagation.composed(w0, [(found[edit.editor], edit.strength)], edit.rows)
        images = self.drawn(propagation.propagate(self.path, w0, moved, self.mode))
        own = edit.measures or own_attribute(edit.editor, self.judge.names)
        rows = list(self.rows(self.judge.names.index(own), self.judge.look(images), named))
        share = propagation.fraction_in_field(self.path, w0, moved)
        rows.append(Row("edit_seen_share", share, space="latent", unit="share of the edit", **named))
        return EditedClip(edit, images, [row for row in rows if math.isfinite(row.value)])

    def rows(self, own: int, after: Seen, named: dict) -> Iterator[Row]:
        """Means over the frames: how much the edit's own attribute changed, how much the others did beside it, and how
        like the faces still are by both networks."""
        changes = self.judge.changes(self.before, after).double()
        others = [k for k in range(changes.shape[1]) if k != own]
        told = {"unit": "std of random samples", "n": len(changes)} | named
        yield Row("own_change", float(changes[:, own].nanmean()), reference=self.judge.names[own], **told)
        yield Row("others_change", float(changes[:, others].abs().nanmean()), reference="all others", **told)
        yield Row("leakage", float(leakage(changes[:, own], changes[:, others])), **(told | {"unit": ""}))
        if after.identity is not None:
            cosine = (self.before.identity * after.identity).sum(1)
            yield Row("identity", float(cosine.mean()), reference="mobilefacenet", **(told | {"unit": "cosine"}))
            apart = (self.before.dlib - after.dlib).norm(dim=1)
            yield Row("distance[dlib]", float(apart.mean()), reference="dlib", **(told | {"unit": ""}))
