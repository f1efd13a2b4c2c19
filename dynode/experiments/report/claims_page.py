"""The first page: each claim with its verdict, ours beside the bound, and what the verdicts make of the paper's statements."""

from collections.abc import Iterable, Sequence
from typing import Any

from dynode.experiments import items
from dynode.experiments.claims.judging import ORDER, Kind, Verdict
from dynode.experiments.claims.printed import summary
from dynode.experiments.claims.recorded import counted, of_statement
from dynode.experiments.report.sources import Source

SHAPES = {
    Kind.PASS: ("\u2713", "v-pass"),
    Kind.FAIL: ("\u2717", "v-fail"),
    Kind.TOO_EASY: ("\u25b3", "v-mild"),
    Kind.STALE: ("\u21bb", "v-mild"),
    Kind.MISSING: ("\u25cb", "v-plain"),
    Kind.NOT_JUDGED: ("\u2013", "v-plain"),
}
MEANINGS = {
    Kind.PASS: "the bound is met, and no control meets it",
    Kind.FAIL: "the bound is missed; a known reason is printed",
    Kind.TOO_EASY: "met, but a control such as holding the last frame meets it as well",
    Kind.STALE: "the record is older than what it would judge",
    Kind.MISSING: "there is no record, or it has no such row",
    Kind.NOT_JUDGED: "no number decides it",
}


def claims_page(all_sources: Sequence[Source]) -> dict[str, Any]:
    """The values of the template `claims`."""
    judged = [source.judged for source in all_sources]
    verdicts = [verdict for one in judged for verdict in one.verdicts]
    said = [(each, of_statement(each, judged)) for each in items.statements()]
    return {
        "summary": summary(verdicts),
        "counts": [(str(kind), *SHAPES[kind], sum(each.kind is kind for each in verdicts)) for kind in ORDER],
        "meanings": [(str(kind), *SHAPES[kind], MEANINGS[kind]) for kind in ORDER],
        "statements": [
            (each.quote, each.section, shaped(tests), counted(tests), testing(tests)) for each, tests in said
        ],
        "groups": [group(source) for source in all_sources if source.judged.verdicts],
    }


def shaped(verdicts: Iterable[Verdict]) -> tuple[str, str, str]:
    """The worst kind of some verdicts, its shape and its class."""
    kind = min((each.kind for each in verdicts), key=ORDER.index, default=Kind.NOT_JUDGED)
    return (str(kind), *SHAPES[kind])


def testing(verdicts: Iterable[Verdict]) -> list[str]:
    """The items whose claims test a statement."""
    return list(dict.fromkeys(each.item for each in verdicts))


def group(source: Source) -> dict[str, Any]:
    """The claims of one item."""
    return {
        "item": source.item.name,
        "title": source.item.title,
        "regenerates": source.item.regenerates,
        "origin": f"{source.judged.origin}; {source.origin}",
        "claims": [claim(verdict) for verdict in source.judged.verdicts],
    }


def claim(verdict: Verdict) -> dict[str, Any]:
    """One line: verdict, statement, ours, the bound, whose bound, the control, the reason."""
    worst, declared = verdict.worst, verdict.claim
    fails = verdict.kind is Kind.FAIL
    reasons = [
        verdict.note,
        declared.known if fails else "",
        verdict.unexplained and f"not as expected: {verdict.unexplained}",
    ]
    return {
        "kind": shaped([verdict]),
        "id": declared.id,
        "statement": declared.statement,
        "ours": "" if worst is None else f"{worst.value:.4g}",
        "at": "" if worst is None else worst.at,
        "control": "" if worst is None or worst.control is None else f"{worst.control:.4g}",
        "bound": declared.relation if declared.row else "",
        "source": "ours" if declared.source == "ours" else declared.source.replace("paper, ", "paper: "),
        "reason": "; ".join(filter(None, reasons)),
    }
