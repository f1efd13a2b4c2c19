"""The windows of faces: enough of them and of people, apart from each other, and a face in every frame."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from dynode import cli
from dynode.experiments import face_windows
from dynode.experiments.face_windows import of_role, windows
from dynode.io import assets, video
from dynode.perception.alignment import Squares
from dynode.perception.face_detection import FaceDetector

LEFT_OUT = tomllib.loads(Path(face_windows.__file__).with_suffix(".toml").read_text())["left_out"]
LENGTHS = {
    "single-face-video": 72,
    "carphone-video": 120,
    "pexels-video": 472,
    "webcam-video": 354,
    "webcam2-video": 360,
}


def test_there_are_enough_windows_and_settings_are_chosen_on_one_person_who_is_in_no_test():
    development, test = ({window.person for window in of_role(role)} for role in face_windows.ROLES)
    assert len(development) == 1 and len(test) >= 4 and not development & test
    assert len(of_role("test")) >= 12 and all(window.frames >= 36 for window in windows().values())
    assert all(window.reason.endswith(".") for window in windows().values())


@pytest.mark.parametrize("asset", LENGTHS)
def test_every_frame_of_a_video_is_in_one_window_or_left_out_for_a_reason(asset):
    spans = [range(w.first, w.first + w.frames * w.every) for w in windows().values() if w.asset == asset]
    spans += [range(each["first"], each["last"] + 1) for each in LEFT_OUT if each["asset"] == asset]
    covered = sorted(k for span in spans for k in span)
    assert covered == [*range(LENGTHS[asset])]


def test_a_window_is_a_video_for_the_command_line_with_frames_of_its_own(tmp_path, capsys):
    assert cli.main(["invert", "pexels.2", "-o", str(tmp_path / "c.safetensors"), "--first", "3"]) == 2
    assert "The window pexels.2 has its own frames: leave out --first" in capsys.readouterr().err
    assert cli.main(["invert", "pexels.22", "-o", str(tmp_path / "c.safetensors")]) == 2
    assert "name one of pexels.1, pexels.2" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize("name", windows())
def test_the_detector_reports_one_face_of_the_stated_width_in_every_frame(name):
    window, detector = windows()[name], FaceDetector()
    sides = []
    for _, image in window.stretch.of(video.iterate(assets.fetch(window.asset))):
        (face,) = detector(image)
        sides.append(2 * np.linalg.norm(Squares.from_landmarks(face.landmarks[None]).x[0]))
    assert len(sides) == window.frames and np.mean(sides) == pytest.approx(window.face_width, abs=0.5)
