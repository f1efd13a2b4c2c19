"""`dynode diagnose --faces`, and the report that ends an inversion."""

import json

import numpy as np
import pytest
import torch

from dynode import cli, clips
from dynode.cli.diagnosis import print_faces
from dynode.cli.dynamics import inversion_summary
from dynode.dynamics import leave_one_out
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


@pytest.mark.parametrize("faces", [False, True])
def test_identity_has_one_sentence(faces, tmp_path, capsys, compared, monkeypatch):
    clip = clips.load("single_face.warm").head(3)
    clip.meta.update(mse=[0.01] * 3, lpips_vgg=[0.1] * 3, identity=[0.3] * 3)
    path, made = str(clip.save(tmp_path / "c.safetensors")), face_report.clip_fidelity

    def another_person(*given, **choices):
        report = made(*given, **choices)
        report.fidelity.values.update(identity=np.full(3, 0.3), dlib_distance=np.full(3, 0.8))
        return report

    monkeypatch.setattr(face_report, "clip_fidelity", another_person)
    assert cli.main(["diagnose", path, "-o", str(tmp_path / "d.png"), *["--faces"] * faces]) == 0
    assert inversion_summary(clip, faces=faces).count("identity") == 2 - faces, "its numbers, and a sentence"
    said = [line for line in capsys.readouterr().out.splitlines() if "is low" in line]
    assert len(said) == 1 and said[0].startswith("The identity" if faces else "The mean identity")


def test_an_inversion_ends_with_the_report_and_never_fails_by_it(tmp_path, capsys, compared, monkeypatch):
    path = clips.load("single_face.warm").head(3).save(tmp_path / "c.safetensors")
    print_faces(path, tmp_path / "talk.mp4", torch.device("cpu"))
    printed = capsys.readouterr().out
    assert "Off beside the footage, eyes" in printed and "pixels wide" not in printed, "said before it began"

    def refused(*_, **__):
        raise UserError("There is no network.")

    monkeypatch.setattr(face_report, "clip_fidelity", refused)
    print_faces(path, tmp_path / "talk.mp4", torch.device("cpu"))
    assert capsys.readouterr().out == "The faces were not compared with the footage: There is no network.\n"
    world = clips.load("scene.day").head(3).save(tmp_path / "w.safetensors")
    print_faces(world, tmp_path / "talk.mp4", torch.device("cpu"))
    assert capsys.readouterr().out == ""


def test_methods_are_compared_at_a_sampling_and_one_is_recommended(tmp_path, capsys, circle, monkeypatch):
    quick = leave_one_out.AutoSettings(candidates="linear,cubic")
    compare = leave_one_out.compare
    monkeypatch.setattr(leave_one_out, "compare", lambda shot, **choices: compare(shot, quick, **choices))
    path, figure = str(circle.save(tmp_path / "c.safetensors")), str(tmp_path / "d.png")
    assert cli.main(["diagnose", path, "-o", figure]) == 0 and "Recommended" not in capsys.readouterr().out
    assert cli.main(["diagnose", path, "-o", figure, "--methods"]) == 0
    assert "16 of 16 frames observed" in capsys.readouterr().out
    assert cli.main(["diagnose", path, "-o", figure, "--stride", "3"]) == 0
    printed = capsys.readouterr().out
    assert "6 of 16 frames observed" in printed and "| linear | <u>1.00</u> |" in printed
    assert "circle: Recommended: --preset cubic; its error at 4 observed frames left out is 0." in printed
    assert cli.main(["diagnose", path, "-o", figure, "--stride", "8"]) == 0
    printed = capsys.readouterr().out
    assert "| cubic" not in printed and "Recommended: --preset linear, since fewer than 4 observed frames" in printed
