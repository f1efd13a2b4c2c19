"""The alignment square, the crop, and the way back."""

import numpy as np
import torch

from dynode.perception.alignment import Squares, crop, uncrop


def smooth_frame(height=180, width=240):
    y, x = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 4, width), indexing="ij")
    return torch.stack([torch.sin(x), torch.cos(y), torch.sin(x + y)])


def tilted_face(angle=0.2, centre=(120.0, 90.0), scale=20.0):
    upright = np.array([[-1, -0.5], [1, -0.5], [0, 0.2], [-0.8, 1], [0.8, 1]]) * scale
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (upright @ turn.T + centre)[None]


def test_the_square_follows_the_face_tilt_and_has_right_angles():
    squares = Squares.from_landmarks(tilted_face(angle=0.2))
    quad = squares.quads()[0]
    side, down = quad[3] - quad[0], quad[1] - quad[0]
    assert np.isclose(np.arctan2(side[1], side[0]), 0.2)
    assert np.isclose(side @ down, 0) and np.isclose(np.linalg.norm(side), np.linalg.norm(down))
    assert np.isclose(np.linalg.norm(side) / 2, max(2.0 * 2 * 20, 1.8 * 1.5 * 20))


def test_quads_and_squares_are_inverse():
    squares = Squares.from_landmarks(tilted_face())
    back = Squares.from_quads(squares.quads())
    assert np.allclose(back.centre, squares.centre) and np.allclose(back.x, squares.x)


def test_cropping_an_upright_square_reads_the_pixels_themselves():
    frame = smooth_frame()
    quad = np.array([[9.5, 19.5], [9.5, 83.5], [73.5, 83.5], [73.5, 19.5]])  # pixels 10..73 by 20..83
    assert torch.allclose(crop(frame, quad, size=64), frame[:, 20:84, 10:74], atol=1e-5)


def test_uncrop_undoes_crop_inside_the_square():
    frame = smooth_frame()
    quad = Squares.from_landmarks(tilted_face()).quads()[0]
    restored, inside = uncrop(crop(frame, quad, size=256), quad, *frame.shape[-2:])
    assert 0.05 < inside.mean() < 0.6
    eroded = torch.nn.functional.avg_pool2d(inside[None], 5, 1, padding=2)[0] == 1
    assert (restored - frame)[:, eroded].abs().max() < 0.01


def test_smoothing_leaves_a_still_face_alone_and_calms_a_shaking_one():
    still = Squares.from_landmarks(np.repeat(tilted_face(), 20, axis=0))
    assert np.allclose(still.smoothed().quads(), still.quads())
    shake = np.random.default_rng(0).normal(size=still.centre.shape)
    shaking = Squares(still.centre + shake, still.x)
    assert shaking.smoothed().centre.std(axis=0).max() < 0.8 * shaking.centre.std(axis=0).min()
