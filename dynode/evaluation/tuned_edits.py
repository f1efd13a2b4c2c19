"""How far edits go with a tuned generator, beside the untuned one: an editor's own attribute, on the same codes."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from dynode.clips import Clip
from dynode.editing import editors
from dynode.editing.random_samples import SampleSettings
from dynode.evaluation.editor_quality import EditorEvaluator, editor_rows, own_attribute
from dynode.evaluation.records import Row, select
from dynode.generators.protocol import Generator

BEFORE, AFTER = "untuned", "tuned"  # the method of a row


def edit_rows(
    clip: Clip,
    base: Generator,
    tuned: Generator,
    edits: Mapping[str, float],
    *,
    codes: torch.Tensor | None = None,
    rows: int = 0,
    samples: SampleSettings | None = None,
    device: torch.device | str = "cpu",
) -> list[Row]:
    """Rows of edits METHOD:ATTRIBUTE at their strengths, of the images of a clip's codes by two generators.

    own_change: of the attribute, in standard deviations of random samples.  edit_reach: that of the tuned generator over that of
    the untuned one.  identity: cosine with the unedited image of the same generator.  The variant is the edit.
    codes: those that the tuned generator is given, (T, L, D), where they were refined with it.  rows: as editors take them.
    samples: the random ones whose deviation is the unit.
    """
    evaluators = {BEFORE: EditorEvaluator(base, samples, device), AFTER: EditorEvaluator(tuned, samples, device)}
    given, result = {BEFORE: clip.ws, AFTER: clip.ws if codes is None else codes}, []
    for name, strength in edits.items():
        editor, change = editors.load(name, base), {}
        named: dict[str, Any] = {"clip": clip.name, "reference": "", "variant": f"{name} {strength:+g}"}
        for method, evaluator in evaluators.items():
            own = own_attribute(name, evaluator.names)
            choices: dict[str, Any] = {"attribute": own, "evaluator": evaluator, "rows": rows, "method": method}
            ws = given[method].to(evaluator.generator.w_avg)
            made = kept(editor_rows(editor, evaluator.generator, ws, [strength], **choices))
            result += [dataclasses.replace(row, **named) for row in made]
            change[method] = made[0]
        if change[BEFORE].value:
            reach = change[AFTER].value / change[BEFORE].value
            result.append(
                dataclasses.replace(change[AFTER], metric="edit_reach", value=reach, std=None, unit="", **named)
            )
    return result


def text_of(rows: Iterable[Row]) -> str:
    """A line for each edit: its attribute's change by the untuned and by the tuned generator."""
    rows, lines = list(rows), []
    for variant in dict.fromkeys(row.variant for row in rows):
        before, after = (
            select(rows, variant=variant, metric="own_change", method=method)[0] for method in (BEFORE, AFTER)
        )
        reach = "".join(f", {row.value:.0%}" for row in select(rows, variant=variant, metric="edit_reach"))
        lines.append(
            f"edit {variant}: moves its attribute by {before.value:.2f} -> {after.value:.2f} {before.unit}{reach}"
        )
    return "\n".join(lines)


def kept(rows: Iterable[Row]) -> list[Row]:
    """The change of the edit's own attribute, then identity where faces have one."""
    return [row for metric in ("own_change", "identity") for row in rows if row.metric == metric]
