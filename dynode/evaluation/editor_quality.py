"""What an editor does to pictures: how far its own attribute moves, what else moves with it, who is still seen.

Changes are in standard deviations of random samples' scores, so that they compare across attributes and editors.
"""

from dataclasses import dataclass

import torch

from dynode import generators
from dynode.editing import editors, random_samples
from dynode.editing.strength_ranges import Reach
from dynode.errors import UserError
from dynode.evaluation.records import Row, select, summary
from dynode.perception import attributes
from dynode.perception.face_api import Recognition
from dynode.perception.identity import Identity


@dataclass(frozen=True)
class Seen:
    """What pictures of B codes show: scores (B, A), and for faces who it is by two networks (B, 128)."""

    scores: torch.Tensor
    identity: torch.Tensor | None = None
    dlib: torch.Tensor | None = None


class Judge:
    """Looks at the pictures of a generator's codes.

    Raises UserError for a generator whose pictures nothing scores.
    """

    def __init__(self, generator, settings: random_samples.SampleSettings | None = None, device="cpu"):
        category = generators.category_of(generator.name)
        self.generator, self.device = generator, device
        self.scorer, self.category = attributes.of(category, device), category
        self.usual = random_samples.scored(generator, settings, device=device)
        is_face = category == "face"
        self.networks = [network().to(device) for network in (Identity, Recognition)] if is_face else []

    @property
    def names(self) -> tuple[str, ...]:
        return self.scorer.names

    def seen(self, ws: torch.Tensor) -> Seen:
        """What the pictures of codes (B, L, D) show."""
        resolution = min(random_samples.RESOLUTION, self.generator.resolution)
        return self.look(generators.render(self.generator, ws, resolution))

    @torch.no_grad()
    def look(self, images: torch.Tensor) -> Seen:
        """What pictures (B, 3, R, R) show."""
        images = images.to(self.device)
        return Seen(self.scorer(images).cpu(), *(network(images).cpu() for network in self.networks))

    def changes(self, before: Seen, after: Seen) -> torch.Tensor:
        """By how much each attribute moved (B, A), the shorter way round where it is circular, in standard deviations of
        random samples."""
        moved, period = after.scores - before.scores, self.scorer.periods.to(before.scores)
        around = (moved + period / 2).remainder(period.clamp(min=1)) - period / 2
        return torch.where(period > 0, around, moved) / self.usual.std

    def own_change(self, before: Seen, after: Seen, own: int, towards: int | None = None) -> torch.Tensor:
        """By how much the attribute of that place moved (B,), in the same unit.

        towards: the class that an editor leads to.  On a circle there is no more or less of an attribute, and what counts
        is how much nearer to that class it came.
        """
        period = float(self.scorer.periods[own])
        if towards is None or not period:
            return self.changes(before, after)[:, own]
        away = [(seen.scores[:, own] - towards).remainder(period) for seen in (before, after)]
        apart = [torch.minimum(each, period - each) for each in away]
        return (apart[0] - apart[1]) / self.usual.std[own]


def own_attribute(editor_name: str, names: tuple[str, ...]) -> str:
    """The attribute that an editor's name tells, such as smile of "interfacegan smile|age".

    Raises UserError where it tells none.
    """
    words = editor_name.partition("|")[0].replace(":", " ").replace(".", " ").split()
    told = [name for name in names if name in words]
    if len(told) != 1:
        raise UserError(
            f"Which attribute {editor_name!r} is to change is not told by its name: name one of {', '.join(names)}."
        )
    return told[0]


def editor_rows(
    editor,
    generator,
    ws: torch.Tensor,
    strengths,
    *,
    attribute: str = "",
    judge: Judge | None = None,
    before: Seen | None = None,
    rows: int = 0,
    clip: str = "",
    method: str = "",
) -> list[Row]:
    """Rows for each strength of an editor, over codes (B, L, D): means, standard deviations and n over the codes.

    change[NAME]: of every attribute, in standard deviations of random samples.  leakage: mean absolute change of all
    others over that of its own.  identity: cosine with the unedited picture, lowest_identity that of the code it changes
    most; distance[dlib]: second opinion, above 0.6 it says somebody else.  The strength is the variant, the attribute
    that is its own the reference.

    attribute: its own, where its name does not tell it.  before: what the unedited codes show, where that is known.
    method: what the rows call the editor, its own name by itself.
    """
    judge = judge or Judge(generator)
    own = judge.names.index(attribute or own_attribute(editor.name, judge.names))
    named = {"category": judge.category, "method": method or editor.name, "clip": clip, "reference": judge.names[own]}
    before, found = before or judge.seen(ws), []
    for strength in strengths:
        after = judge.seen(editor.edit(ws, strength, rows)) if strength else before
        moved = judge.own_change(before, after, own, getattr(editor, "leads_to", None))
        told = {"variant": f"{strength:+g}", **named}
        values = numbers(judge, before, after, own, moved)
        found += [Row(name, unit=unit, **told, **spread(each)) for name, unit, each in values]
    return found


def numbers(judge: Judge, before: Seen, after: Seen, own: int, moved: torch.Tensor):
    """(metric, unit, values (B,)) of one strength; moved: the change (B,) of the editor's own attribute."""
    changes = judge.changes(before, after)
    for name, values in zip(judge.names, changes.T, strict=True):
        yield f"change[{name}]", "std of random samples", values
    others = [k for k in range(changes.shape[1]) if k != own]
    yield "own_change", "std of random samples", moved
    yield "leakage", "", leakage(changes[:, own], changes[:, others])[None]
    if before.identity is not None:
        cosine = (before.identity * after.identity).sum(1)
        yield "identity", "cosine", cosine
        yield "lowest_identity", "cosine", cosine.min()[None]
        yield "distance[dlib]", "", (before.dlib - after.dlib).norm(dim=1)


def ladder_rows(judge: Judge, shipped: dict[str, Reach], ws: torch.Tensor, rungs: int = 1, rows: int = 0) -> list[Row]:
    """`editor_rows` of editors METHOD:ATTRIBUTE at all strengths of their ladders, on the same codes (B, L, D).

    strength_used: of each.  smallest_step: the smallest rise of the mean change from one rung to the next, counted in
    the direction that the editor takes at the strength used; above 0 its attribute goes one way all along.
    """
    before, found = judge.seen(ws), []
    for name, reach in shipped.items():
        editor, ladder = editors.load(name, judge.generator), reach.ladder(rungs)
        graded = editor_rows(
            editor,
            judge.generator,
            ws,
            ladder,
            attribute=reach.measures,
            judge=judge,
            before=before,
            rows=rows,
            method=name,
        )
        own = {row.variant: row for row in select(graded, metric="own_change")}
        at_used = own[f"{reach.used:+g}"]
        means = torch.tensor([each.value for each in own.values()], dtype=torch.float64)
        step = float((means.diff() * (1 if at_used.value > 0 else -1)).min())
        named = {"category": judge.category, "method": name, "reference": at_used.reference}
        graded.append(Row("smallest_step", step, unit="std of random samples", n=at_used.n, **named))
        found += [*graded, Row("strength_used", reach.used, **named)]
    return found


def leakage(own: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Mean absolute change of the others (B, A - 1) over that of its own (B,); infinite where that is 0."""
    return others.abs().nanmean() / own.abs().nanmean()


def spread(values: torch.Tensor) -> dict:
    """Mean, standard deviation and number of the values that are finite; 0 of none, as where nothing changes at all."""
    kept = values[torch.isfinite(values)].tolist()
    return summary(kept) if kept else {"value": 0.0, "std": None, "n": 0}
