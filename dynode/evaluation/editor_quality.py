"""Evaluation of editors: change of their own attribute, change of the others beside it, preservation of identity.

Changes are in standard deviations of random samples' scores, so that they compare across attributes and editors.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from dynode import generators
from dynode.editing import editors, random_samples
from dynode.editing.editors import Editor
from dynode.editing.strength_ranges import StrengthRange
from dynode.errors import UserError
from dynode.evaluation.records import Row, select, summary
from dynode.generators.protocol import Generator
from dynode.perception import attributes
from dynode.perception.face_api import Recognition
from dynode.perception.identity import Identity

STD = "std of random samples"  # the unit of changes


@dataclass(frozen=True)
class ImageScores:
    """Scores of B images: attributes (B, A), and for faces the vectors of two identity networks (B, 128)."""

    attributes: torch.Tensor
    identity: torch.Tensor | None = None
    dlib: torch.Tensor | None = None


class EditorEvaluator:
    """Scores the images of a generator's codes, and measures changes in standard deviations of random samples.

    Raises UserError for a generator whose images nothing scores.
    """

    def __init__(
        self,
        generator: Generator,
        settings: random_samples.SampleSettings | None = None,
        device: torch.device | str = "cpu",
    ):
        category = generators.category_of(generator.name)
        self.generator, self.device = generator, device
        self.scorer, self.category = attributes.attribute_scorer(category, device), category
        self.samples = random_samples.scored(generator, settings, device=device)
        is_face = category == "face"
        self.networks = [network().to(device) for network in (Identity, Recognition)] if is_face else []

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that are scored."""
        return self.scorer.names

    def score_codes(self, ws: torch.Tensor) -> ImageScores:
        """Scores of the images of codes (B, L, D)."""
        resolution = min(random_samples.RESOLUTION, self.generator.resolution)
        return self.score_images(generators.render(self.generator, ws, resolution))

    @torch.no_grad()
    def score_images(self, images: torch.Tensor) -> ImageScores:
        """Scores of images (B, 3, R, R)."""
        images = images.to(self.device)
        return ImageScores(self.scorer(images).cpu(), *(network(images).cpu() for network in self.networks))

    def changes(self, before: ImageScores, after: ImageScores) -> torch.Tensor:
        """Change (B, A) of each attribute in standard deviations of random samples; the shorter way round a circle."""
        change, period = after.attributes - before.attributes, self.scorer.periods.to(before.attributes)
        around = (change + period / 2).remainder(period.clamp(min=1)) - period / 2
        return torch.where(period > 0, around, change) / self.samples.std

    def own_change(self, before: ImageScores, after: ImageScores, own: int, towards: int | None = None) -> torch.Tensor:
        """Change (B,) of the attribute of that index, in the same unit.

        towards: the class that an editor leads to.  On a circle there is no more or less of an attribute, and the change
        is how much nearer to that class it came.
        """
        period = float(self.scorer.periods[own])
        if towards is None or not period:
            return self.changes(before, after)[:, own]
        away = [(each.attributes[:, own] - towards).remainder(period) for each in (before, after)]
        apart = [torch.minimum(each, period - each) for each in away]
        return (apart[0] - apart[1]) / self.samples.std[own]


def own_attribute(editor_name: str, names: tuple[str, ...]) -> str:
    """The attribute that an editor's name contains, such as smile of "interfacegan smile|age".

    Raises UserError where it contains none.
    """
    words = editor_name.partition("|")[0].replace(":", " ").replace(".", " ").split()
    own = [name for name in names if name in words]
    if len(own) != 1:
        raise UserError(
            f"The name {editor_name!r} does not say which attribute the editor changes: name one of {', '.join(names)}."
        )
    return own[0]


def editor_rows(
    editor: Editor,
    generator: Generator,
    ws: torch.Tensor,
    strengths: Iterable[float],
    *,
    attribute: str = "",
    evaluator: EditorEvaluator | None = None,
    before: ImageScores | None = None,
    rows: int = 0,
    clip: str = "",
    method: str = "",
) -> list[Row]:
    """Rows for each strength of an editor, over codes (B, L, D): means, standard deviations and n over the codes.

    change[NAME]: of every attribute, in standard deviations of random samples.  leakage: mean absolute change of all
    others over that of its own.  identity: cosine with the unedited image, lowest_identity that of the code it changes
    most; distance[dlib]: second opinion, above 0.6 it is another person.  The strength is the variant, the attribute
    that is its own the reference.

    attribute: its own, where its name does not contain it.  before: scores of the unedited codes, where they are known.
    method: what the rows call the editor, its own name by itself.
    """
    evaluator = evaluator or EditorEvaluator(generator)
    own = evaluator.names.index(attribute or own_attribute(editor.name, evaluator.names))
    identity: dict[str, Any] = {"category": evaluator.category, "method": method or editor.name, "clip": clip}
    identity["reference"] = evaluator.names[own]
    before, result = before or evaluator.score_codes(ws), []
    for strength in strengths:
        after = evaluator.score_codes(editor.edit(ws, strength, rows)) if strength else before
        change = evaluator.own_change(before, after, own, getattr(editor, "target_class", None))
        values = numbers(evaluator, before, after, own, change)
        variant = f"{strength:+g}"
        result += [Row(name, unit=unit, variant=variant, **identity, **mean_of(each)) for name, unit, each in values]
    return result


def numbers(
    evaluator: EditorEvaluator, before: ImageScores, after: ImageScores, own: int, own_change: torch.Tensor
) -> Iterator[tuple[str, str, torch.Tensor]]:
    """(metric, unit, values (B,)) of one strength; own_change (B,): of the editor's own attribute."""
    changes = evaluator.changes(before, after)
    for name, values in zip(evaluator.names, changes.T, strict=True):
        yield f"change[{name}]", STD, values
    others = [k for k in range(changes.shape[1]) if k != own]
    yield "own_change", STD, own_change
    yield "leakage", "", leakage(changes[:, own], changes[:, others])[None]
    if before.identity is not None and after.identity is not None:
        cosine = (before.identity * after.identity).sum(1)
        yield "identity", "cosine", cosine
        yield "lowest_identity", "cosine", cosine.min()[None]
    if before.dlib is not None and after.dlib is not None:
        yield "distance[dlib]", "", (before.dlib - after.dlib).norm(dim=1)


def ladder_rows(
    evaluator: EditorEvaluator, ranges: Mapping[str, StrengthRange], ws: torch.Tensor, rungs: int = 1, rows: int = 0
) -> list[Row]:
    """`editor_rows` of editors METHOD:ATTRIBUTE at all strengths of their ladders, on the same codes (B, L, D).

    strength_used: of each.  smallest_step: the smallest rise of the mean change from one rung to the next, counted in
    the direction that the editor takes at the strength used; above 0 the change of its attribute is monotone.
    """
    before, result = evaluator.score_codes(ws), []
    for name, strengths in ranges.items():
        graded = editor_rows(
            editors.load(name, evaluator.generator),
            evaluator.generator,
            ws,
            strengths.ladder(rungs),
            attribute=strengths.measures,
            evaluator=evaluator,
            before=before,
            rows=rows,
            method=name,
        )
        own = {row.variant: row for row in select(graded, metric="own_change")}
        at_used = own[f"{strengths.default:+g}"]
        means = torch.tensor([each.value for each in own.values()], dtype=torch.float64)
        step = float((means.diff() * (1 if at_used.value > 0 else -1)).min())
        identity: dict[str, Any] = {"category": evaluator.category, "method": name, "reference": at_used.reference}
        graded.append(Row("smallest_step", step, unit=STD, n=at_used.n, **identity))
        result += [*graded, Row("strength_used", strengths.default, **identity)]
    return result


def leakage(own: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Mean absolute change of the others (B, A - 1) over that of its own (B,); infinite where that is 0."""
    return others.abs().nanmean() / own.abs().nanmean()


def mean_of(values: torch.Tensor) -> dict[str, Any]:
    """Mean, standard deviation and number of the values that are finite; 0 of none, as where nothing changes at all."""
    kept = values[torch.isfinite(values)].tolist()
    return summary(kept) if kept else {"value": 0.0, "std": None, "n": 0}
