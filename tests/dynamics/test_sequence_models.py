"""Sequence models and processes as baselines: codes at any times, training that lowers the error, files."""

import math

import pytest
import torch

from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.baselines import sequence_models
from dynode.errors import UserError
from dynode.settings import changed

NAMES = list(sequence_models.MODELS)


def quick(name, **changes):
    return changed(methods.settings_of(name), {"iterations": 25, "hidden": 8} | changes)


@pytest.fixture(scope="module")
def wave():
    """Thirteen frames of a circle and a third of another, in four of six dimensions."""
    ts = torch.arange(13, dtype=torch.float64) / 10
    angle = 2 * math.pi * ts / 0.9
    ws = torch.stack([angle.cos(), angle.sin(), 0.3 * (2 * angle).cos(), ts, 0 * ts, 1 + 0 * ts], -1)
    return Clip(ws.float()[:, None], ts, meta={"name": "wave"}).sampled("regular", 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_sequence_model_takes_any_times_in_any_order_and_is_deterministic(name, wave):
    path = methods.fit(wave, quick(name))
    ts = [0.5, -0.1, 0.0, 1.33, 0.5]
    codes = path(ts)
    assert codes.shape == (5, 1, 6) and torch.isfinite(codes).all()
    assert torch.equal(codes[0], codes[4]) and torch.equal(path(ts), codes)
    alone = torch.cat([path([t]) for t in ts])
    assert torch.allclose(alone, codes, atol=0.2 if name == "sde" else 1e-3)  # the mean of other samples
    assert path.derivative([0.5]).shape == (1, 1, 6) and path([]).shape == (0, 1, 6)


@pytest.mark.parametrize("name", NAMES)
def test_training_lowers_the_error_at_the_observations(name, wave):
    observed = wave.observations()

    def error(iterations):
        path = methods.fit(wave, quick(name, iterations=iterations, hidden=16, straight=False))
        return float((path(observed.ts) - observed.ws).square().mean())

    assert error(150) < 0.5 * error(1)


@pytest.mark.parametrize("name", NAMES)
def test_a_sequence_model_survives_its_file_and_logs_its_cost(name, wave, tmp_path):
    path = methods.fit(wave, quick(name), seed=3)
    back = fit_files.load(path.save(tmp_path / "fit.safetensors"))
    ts = torch.linspace(0, 1.2, 9)
    assert torch.equal(back(ts), path(ts)) and back.settings == path.settings
    assert back.log["parameters"] == sum(p.numel() for p in path.model.parameters()) and back.log["seconds"] > 0
    assert back.meta["seed"] == 3 and back.settings.label == f"{name}[changed]"
    assert torch.cat(list(path.chunks(ts, 4))).shape == (9, 1, 6)


def test_seeds_decide_a_fit(wave):
    ts = torch.linspace(0, 1.2, 9)
    one, same, other = (methods.fit(wave, quick("gru"), seed=seed)(ts) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_only_distributions_give_samples(wave):
    fan = methods.fit(wave, quick("sde")).samples([0.25, 0.5, 0.1], 5)
    assert fan.shape == (5, 3, 1, 6) and fan.std(0).max() > 0
    with pytest.raises(UserError, match="gru.*one path"):
        methods.fit(wave, quick("gru")).samples([0.5], 5)


def test_settings_of_sequence_models_are_checked():
    with pytest.raises(UserError, match="iterations"):
        quick("gru", iterations=0)
    with pytest.raises(UserError, match="grz.*gru"):
        methods.settings_of("grz")


def test_a_process_is_less_certain_between_observations(wave):
    process = methods.fit(wave, "gp")
    near, between = process.std(wave.observations().ts), process.std(wave.ts[~wave.observed])
    assert near.max() < between.min() and process.std([5.0])[0] > 3 * between.max()


def test_a_periodic_process_finds_the_period():
    ts = torch.arange(60, dtype=torch.float64) / 20
    angle = 2 * math.pi * ts / 0.7
    ws = torch.stack([angle.cos(), angle.sin(), (2 * angle).cos()], -1).float()[:, None]
    clip = Clip(ws, ts, meta={"name": "wheel"}).sampled("irregular", 5, seed=1)
    periodic, smooth = methods.fit(clip, "gp_periodic"), methods.fit(clip, "gp")
    unobserved = ~clip.observed
    errors = [float((path(ts)[unobserved] - ws[unobserved]).square().mean()) for path in (periodic, smooth)]
    assert periodic.period == pytest.approx(0.7, rel=0.02) and errors[0] < 0.05 * errors[1]


def test_catmull_rom_is_exact_on_lines_and_parabolas_in_the_middle():
    ts = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])
    path = methods.fit(Clip((ts**2)[:, None, None], ts), "catmull_rom")
    assert torch.allclose(path([1.5, 2.25])[:, 0, 0], torch.tensor([2.25, 5.0625]))
    line = methods.fit(Clip(torch.tensor([0.0, 2.0])[:, None, None], torch.tensor([0.0, 1.0])), "catmull_rom")
    assert torch.allclose(line([0.25, 3.0])[:, 0, 0], torch.tensor([0.5, 6.0]))
