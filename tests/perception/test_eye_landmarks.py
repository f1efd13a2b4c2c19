"""Eyes: openings and irises of synthetic points, regions, and the network on a man who blinks."""

import json
import math

import pytest
import torch

from dynode.io import assets
from dynode.io.video import Stretch
from dynode.perception import face_geometry, face_regions, graph_model
from dynode.perception.eye_landmarks import EyeLandmarks
from dynode.perception.face_api import Landmarks
from dynode.perception.face_tracking import portraits

OPEN, CLOSED = 0, 27  # frames of the footage


def eye(opening: float, iris: tuple[float, float], width: float = 0.1, mirrored: bool = False) -> torch.Tensor:
    """76 points of an eye around (0.5, 0.5), its lids parallel and its iris off the middle by these eye widths."""
    points = torch.full((76, 2), 0.5)
    points[0:9, 0] += width * torch.linspace(-0.5, 0.5, 9) * (-1 if mirrored else 1)
    points[9:16, 0] = points[1:8, 0]
    points[1:8, 1] += width * opening / 2
    points[9:16, 1] -= width * opening / 2
    points[71] += width * torch.tensor(iris)
    return points


def turned(points: torch.Tensor, degrees: float) -> torch.Tensor:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (points - 0.5) @ torch.tensor([[c, s], [-s, c]]) + 0.5


@pytest.mark.parametrize("degrees, width", [(0, 0.1), (15, 0.1), (-20, 0.25)])
def test_openings_and_irises_are_measured_in_the_eyes_own_frame(degrees, width):
    both = torch.stack([eye(0.3, (0.1, -0.05), width), eye(0.1, (0.1, 0.0), width, mirrored=True)])
    both = turned(both, degrees)[None]
    assert face_geometry.lid_opening(both)[0].tolist() == pytest.approx([0.3, 0.1], abs=1e-5)
    assert face_geometry.iris_position(both)[0].flatten().tolist() == pytest.approx([0.1, -0.05, 0.1, 0.0], abs=1e-5)


def test_the_mouth_opening_is_in_heights_of_the_face():
    points = torch.zeros(1, 68, 2)
    points[0, 27], points[0, 8] = torch.tensor([0.5, 0.4]), torch.tensor([0.5, 0.9])
    points[0, 61:64] = torch.tensor([[0.45, 0.7], [0.5, 0.7], [0.55, 0.7]])
    points[0, 65:68] = torch.tensor([[0.55, 0.75], [0.5, 0.75], [0.45, 0.75]])
    assert face_geometry.mouth_opening(points).item() == pytest.approx(0.1)


def test_a_region_is_cut_out_where_it_is_and_as_it_is_turned():
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)  # bright on the right
    centre, axis = torch.tensor([[[0.5, 0.5]]]), torch.tensor([[[0.25, 0.0]]])
    middle = face_regions.cut(ramp, centre, axis, 32)[0, 0]
    assert torch.allclose(middle, ramp[0, :, 16:48, 16:48], atol=1e-5)
    sideways = face_regions.cut(ramp, centre, torch.tensor([[[0.0, 0.25]]]), 32)[0, 0]
    assert torch.allclose(sideways, middle.mT.flip(1), atol=1e-5)


@pytest.fixture(scope="module")
def faces():
    path = assets.fetch("single-face-video")
    return torch.stack([next(portraits(path, Stretch(first, 1))) for first in (OPEN, CLOSED)])


@pytest.fixture(scope="module")
def networks():
    return Landmarks(), EyeLandmarks()


@torch.no_grad()
def test_the_network_sees_that_eyes_are_closed(faces, networks):
    landmarks, eyes = networks
    points = eyes(faces, landmarks(faces))
    opened, closed = face_geometry.lid_opening(points)
    assert points.shape == (2, 2, 76, 2) and (opened > 0.3).all() and (closed < 0.45 * opened).all()
    irises = points[0, :, 71]  # of eyes that look into the camera, in the middle of the picture's eyes
    assert (irises - landmarks(faces)[0, [[36, 39], [42, 45]]].mean(1)).abs().max() < 0.02


@torch.no_grad()
def test_a_mirrored_face_has_mirrored_eyes(faces, networks):
    landmarks, eyes = networks
    points = landmarks(faces[:1])
    mirrored = points * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
    swapped = mirrored.clone()
    swapped[:, [36, 39, 42, 45]] = mirrored[:, [45, 42, 39, 36]]
    ours, theirs = eyes(faces[:1], points), eyes(faces[:1].flip(3), swapped)
    back = theirs.flip(1) * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
    assert (ours - back).abs().max() < 0.002


def test_a_graph_with_an_unknown_operation_is_refused(tmp_path, monkeypatch):
    node = {"name": "Identity", "op": "Einsum", "input": []}
    graph = {"modelTopology": {"node": [node]}, "weightsManifest": [{"weights": []}]}
    (tmp_path / "graph").write_text(json.dumps(graph))
    (tmp_path / "weights").write_bytes(b"")
    monkeypatch.setattr(graph_model.assets, "fetch", lambda name: tmp_path / name.rpartition("-")[2])
    with pytest.raises(ValueError, match="Einsum"):
        graph_model.GraphModel("some")
