"""The most probable weights: noise is averaged, smooth motion interpolated, a period found, and the path solves its field."""

import math

import pytest
import torch

from dynode import clips
from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.fitting.most_probable import ACCURACY, Grid, Posterior, left_out_errors
from dynode.dynamics.fitting.single import PreparedFit
from dynode.dynamics.presets import preset
from dynode.dynamics.solvers.rollout import SolverSettings, rollout
from dynode.errors import UserError
from dynode.settings import changed

FRAMES = 33


def moving(
    noise: float = 0.0, turns: float = 0.5, frames: int = FRAMES, dimension: int = 24
) -> tuple[Clip, torch.Tensor]:
    """A clip of codes on an arc of so many turns in a random plane, with noise of this deviation, and the codes without it."""
    rng = torch.Generator().manual_seed(3)
    ts = torch.arange(frames).double() / 24
    angle = 2 * math.pi * turns * ts / ts[-1]
    plane = torch.linalg.qr(torch.randn(dimension, 2, generator=rng)).Q.T
    clean = torch.stack([angle.sin(), angle.cos()], 1).float() @ plane
    noisy = clean + noise * torch.randn(clean.shape, generator=rng)
    return Clip(noisy.view(frames, 2, -1), ts), clean.view(frames, 2, -1)


def error(method, clip: Clip, true: torch.Tensor, hidden: bool = True) -> float:
    """Mean squared error of a method at the hidden, or the observed, frames against codes without noise."""
    chosen = clip.observed != hidden
    return float((methods.fit(clip, method)(clip.ts[chosen]) - true[chosen]).square().mean())


def test_smooth_motion_is_interpolated_and_nearer_than_by_straight_lines():
    clip, true = moving()
    sampled = clip.sampled("regular", 4)
    assert methods.fit(sampled, "dynode").log["observed_error"] < 1e-3
    assert error("dynode", sampled, true) < 0.2 * error("linear", sampled, true)


def test_noise_is_averaged_also_at_the_observed_frames_as_far_as_the_limit_lets():
    clip, true = moving(noise=0.15)
    sampled = clip.sampled("regular", 2)
    free = changed(preset("dynode"), {"training.noise_at_most": 10.0})
    for hidden in (True, False):
        line = error("linear", sampled, true, hidden=hidden)
        assert error(free, sampled, true, hidden=hidden) < 0.8 * line
        assert error(free, sampled, true, hidden=hidden) < error("dynode", sampled, true, hidden=hidden) < line
    noises = [methods.fit(sampled, each).log["prior"]["noise"] for each in (free, "dynode")]
    assert noises[0] > 0.011 > noises[1]


def test_a_long_clip_is_fitted():
    """Twelve seconds of many waves: Picard iterations find weights whose roll-out passes the observed codes."""
    rng = torch.Generator().manual_seed(0)
    ts, waves = torch.arange(288).double() / 24, torch.arange(1, 31)
    falling = 1 / (1 + (waves / 10).square())
    angles = 2 * torch.pi * ts[:, None] * waves / 12
    drawn = torch.randn(2, 30, 24, generator=rng).double()
    ws = (angles.sin() * falling) @ drawn[0] + (angles.cos() * falling) @ drawn[1]
    sampled = Clip(ws.float().view(288, 2, 12), ts).sampled("regular", 4)
    path = methods.fit(sampled, "dynode")
    assert path.log["observed_error"] < 0.01
    assert error("dynode", sampled, sampled.ws) < 0.5 * error("linear", sampled, sampled.ws)


def test_a_period_is_found_and_used():
    clip, true = moving(noise=0.02, turns=4, frames=65)
    sampled = clip.sampled("irregular", 5, 1)
    path = methods.fit(sampled, "dynode")
    assert path.log["period"] == pytest.approx(float(clip.ts[-1]) / 4, rel=0.03)
    without = error(changed(preset("dynode"), {"field.recurring": False}), sampled, true)
    assert error("dynode", sampled, true) < 0.7 * without


@pytest.mark.parametrize("name", ["scene.day", "bird.flight", "isaac3d.robot_x", "single_face.1"])
def test_the_path_solves_its_field_without_a_jump_at_observed_times(name):
    """dz/dt = f(z, t) at 100 times, observed ones among them, to the tolerance of the solver and of the differences."""
    clip = clips.load(name).sampled("irregular", 8, 0)
    path = methods.fit(clip, changed(preset("dynode"), {"solver.rtol": 1e-7, "solver.atol": 1e-8}))
    ts = torch.linspace(*path.span, 102, dtype=torch.float64)[1:-1]
    ts = torch.cat([ts[: 100 - len(clip.observations().ts) + 2], clip.observations().ts[1:-1]])
    half = 1e-3
    numeric = (path(ts + half).double() - path(ts - half).double()) / (2 * half)
    velocity = path.derivative(ts).double()
    assert (numeric - velocity).norm() < 0.02 * velocity.norm()
    jump = (path(ts + 1e-6) - path(ts - 1e-6)).abs().max()
    assert jump < 1e-4 * path(ts).abs().max()


def test_the_curve_does_not_see_the_state():
    clip, _ = moving(noise=0.1)
    fits = {name: methods.fit(clip.sampled("regular", 4), name) for name in ("dynode", "dynode[no z]")}
    assert fits["dynode[no z]"].label == "dynode[no z]"
    slopes = {name: slope_in_the_state(fit) for name, fit in fits.items()}
    assert slopes["dynode[no z]"] == 0 < slopes["dynode"]


def slope_in_the_state(fit) -> float:
    """The largest derivative of the field with respect to a number of the state, at a random state."""
    u = torch.randn(fit.starts.shape[1:])
    jacobian = torch.autograd.functional.jacobian(lambda state: fit.field(torch.tensor(0.3), state), u)
    return float(torch.as_tensor(jacobian).abs().max())


def test_the_objective_is_stationary_at_the_end():
    clip, _ = moving(noise=0.1)
    trainer = PreparedFit.of(clip.sampled("regular", 4), preset("dynode"), 0).trainer
    posterior = Posterior(trainer.field.double().requires_grad_(False), trainer.u.double(), trainer.taus.double())
    e = torch.zeros(sum(weight.numel() for weight in posterior.first.values())).double()
    start = posterior.gradient(e).norm()
    for _ in range(8):
        e = posterior.step(e)
    assert posterior.gradient(e).norm() < 2 * ACCURACY * start


def test_predictions_of_states_left_out_are_those_of_a_fit_without_them():
    """In closed form, and by solving anew without each."""
    rng = torch.Generator().manual_seed(0)
    ts = torch.linspace(0, 1, 9, dtype=torch.float64)
    kernel = torch.exp(-((ts[:, None] - ts) / 0.3).square())
    states, weight = torch.randn(9, 3, generator=rng, dtype=torch.float64), torch.tensor([4.0, 1.0, 0.25]).double()
    noises, by_hand = torch.tensor([1e-3, 0.1]).double(), []
    for noise in noises:
        squares = []
        for k in range(8):  # the last one is never left out
            rest = torch.arange(9) != k
            for c in range(3):
                covariance = weight[c] * kernel[rest][:, rest] + noise * torch.eye(8)
                predicted = weight[c] * kernel[k, rest] @ torch.linalg.solve(covariance, states[rest, c])
                squares.append((states[k, c] - predicted).square())
        by_hand.append(float(torch.stack(squares).mean()))
    assert left_out_errors(kernel, states, weight, noises) == pytest.approx(by_hand, rel=1e-6)


def test_the_grid_meets_every_observed_time_and_solves_to_fourth_order():
    taus = torch.tensor([0.0, 0.03, 0.5, 1.0], dtype=torch.float64)
    grid = Grid.over(taus)
    assert torch.equal(grid.times[grid.index], taus)
    assert grid.times.diff().max() <= 1 / 3 / 2 + 1e-9
    solved = grid.solved(lambda t, u: -u * t, torch.ones((), dtype=torch.float64))
    exact = rollout(
        lambda t, u: -u * t, torch.ones(1, dtype=torch.float64), grid.times, SolverSettings(rtol=1e-9, atol=1e-9)
    )
    assert torch.allclose(solved, exact.states[:, 0], atol=1e-5)


def test_two_frames_and_a_still_clip_are_fitted():
    clip, _ = moving(frames=9)
    path = methods.fit(clip.sampled("regular", 8), "dynode")
    assert torch.isfinite(path(clip.ts)).all()
    still = Clip(torch.ones(7, 2, 12), torch.arange(7).double() / 24)
    assert torch.allclose(methods.fit(still.sampled("regular", 3), "dynode")(still.ts), still.ws, atol=1e-5)


def test_a_saved_fit_gives_the_same_codes(tmp_path):
    clip, _ = moving(noise=0.05)
    path = methods.fit(clip.sampled("irregular", 4, 1), "dynode")
    again = fit_files.load(path.save(tmp_path / "one.fit"))
    assert torch.equal(again(clip.ts), path(clip.ts))
    assert again.label == "dynode"


def test_a_field_without_waves_is_refused():
    clip, _ = moving()
    with pytest.raises(UserError, match="time_features=waves"):
        methods.fit(clip.sampled("regular", 4), changed(preset("exact"), {"training.probable_steps": 2}))
