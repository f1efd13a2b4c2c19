"""`dynode bench editing`: what an edited film takes, by dynamics and frame by frame."""

import pytest

from dynode import cli
from dynode.evaluation import records
from dynode.evaluation.records import Row
from dynode.experiments import editing_benchmark
from dynode.experiments.editing_benchmark import HOST, LINEAR, OURS, ratios


def costs(method: str, seconds: float, passes: float) -> list[Row]:
    named = {"clip": "talk.1", "method": method, "space": "cost"}
    return [Row("seconds", seconds, unit="s", **named), Row("passes", passes, unit="times", **named)]


ROWS = [*costs(OURS, 30.0, 10.0), *costs(LINEAR, 28.0, 10.0), *costs(HOST, 100.0, 40.0)]


def test_ratios_are_to_editing_every_frame():
    assert ratios(ROWS) == [
        f"talk.1, {OURS}: 0.30 of the seconds and 0.25 of the passes of {HOST}",
        f"talk.1, {LINEAR}: 0.28 of the seconds and 0.25 of the passes of {HOST}",
    ]


def test_one_system_edits_every_frame_and_two_the_first():
    made = editing_benchmark.systems()
    assert list(made) == [OURS, LINEAR, HOST]  # loading falls on the first, which is ours
    assert (made[OURS].method, made[LINEAR].method) == ("dynode", "linear")
    assert made[OURS].stride == made[LINEAR].stride == editing_benchmark.STRIDE


def test_the_command_prints_ratios_and_writes_a_record(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        editing_benchmark, "measure", lambda *given: asked.append(given[:2]) or (ROWS, ["a parser of faces: landmarks"])
    )
    output = tmp_path / "b.json"
    assert cli.main(["bench", "editing", "--frames", "5", "--clip", "pexels.1", "-o", str(output)]) == 0
    assert asked == [(("pexels.1",), 5)]
    printed = capsys.readouterr().out
    assert f"{OURS}: 0.30 of the seconds" in printed and "stand-in: a parser of faces: landmarks" in printed
    rows, provenance = records.read(output)
    assert rows == ROWS and provenance["command"] == "dynode bench editing --clip pexels.1 --frames 5"
    assert provenance["generator"] == "mobilestylegan-ffhq" and len(provenance["stand_ins"]) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["editing", "fits"], "bench editing runs by itself"),
        (["editing", "--frames", "1"], "--frames must be at least 2, got 1: a film was wanted"),
        (["editing", "--clip", "pexels"], "There is no window 'pexels', did you mean 'pexels."),
        (["editing", "--clip", "pexels.1", "--clip", "pexels.1"], "The window pexels.1 is named 2 times"),
    ],
)
def test_mistakes_are_one_sentence(arguments, sentence, tmp_path, capsys):
    assert cli.main(["bench", *arguments, "-o", str(tmp_path / "b.json")]) == 2
    assert sentence in capsys.readouterr().err
