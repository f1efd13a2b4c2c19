"""The solver door on problems with closed solutions."""

import math

import pytest
import torch

from dynode.dynamics.solvers.rollout import FIXED_STEP, SolverError, SolverSettings, rollout
from dynode.errors import UserError

ORDER = {"euler": 1, "midpoint": 2, "heun2": 2, "heun3": 3, "rk4": 4}


def decay(t, u):
    return -u * (1 + t)


def decay_solution(t):
    return torch.exp(-t - t * t / 2)


def spiral(t, u):
    return torch.stack([-0.1 * u[0] - 2 * u[1], 2 * u[0] - 0.1 * u[1]])


def test_dopri5_meets_the_closed_solution_within_its_tolerance():
    ts = torch.linspace(0, 2, 9, dtype=torch.float64)
    solved = rollout(decay, torch.ones(1, dtype=torch.float64), ts, SolverSettings(rtol=1e-8, atol=1e-10))
    assert torch.allclose(solved.states[:, 0], decay_solution(ts), atol=1e-7)
    assert solved.nfe > 0


def test_the_first_state_is_returned_unchanged_and_backward_undoes_forward():
    settings = SolverSettings(rtol=1e-9, atol=1e-10)
    u0 = torch.tensor([1.0, 0.5], dtype=torch.float64)
    there = rollout(spiral, u0, torch.tensor([0.0, 3.0]), settings).states
    back = rollout(spiral, there[-1], torch.tensor([3.0, 0.0]), settings).states[-1]
    assert torch.equal(there[0], u0)
    assert torch.allclose(back, u0, atol=1e-7)


@pytest.mark.parametrize("solver", FIXED_STEP)
def test_fixed_step_solvers_converge_with_their_order(solver):
    exact = decay_solution(torch.tensor(1.0, dtype=torch.float64))
    ts, errors = torch.tensor([0.0, 1.0], dtype=torch.float64), []
    for step in (0.1, 0.05):
        u0 = torch.ones(1, dtype=torch.float64)
        errors.append((rollout(decay, u0, ts, SolverSettings(solver, step=step)).states[-1] - exact).abs().item())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(ORDER[solver], abs=0.35)


@pytest.mark.parametrize("adjoint", [False, True])
def test_gradient_of_the_solve_meets_finite_differences(adjoint):
    field = torch.nn.Linear(2, 2).double()
    settings = SolverSettings(rtol=1e-9, atol=1e-11, adjoint=adjoint)
    u0, ts = torch.tensor([0.3, -0.7], dtype=torch.float64), torch.tensor([0.0, 0.7, 1.0], dtype=torch.float64)

    class Field(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = field

        def forward(self, t, u):
            return torch.tanh(self.linear(u)) + t

    def loss():
        return rollout(Field(), u0, ts, settings).states[1:].square().sum()

    loss().backward()
    gradient, weight, eps = field.weight.grad[0, 1].item(), field.weight.data, 1e-5
    weight[0, 1] += eps
    up = loss().item()
    weight[0, 1] -= 2 * eps
    down = loss().item()
    assert gradient == pytest.approx((up - down) / (2 * eps), rel=1e-5)


def test_a_field_that_explodes_is_told_in_plain_words():
    with pytest.raises(SolverError, match="learning rate|steep"):
        rollout(lambda t, u: u**3 * 1e3, torch.ones(1) * 10, torch.tensor([0.0, 1.0]))


def test_an_unknown_solver_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'dopri5'"):
        rollout(decay, torch.ones(1), torch.tensor([0.0, 1.0]), SolverSettings("dopri55"))


def test_times_out_of_order_are_refused():
    with pytest.raises(UserError, match="strictly"):
        rollout(decay, torch.ones(1), torch.tensor([0.0, 1.0, 0.5]))
