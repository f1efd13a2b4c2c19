"""The comparison of two runs: numbers of records, and the names of what else they left."""

import sys
from pathlib import Path

import compare_records
import pytest

from dynode.evaluation import records
from dynode.evaluation.records import Row

ROWS = [Row("mse", 1.0, clip="a", method="linear"), Row("seconds", 3.0, clip="a", method="linear")]


def run(folder: Path, rows: list[Row], *outputs: str) -> Path:
    """A folder of outputs with a record."""
    records.write(folder / "reports" / "records" / "toy.embedded.json", "toy", "embedded", rows, {})
    for name in outputs:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


@pytest.fixture
def compared(tmp_path, monkeypatch, capsys):
    """What the comparison of a run with another prints, and its exit code."""

    def compare(before: Path, after: Path, *more: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["compare_records.py", str(before), str(after), *more])
        return compare_records.main(), capsys.readouterr().out

    return compare


def test_runs_that_differ_in_seconds_alone_are_equal(tmp_path, compared):
    slower = [ROWS[0], Row("seconds", 9.0, clip="a", method="linear")]
    code, printed = compared(run(tmp_path / "a", ROWS, "figures/x.png"), run(tmp_path / "b", slower, "figures/x.png"))
    assert code == 0 and printed == "toy: 1 numbers, 0 differ\n"


def test_a_number_a_row_a_record_or_a_figure_that_differs_is_said(tmp_path, compared):
    before = run(tmp_path / "a", ROWS, "figures/x.png", "reports/tables/x.md")
    other = [Row("mse", 1.1, clip="a", method="linear"), Row("mse", 1.0, clip="b", method="linear")]
    code, printed = compared(before, run(tmp_path / "b", other, "figures/y.png", "reports/tables/x.md"))
    assert code == 1 and "1 -> 1.1" in printed and "only after: ('mse', 'face', 'b', 'linear'" in printed
    assert "only before: figures/x.png\nonly after: figures/y.png\n" in printed and "x.md" not in printed
    assert compared(before, run(tmp_path / "c", ROWS), "toy")[0] == 0, "of chosen items numbers alone"
    (tmp_path / "b" / "reports" / "records" / "toy.embedded.json").unlink()
    code, printed = compared(before, tmp_path / "b")
    assert code == 1 and f"toy: no record in {tmp_path / 'b'}" in printed


def test_folders_of_records_have_no_outputs_to_compare(tmp_path, compared):
    before, after = (run(tmp_path / name, ROWS, f"figures/{name}.png") for name in "ab")
    code, printed = compared(before / "reports" / "records", after / "reports" / "records")
    assert (code, printed) == (0, "toy: 1 numbers, 0 differ\n")
    moved = [Row("mse", 1.0 + 1e-6, clip="a", method="linear")]
    run(tmp_path / "b", moved)
    assert compared(before / "reports" / "records", after / "reports" / "records")[0] == 1
    assert compared(before / "reports" / "records", after / "reports" / "records", "--relative", "1e-4")[0] == 0
