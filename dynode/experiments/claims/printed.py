"""Verdicts for people and machines: lines of plain English, Markdown, JSON, JUnit; and the exit code."""

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as xml

from dynode.experiments.claims.declared import Statement
from dynode.experiments.claims.judging import Kind, Verdict
from dynode.experiments.claims.recorded import Judged, counted, of_statement
from dynode.experiments.claims.sentences import line, sentence

UNEXPECTED, INCOMPLETE = 1, 3  # exit codes: a verdict that is not expected, and a record that is not there


def everything(judged: Sequence[Judged]) -> list[Verdict]:
    return [verdict for one in judged for verdict in one.verdicts]


def exit_code(judged: Sequence[Judged], recorded: bool = False) -> int:
    """0, or 1 for what is not as expected (of an own run a stale record, too), else 3 where a record or a row is missing."""
    verdicts = everything(judged)
    if any(each.unexplained or (each.kind is Kind.STALE and not recorded) for each in verdicts):
        return UNEXPECTED
    return INCOMPLETE if any(each.kind is Kind.MISSING for each in verdicts) else 0


def text(judged: Sequence[Judged], statements: Sequence[Statement] = ()) -> str:
    """How many claims fail, then a line for each claim, by item, then what of the paper that says."""
    lines = [summary(everything(judged))]
    for one in judged:
        if one.verdicts:
            lines += ["", f"{one.item.name} ({one.origin})", *map(line, one.verdicts)]
    said = [(statement, of_statement(statement, judged)) for statement in statements]
    if shown := [f"  “{each.quote}” ({each.section}): {counted(tests)}" for each, tests in said]:
        lines += ["", "The paper says", *shown]
    return "\n".join(lines)


def summary(verdicts: Sequence[Verdict]) -> str:
    """The first line: how many claims fail, for how many of them no reason is known, and the other counts."""
    failing = [each for each in verdicts if each.kind is Kind.FAIL]
    surprises = sum(bool(each.unexplained) for each in verdicts)
    others = [each for each in verdicts if each.kind is not Kind.FAIL]
    rest = f"; {counted(others)}" if others else ""
    expected = f"{surprises} not as expected" if surprises else "all of them for a known reason"
    fails = f"{len(failing)} of {len(verdicts)} claims FAIL" + (f", {expected}" if failing or surprises else "")
    return f"{fails}{rest}." if verdicts else "There are no claims."


def as_dicts(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Every verdict as plain values, for JSON."""
    return [
        {
            **{"id": each.id, "item": each.item, "verdict": str(each.kind), "statement": each.claim.statement},
            **{"source": each.claim.source, "bound": each.claim.relation if each.claim.row else None},
            **{"known": each.claim.known, "unexpected": each.unexplained, "note": each.note},
            **{"record": one.origin, "cases": [vars(case) | {"kind": str(case.kind)} for case in each.cases]},
        }
        for one in judged
        for each in one.verdicts
    ]


def markdown(judged: Sequence[Judged]) -> str:
    """A table with a row for each claim."""
    rows = [f"| {one.kind} | `{one.id}` | {sentence(one).replace('|', '/')} |" for one in everything(judged)]
    return "\n".join([summary(everything(judged)), "", "| verdict | claim | |", "| --- | --- | --- |", *rows])


def junit(judged: Sequence[Judged]) -> str:
    """A JUnit report: what is not as expected is a failure, what could not be judged is skipped."""
    verdicts = everything(judged)
    suite = xml.Element("testsuite", name="dynode verify", tests=str(len(verdicts)))
    for each in verdicts:
        case = xml.SubElement(suite, "testcase", classname=each.item, name=each.claim.id)
        if each.unexplained:
            xml.SubElement(case, "failure", message=each.unexplained).text = sentence(each)
        elif each.kind not in (Kind.PASS, Kind.TOO_EASY):
            xml.SubElement(case, "skipped", message=f"{each.kind}: {sentence(each)}")
    suite.set("failures", str(sum(bool(each.unexplained) for each in verdicts)))
    return xml.tostring(suite, encoding="unicode", xml_declaration=True)
