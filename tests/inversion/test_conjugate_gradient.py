"""Conjugate gradients on images: a bowl is solved exactly, no frame gets worse, the preconditioner is what makes it fast."""

import pytest
import torch
from conftest import tiny_weights

from dynode import generators
from dynode.errors import UserError
from dynode.generators.curvature import DAMPING, mean_curvature
from dynode.inversion import conjugate_gradient
from dynode.inversion.projection import Projector
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.perception.lpips import LPIPS

ROWS, SIZE = 3, 4


class Linear:
    """A generator whose images are linear in the code, far more so in some directions."""

    z_dim, num_ws, w_dim, resolution = SIZE, ROWS, SIZE, 4

    def __init__(self, seed: int = 0):
        draws = torch.Generator().manual_seed(seed)
        scales = torch.logspace(0, 2, ROWS * SIZE)
        mixed = torch.linalg.qr(torch.randn(48, ROWS * SIZE, generator=draws))[0]
        self.matrix, self.w_avg = mixed * scales, torch.zeros(1)

    def mapping(self, z):
        return z[:, None].expand(-1, ROWS, -1).clone()

    def synthesis(self, ws):
        return (ws.flatten(1) @ self.matrix.T).view(-1, 3, 4, 4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_weights(tmp_path_factory.mktemp("weights"), "scene")


def error_of(synthesis, images):
    return lambda ws: (synthesis(ws) - images).square().mean((1, 2, 3))


def test_a_bowl_is_solved_and_the_preconditioner_is_what_makes_it_fast():
    linear, codes = Linear(), torch.randn(5, ROWS, SIZE, generator=torch.Generator().manual_seed(1))
    error, start = error_of(linear.synthesis, linear.synthesis(codes)), torch.zeros(5, ROWS, SIZE)
    bent = conjugate_gradient.Preconditioner(mean_curvature(linear))
    calls = []
    result = conjugate_gradient.minimise(error, start, bent, 6, lambda step, mean: calls.append((step, mean)))
    plain = conjugate_gradient.minimise(error, start, lambda gradient: gradient, 6)
    assert [step for step, _ in calls] == list(range(6)) and calls[-1][1] < calls[0][1]
    assert (error(result) < 1e-3 * error(start)).all()
    assert (error(result) < 0.2 * error(plain)).all()


def test_the_mean_curvature_is_that_of_the_squared_error_and_damped():
    linear = Linear()
    exact = (linear.matrix.T @ linear.matrix * 2 / 48).view(ROWS, SIZE, ROWS, SIZE)
    blocks = torch.stack([exact[row, :, row] for row in range(ROWS)])
    wanted = blocks + DAMPING * blocks.diagonal(dim1=1, dim2=2).mean() * torch.eye(SIZE)
    assert (mean_curvature(linear) - wanted).norm() < 0.2 * wanted.norm()  # 256 noisy probes


def test_no_frame_gets_worse_and_one_that_is_right_stays():
    linear, codes = Linear(), torch.randn(4, ROWS, SIZE, generator=torch.Generator().manual_seed(2))
    images = linear.synthesis(codes)

    def rough(ws):  # a bowl with walls that no parabola knows of
        return error_of(linear.synthesis, images)(ws) + (20 * ws).sin().square().mean((1, 2))

    start = torch.cat([codes[:2], torch.randn(2, ROWS, SIZE, generator=torch.Generator().manual_seed(3))])
    bent = conjugate_gradient.Preconditioner(mean_curvature(linear))
    errors = [rough(conjugate_gradient.minimise(rough, start, bent, steps)) for steps in (0, 1, 2, 5)]
    for before, after in zip(errors, errors[1:], strict=False):
        assert (after <= before).all()
    error = error_of(linear.synthesis, images)
    assert torch.equal(conjugate_gradient.minimise(error, codes, bent, 3), codes)


def test_a_projection_ends_with_them(path):
    network, targets = generators.load(path), generators.load(path)(torch.randn(2, 9)).clamp(-1, 1).detach()
    choices = {"start": "w_avg", "first_steps": 5, "resolution": 16, "lpips_net": "alex", "lpips_resolution": 64}
    result, steps = {}, []
    for count in (0, 6):
        settings = ProjectionSettings(**choices, conjugate_steps=count)
        projector = Projector(network, LPIPS("alex"), settings)
        result[count] = projector.frames(targets, None, lambda step, mse, lpips: steps.append(step))
    assert steps == [*range(5), *range(5 + 6)]
    assert all(after.mse < before.mse for before, after in zip(result[0], result[6], strict=True))
    with pytest.raises(UserError, match="conjugate_steps must be 0 or more, got -1"):
        ProjectionSettings(conjugate_steps=-1)
