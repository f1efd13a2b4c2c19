"""Measures of pasting against planted stains and steps."""

import numpy as np
import pytest
import torch

from dynode.evaluation import pasted_faces
from dynode.evaluation.pasted_faces import Pasted

SIZE = 128


def points() -> np.ndarray:
    """Landmarks of a round face in the middle of the square."""
    result = np.full((68, 2), 0.5)
    angle = np.linspace(np.pi, 0, 17)
    result[:17] = 0.5 + 0.3 * np.stack([np.cos(angle), np.sin(angle)], 1)
    result[17:27] = np.stack([np.linspace(0.25, 0.75, 10), np.full(10, 0.3)], 1)
    result[[36, 41, 46, 45]] = [[0.32, 0.42], [0.36, 0.44], [0.64, 0.44], [0.68, 0.42]]
    result[[31, 35, 48, 54]] = [[0.46, 0.56], [0.54, 0.56], [0.42, 0.66], [0.58, 0.66]]
    return result


def pasted(change: np.ndarray) -> Pasted:
    """A grey patch as large as its frame, and the frame after a change (S, S, 3) in grey levels."""
    frame = np.full((SIZE, SIZE, 3), 120, dtype=np.uint8)
    corners = np.array([[0.0, 0], [0, SIZE], [SIZE, SIZE], [SIZE, 0]]) - 0.5
    crop = torch.full((3, SIZE, SIZE), 120 / 127.5 - 1)
    return Pasted(frame, crop, corners, (frame + change).astype(np.uint8))


def test_a_shift_of_the_whole_face_is_no_stain_and_one_of_a_cheek_is():
    whole = np.full((SIZE, SIZE, 3), 20)
    assert pasted_faces.cheek_difference(pasted(whole), points()) == pytest.approx(0, abs=0.01)
    whole[:, : SIZE // 2] += 12  # the left half: the median is that of one side, the other cheek is off by 12
    assert pasted_faces.cheek_difference(pasted(whole), points()) == pytest.approx(6, abs=1)


def test_a_step_along_the_seam_counts_and_a_slope_does_not():
    step, slope = np.zeros((2, SIZE, SIZE, 3))
    step[32:96, 32:96] = 30
    edge = np.minimum(np.arange(SIZE), np.arange(SIZE)[::-1])
    slope += (np.minimum.outer(edge, edge) / 4)[..., None]
    assert pasted_faces.seam_step(pasted(step)) > 3
    assert pasted_faces.seam_step(pasted(slope)) < 0.6
    assert pasted_faces.seam_step(pasted(np.zeros((SIZE, SIZE, 3)))) == 0


def test_an_edge_that_the_crop_shows_itself_is_no_seam():
    face = pasted(30 * (np.mgrid[:SIZE, :SIZE][1] >= 64)[..., None] * np.ones(3))
    face.crop[:, :, 64:] += 30 / 127.5
    assert pasted_faces.seam_step(face) < 0.01


def test_rows_are_means_over_frames():
    faces = [pasted(np.zeros((SIZE, SIZE, 3))), pasted(np.full((SIZE, SIZE, 3), 9))]
    cheek, seam = pasted_faces.rows(faces, lambda _: torch.from_numpy(points())[None], clip="planted")
    assert (cheek.metric, cheek.n, cheek.clip, seam.metric) == ("cheek_difference", 2, "planted", "seam_step")
    assert cheek.value == pytest.approx(0, abs=0.01) and seam.std is not None
