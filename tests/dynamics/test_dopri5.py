"""Our Dormand-Prince solver against torchdiffeq's, and its gradient against autograd's through the same arithmetic."""

import pytest
import torch
import torchdiffeq

from dynode.dynamics.fields import FieldSettings, MLPField
from dynode.dynamics.solvers import dopri5, mlp_vjp
from dynode.dynamics.solvers.rollout import SolverError, SolverSettings, rollout

FORWARD, BACKWARD = [0.0, 0.3, 0.31, 2.0, 5.0, 5.2], [1.0, 0.5, -2.0]


def smooth_field(seed=0) -> MLPField:
    torch.manual_seed(seed)
    return MLPField(
        (3, 4), FieldSettings(depth=2, hidden=16, activation="tanh", layout="shared+row-embedding")
    ).double()


PLAIN = [("leaky_relu", "shared", "raw"), ("tanh", "shared", "fourier"), ("leaky_relu", "joint", "none")]


@pytest.mark.parametrize("activation, layout, times", PLAIN)
def test_a_plain_mlp_has_the_gradients_of_autograd(activation, layout, times, monkeypatch):
    torch.manual_seed(0)
    settings = FieldSettings(depth=3, hidden=16, activation=activation, layout=layout, time_features=times)
    field, u0 = MLPField((3, 4), settings).double(), start()
    assert mlp_vjp.is_plain_mlp(field) and not mlp_vjp.is_plain_mlp(smooth_field())

    def solution():
        solved = rollout(field, u0, torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64))
        loss = (solved.states.sin() * torch.arange(1.0, 5.0)).sum()
        return solved.nfe, solved.states.detach(), torch.autograd.grad(loss, [u0, *field.parameters()])

    evaluations, states, gradients = solution()
    monkeypatch.setattr(mlp_vjp, "is_plain_mlp", lambda module: False)
    others, same, expected = solution()
    assert evaluations == others > 7 and torch.allclose(states, same, atol=1e-13)
    for one, other in zip(gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-12)


def start() -> torch.Tensor:
    return torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()


@pytest.mark.parametrize("ts", [FORWARD, BACKWARD])
@pytest.mark.parametrize("rtol, atol", [(1e-3, 1e-4), (1e-6, 1e-8)])
def test_it_is_torchdiffeqs_method(ts, rtol, atol):
    field, u0, ts = smooth_field(), start(), torch.tensor(ts, dtype=torch.float64)
    calls = []
    field.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        ours = dopri5.solve(field, u0, ts, rtol, atol)
        evaluations = len(calls)
        theirs = torchdiffeq.odeint(field, u0, ts, rtol=rtol, atol=atol, method="dopri5")
    assert torch.allclose(ours, theirs, atol=1e-12)
    assert len(calls) == 2 * evaluations


@pytest.mark.parametrize("ts", [FORWARD, BACKWARD])
def test_the_gradient_is_that_of_its_own_arithmetic(ts):
    field, u0 = smooth_field(), start()
    wanted = [u0, *field.parameters()]
    solved = dopri5.solve(field, u0, torch.tensor(ts, dtype=torch.float64), 1e-3, 1e-4)
    gradients = torch.autograd.grad((solved.sin() * torch.arange(1.0, 5.0)).sum(), wanted)
    accepted = dopri5.steps(
        lambda t, u: (field(u.new_tensor(t), u.view(3, 4)).flatten(), None), u0.flatten(), ts, 1e-3, 1e-4
    )
    plain = dopri5.states_at_queries(u0.flatten(), len(ts), accepted).view(-1, 3, 4)
    expected = torch.autograd.grad((plain.sin() * torch.arange(1.0, 5.0)).sum(), wanted)
    assert len(accepted) > 1
    for one, other in zip(gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-11)


def test_a_start_that_is_nearly_zero_is_no_steep_field():
    field, ts = smooth_field(), torch.tensor([0.0, 1.0], dtype=torch.float64)
    near = torch.full((3, 4), 1e-10, dtype=torch.float64)
    with torch.no_grad():
        states = [dopri5.solve(Fast(field), u0, 1e-3 * ts, 1e-4, 1e-6) for u0 in (near, 0 * near)]
    assert torch.allclose(*states, atol=1e-3)


class Fast(torch.nn.Module):
    def __init__(self, field):
        super().__init__()
        self.field = field

    def forward(self, t, u):
        return 1e3 * self.field(t, u)


def test_a_gradient_can_be_taken_twice():
    field, u0 = smooth_field(), start()
    solved = dopri5.solve(field, u0, torch.tensor([0.0, 1.0], dtype=torch.float64), 1e-3, 1e-4)
    first, second = (torch.autograd.grad(solved.sum(), list(field.parameters()), retain_graph=True) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_layers_are_as_before_after_a_solve():
    field = smooth_field()
    dopri5.solve(field, start(), torch.tensor([0.0, 1.0], dtype=torch.float64), 1e-3, 1e-4)
    assert all("forward" not in vars(layer) for layer in field.modules())


def test_a_field_that_blows_up_is_a_solver_error():
    class Explosive(torch.nn.Module):
        def forward(self, t, u):
            return u.square() * 50

    with pytest.raises(SolverError, match="vanishingly small"):
        rollout(Explosive(), torch.ones(2), torch.tensor([0.0, 1.0]), SolverSettings("dopri5"))
