"""Gauss-Newton of least norm, and the preset that meets its observations by it."""

import math

import pytest
import torch

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.presets import preset
from dynode.dynamics.solvers.gauss_newton import least_norm
from dynode.errors import UserError
from dynode.settings import changed


def test_linear_residuals_vanish_in_one_step_of_least_norm():
    matrix, target = torch.randn(3, 8, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    weights, errors = least_norm(lambda w: matrix @ w - target, torch.zeros(8, dtype=torch.float64), 2, 0.0, damping=0)
    assert torch.allclose(weights, torch.linalg.pinv(matrix) @ target) and errors[1] < 1e-20


def test_curved_residuals_are_met_quadratically_and_a_step_never_makes_them_worse():
    start = torch.tensor([0.3, 0.5, 0.9, 0.4], dtype=torch.float64)
    weights, errors = least_norm(lambda w: torch.stack([w.square().sum() - 1, w.prod() - 0.05]), start, 30, 1e-24)
    assert all(b < a for a, b in zip(errors, errors[1:], strict=False)) and errors[-1] < 1e-24
    assert weights.square().sum() == pytest.approx(1) and weights.prod() == pytest.approx(0.05)


def test_what_cannot_be_met_ends_without_harm():
    weights, errors = least_norm(lambda w: w.square() + 1, torch.ones(2, dtype=torch.float64), 50, 0.0)
    assert len(errors) < 50 and errors[-1] <= errors[0] and torch.isfinite(weights).all()


def noisy(frames=11, rows=4, width=8):
    """Codes without any motion in common, as independent inversion gives them."""
    ws = torch.randn(frames, rows, width, generator=torch.Generator().manual_seed(5)) * 9
    return Clip(ws, torch.arange(frames, dtype=torch.float64), meta={"name": "noisy"})


def test_one_roll_out_meets_jagged_codes_to_a_millionth_of_their_variance():
    clip = noisy()
    fit = methods.fit(clip, "exact")
    variance = (clip.ws - clip.ws.mean(0)).square().mean()
    assert (fit(clip.ts) - clip.ws).square().mean() < 1e-6 * variance
    assert fit.settings.path == "rollout" and fit.field.trend is None and fit.log["observed_error"] < 1e-6


def test_it_answers_between_and_beyond_and_survives_a_clip_that_stands_still():
    ts = torch.linspace(0, 1, 9, dtype=torch.float64)
    ws = torch.stack([(2 * math.pi * ts).cos(), (2 * math.pi * ts).sin()], -1).float()[:, None]
    fit = methods.fit(Clip(ws, ts), "exact")
    assert torch.isfinite(fit([-0.05, 0.33, 1.05])).all()
    still = methods.fit(Clip(torch.ones(4, 1, 3), torch.arange(4)), "exact")
    assert torch.allclose(still([1.5]), torch.ones(1, 1, 3), atol=1e-4)


def test_states_too_large_for_its_matrix_are_refused():
    with pytest.raises(UserError, match="at most 4000 residuals.*subspace"):
        methods.fit(noisy(6, 18, 512), changed(preset("exact"), {"space": "standardised"}))
