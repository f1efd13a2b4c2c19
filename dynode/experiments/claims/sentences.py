"""Verdicts in plain English: a line for each, the same in a notebook and by `dynode verify`."""

from dynode.experiments.claims.judging import Kind, Verdict


def line(verdict: Verdict) -> str:
    """A claim in plain English: verdict, name, statement, the number that decides and the bound, and the reason."""
    return f"{verdict.kind:10}  {verdict.claim.id}: {sentence(verdict)}"


def sentence(verdict: Verdict) -> str:
    """What is claimed, what was measured, and why."""
    claim, parts = verdict.claim, [verdict.claim.statement]
    if claim.row:
        parts.append(f"wanted {claim.relation}" + measured(verdict))
    known = f"known reason: {claim.known}" if claim.known and verdict.kind is Kind.FAIL else ""
    surprise = f"NOT AS EXPECTED: {verdict.unexplained}" if verdict.unexplained else ""
    reasons = [verdict.note, known, surprise]
    return "; ".join([*parts, *filter(None, reasons)]) + "."


def measured(verdict: Verdict) -> str:
    """The number that decides, at which combination, and how many combinations there are."""
    worst = verdict.worst
    if worst is None:
        return ""
    at = f" at {worst.at}" if worst.at else ""
    control = f", the control has {worst.control:.4g}" if worst.control is not None else ""
    count = sum(case.kind is verdict.kind for case in verdict.cases)
    share = f" ({count} of {len(verdict.cases)} so)" if len(verdict.cases) > 1 else ""
    return f", got {worst.value:.4g}{at}{control}{share}"
