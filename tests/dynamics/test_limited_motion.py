"""Motions limited to some axes and rows: on a curve in two rows of two numbers."""

import pytest
import torch

from dynode.dynamics import retiming
from dynode.dynamics.limited_motion import Limited
from dynode.dynamics.trajectory import Trajectory, double
from dynode.errors import UserError

AXIS = torch.tensor([[0.6, 0.8]])


class Curve(Trajectory):
    """w(t) = ((1 + t, t^2), (t, 3 t)) from 0 to 2 seconds."""

    span, label, meta = (0.0, 2.0), "curve", {}

    def __call__(self, ts):
        t = double(ts).float()
        return torch.stack([torch.stack([1 + t, t**2], 1), torch.stack([t, 3 * t], 1)], 1)

    def derivative(self, ts):
        t = double(ts).float()
        ones = torch.ones_like(t)
        return torch.stack([torch.stack([ones, 2 * t], 1), torch.stack([ones, 3 * ones], 1)], 1)


def test_the_motion_keeps_its_part_along_the_axes_and_begins_where_it_began():
    path = Limited(Curve(), AXIS)
    assert torch.allclose(path([0.0]), Curve()([0.0]))
    along = 0.6 * 1 + 0.8 * 1  # of row 0 at 1 s
    assert torch.allclose(path([1.0])[0, 0], torch.tensor([1.0, 0.0]) + along * AXIS[0])
    assert torch.allclose((path([2.0]) - path([0.0])) @ AXIS.T, (Curve()([2.0]) - Curve()([0.0])) @ AXIS.T)


def test_fine_rows_stay_and_the_whole_space_limits_nothing():
    path = Limited(Curve(), AXIS, rows=1)
    assert torch.equal(path([2.0])[0, 1], Curve()([0.0])[0, 1])
    assert torch.allclose(Limited(Curve(), torch.eye(2))([0.5, 1.7]), Curve()([0.5, 1.7]))


def test_velocities_and_chunks_are_those_of_the_limited_path():
    path, ts = Limited(Curve(), AXIS, rows=1), torch.linspace(0, 2, 7).double()
    step = 1e-2
    assert torch.allclose(path.derivative([1.0]), (path([1 + step]) - path([1 - step])) / (2 * step), atol=1e-2)
    assert torch.allclose(torch.cat(list(path.chunks(ts, 3))), path(ts))


def test_it_moves_another_code():
    start = torch.tensor([[5.0, 5.0], [7.0, 7.0]])
    moved = retiming.Transferred(Limited(Curve(), AXIS, rows=1), start)
    assert torch.allclose(moved([0.0])[0], start) and torch.allclose(moved([2.0])[0, 1], start[1])


def test_axes_of_another_space_are_refused():
    with pytest.raises(UserError, match=r"wants axes \(K, 2\), got \(1, 3\)"):
        Limited(Curve(), torch.ones(1, 3))
