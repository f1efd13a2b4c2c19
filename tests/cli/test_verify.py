"""`dynode verify`: what is printed, what is written, and with which code it ends."""

import json
from xml.etree import ElementTree

import pytest

from dynode import cli
from dynode.evaluation import records
from dynode.evaluation.records import Row
from dynode.experiments import items


def code_of(*arguments: str) -> int:
    try:
        return cli.main(["verify", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a record of `interpolation` as of a run here, in which 100 and 1,000 frames take so many times the memory of 10."""
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))

    def write(growth: float) -> None:
        path = tmp_path / "reports" / "records" / "interpolation.embedded.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        peaks = ((10, 100.0), (100, 100.0 * growth), (1000, 100.0 * growth))
        rows = [Row("peak_memory", value, variant=f"{n} frames") for n, value in peaks]
        records.write(path, "interpolation", "embedded", rows, {"commit": "abc", "date": "2026-11-26", "device": "cpu"})

    return write


@pytest.mark.parametrize("growth, code, verdict", [(1.05, 0, "PASS"), (1.5, 1, "FAIL")])
def test_a_claim_of_an_own_record(growth, code, verdict, own, capsys):
    own(growth)
    assert code_of("interpolation") == code
    out = capsys.readouterr().out
    assert f"\n{verdict}" in out and "record of abc, 2026-11-26, cpu" in out and f"got {growth:.4g}" in out


def test_without_a_record_the_code_is_three(own, capsys):
    assert code_of("interpolation") == 3
    assert "there is no record, `dynode run interpolation` makes it" in capsys.readouterr().out


def test_what_holds_in_spite_of_its_reason_is_an_error(own, monkeypatch, capsys):
    own(1.05)
    item = items.item("interpolation")
    claim, _ = item.claims
    monkeypatch.setitem(claim.__dict__, "known", "memory grows")
    assert claim.known and code_of("interpolation") == 1
    assert "NOT AS EXPECTED: does not fail any more: take out its reason." in capsys.readouterr().out


def test_json_markdown_and_junit(capsys, tmp_path):
    path = tmp_path / "claims.xml"
    assert code_of("worlds", "spaces", "--recorded", "--json", "--junit", str(path)) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {each["item"] for each in printed} == {"worlds", "spaces"} and printed[0]["verdict"] == "FAIL"
    assert len(ElementTree.parse(path).getroot()) == len(printed)
    assert (
        code_of("worlds", "--recorded", "--markdown") == 0 and "| FAIL | `worlds.recall` |" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["worlds", "--json", "--markdown"], "one of --json and --markdown"),
        (["wolrds"], "did you mean 'worlds'"),
        (["--profile", "embeded"], "did you mean 'embedded'"),
        (["--recorded", "--profile", "paper"], "leave out --profile paper"),
        (["worlds", "worlds"], "worlds"),
    ],
)
def test_mistakes(arguments, sentence, capsys):
    assert code_of(*arguments) == 2
    assert sentence in capsys.readouterr().err
