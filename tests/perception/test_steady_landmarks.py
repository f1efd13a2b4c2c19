"""Landmarks of one frame that hardly jitter: mirrors, crops and means of 68 points, and how steady squares of footage are."""

import numpy as np
import pytest
import torch

from dynode.io import assets, video
from dynode.perception import steady_landmarks as steady
from dynode.perception.alignment import Squares
from dynode.perception.face_detection import FaceDetector


@pytest.fixture(scope="module")
def landmarks():
    return steady.SteadyLandmarks()


def test_the_mirror_of_a_mirror_is_the_face_itself():
    assert (steady.MIRRORED[steady.MIRRORED] == np.arange(68)).all() and len({*steady.MIRRORED.tolist()}) == 68


def test_points_that_a_network_finds_exactly_come_back_whatever_the_crops(landmarks, monkeypatch):
    """The network knows where 68 points lie in the frame, in whatever crop it is asked."""
    wanted = np.random.default_rng(0).uniform(40, 160, (68, 2))
    square = Squares.from_landmarks(np.array([[[80.0, 80], [120, 80], [100, 100], [85, 125], [115, 125]]]))
    quads = iter([steady.changed(square, *change).quads()[0] for change in landmarks.changes])

    def in_crop(quad):
        axes = np.stack([quad[3] - quad[0], quad[1] - quad[0]], 1)
        return np.linalg.solve(axes, (wanted - quad[0]).T).T

    monkeypatch.setattr(landmarks, "points", lambda crops: np.stack([in_crop(next(quads)) for _ in crops]))
    five = np.array([[80.0, 80], [120, 80], [100, 100], [85, 125], [115, 125]])
    found = landmarks(np.zeros((200, 200, 3), dtype=np.uint8), five)
    assert np.allclose(found, steady.five_of(wanted))


def test_a_mirrored_crop_says_the_same_as_the_crop(landmarks, monkeypatch):
    """A network that answers a mirrored image by mirrored points changes nothing by being asked twice."""
    plain = torch.rand(1, 68, 2, generator=torch.Generator().manual_seed(1))
    mirrored = plain[:, steady.MIRRORED].clone()
    mirrored[..., 0] = 1 - mirrored[..., 0]
    monkeypatch.setattr(landmarks, "network", lambda images: torch.cat([plain, mirrored]))
    assert np.allclose(landmarks.points(torch.zeros(1, 3, 8, 8)), plain.double().numpy(), atol=1e-6)


@pytest.mark.long
def test_squares_of_frames_by_themselves_are_steadier_than_those_of_five_points():
    frames, _ = video.read(assets.fetch("single-face-video"), 16)
    detector, jitter = FaceDetector(), {}
    for name in ("five points", "steady"):
        if name == "five points":
            detector.steady = lambda frame, points: points
        else:
            detector.steady = steady.SteadyLandmarks()
        squares = [Squares.from_landmarks(detector(frame)[0].landmarks[None]) for frame in frames]
        numbers = np.array([[*each.centre[0], np.linalg.norm(each.x[0])] for each in squares])
        jitter[name] = np.abs(numbers[2:] - 2 * numbers[1:-1] + numbers[:-2]).mean(0)
    assert (jitter["steady"] < 0.7 * jitter["five points"]).all(), jitter
