"""`dynode diagnose --faces`, and the report that ends an inversion."""

import json

import numpy as np
import pytest
import torch

from dynode import cli, clips
from dynode.cli.diagnosis import print_faces
from dynode.errors import UserError
from dynode.evaluation import face_report
from dynode.evaluation.face_fidelity import MEASURES, FaceFidelity
from dynode.evaluation.face_report import FaceReport


@pytest.fixture
def compared(monkeypatch) -> list:
    """The comparisons that were asked for; each says that the eyes of a small face are off."""
    calls = []

    def stand_in(clip, generator=None, footage="", **choices):
        calls.append((clip.name, str(footage)))
        values = {name: np.full(3, 0.05 if name == "eye_opening" else 1.0) for name in MEASURES}
        values |= {"gaze": np.zeros(3), "mouth_opening": np.zeros(3)}
        return FaceReport(FaceFidelity(np.arange(3.0), values, np.full((2, 3), 0.3), np.zeros((2, 3))), 90)

    monkeypatch.setattr(face_report, "clip_fidelity", stand_in)
    return calls


def test_faces_are_compared_on_demand_and_recorded(tmp_path, capsys, compared):
    figure, record = str(tmp_path / "d.png"), str(tmp_path / "d.json")
    assert cli.main(["diagnose", "single_face.warm", "-o", figure]) == 0 and compared == []
    assert cli.main(["diagnose", "single_face.warm", "-o", figure, "--faces", "--record", record]) == 0
    assert cli.main(["diagnose", "single_face.warm", "-o", figure, "--tuning", "none"]) == 0 and len(compared) == 2
    assert compared[0][0] == "single_face.warm" and compared[0][1].endswith(".mp4")
    printed = capsys.readouterr().out
    assert "eye opening off by 0.050" in printed and "Off beside the footage, eyes" in printed
    rows = {row["metric"]: row for row in json.loads((tmp_path / "d.json").read_text())["rows"]}
    assert rows["eye_opening"]["value"] == pytest.approx(0.05) and rows["eye_opening"]["reference"] == "source"
    assert {row["protocol"] for row in rows.values()} == {"chain"}


@pytest.mark.parametrize(
    "arguments, said",
    [(["scene.day", "--faces"], "no clip of a face"), (["single_face.warm", "--footage", "x.mp4"], "x.mp4")],
)
def test_what_cannot_be_compared_is_a_sentence(arguments, said, tmp_path, capsys, compared):
    assert cli.main(["diagnose", *arguments, "-o", str(tmp_path / "d.png")]) == 2
    assert said in capsys.readouterr().err and compared == []


def test_an_inversion_ends_with_the_report_and_never_fails_by_it(tmp_path, capsys, compared, monkeypatch):
    path = clips.load("single_face.warm").head(3).save(tmp_path / "c.safetensors")
    print_faces(path, tmp_path / "talk.mp4", torch.device("cpu"))
    assert "cut out 90 pixels wide" in capsys.readouterr().out

    def refused(*_, **__):
        raise UserError("There is no network.")

    monkeypatch.setattr(face_report, "clip_fidelity", refused)
    print_faces(path, tmp_path / "talk.mp4", torch.device("cpu"))
    assert capsys.readouterr().out == "The faces were not compared with the footage: There is no network.\n"
    world = clips.load("scene.day").head(3).save(tmp_path / "w.safetensors")
    print_faces(world, tmp_path / "talk.mp4", torch.device("cpu"))
    assert capsys.readouterr().out == ""
