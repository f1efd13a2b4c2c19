"""Principal axes of a W that is known: an ellipsoid."""

from types import SimpleNamespace

import pytest
import torch

from dynode.editing import ganspace

LENGTHS = torch.tensor([3.0, 1.0, 0.5])


@pytest.fixture(scope="module")
def axes():
    def mapping(z):
        return (z * LENGTHS + 2)[:, None].expand(-1, 4, -1)

    return ganspace.principal_axes(SimpleNamespace(z_dim=3, w_dim=3, w_avg=torch.zeros(3), mapping=mapping), 20_000)


def test_axes_are_ordered_by_variance_and_orthonormal(axes):
    assert torch.allclose(axes.variances.sqrt().float(), LENGTHS, rtol=0.03)
    assert torch.allclose(axes.axes @ axes.axes.T, torch.eye(3).double(), atol=1e-9)
    assert torch.allclose(axes.axes.float(), torch.eye(3), atol=0.05)
    assert torch.allclose(axes.mean.float(), torch.full((3,), 2.0), atol=0.1)


def test_random_codes_lie_at_a_distance_of_one_and_others_farther(axes):
    ws = (torch.randn(4000, 1, 3, generator=torch.Generator().manual_seed(7)) * LENGTHS + 2).expand(-1, 4, -1)
    assert axes.distance(ws, 3).square().mean().sqrt() == pytest.approx(1, abs=0.03)
    assert axes.distance(torch.full((1, 4, 3), 2.0), 3).item() < 0.05
    far = torch.tensor([2.0, 5.0, 2.0]).expand(1, 4, 3)  # three deviations along the second axis
    assert axes.distance(far, 3).item() == pytest.approx(3 / 3**0.5, rel=0.05)
    assert axes.distance(far, 1).item() < 0.1
