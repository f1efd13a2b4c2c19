"""Pixel models: exact observed frames, learning, and training that continues exactly from a checkpoint."""

import dataclasses

import pytest
import torch

from dynode.dynamics.fitting import checkpoints
from dynode.errors import UserError
from dynode.experiments.pixels import frames, predictors, presets
from dynode.experiments.pixels.training import PixelTrainer

SMALL = {"codes": 4, "channels": 4, "hidden": 8, "iterations": 6, "episodes": 0}


def passing(count=6, size=16) -> frames.ObservedFrames:
    """A bright column that crosses the picture."""
    ts = torch.linspace(0, 1, count, dtype=torch.float64)
    columns = torch.arange(size) / (size - 1)
    rows = torch.exp(-((columns - ts[:, None]) ** 2) / 0.02).float() * 2 - 1
    return frames.ObservedFrames(rows[:, None, None].expand(-1, 3, size, -1).contiguous(), ts)


def quick(name="own", **changes) -> presets.PixelSettings:
    return dataclasses.replace(presets.preset(name), **SMALL | changes)


@pytest.mark.parametrize("name", ["own", "own_warp"])
def test_a_training_that_was_stopped_goes_on_exactly(name, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0)
    whole = PixelTrainer([passing()], quick(name)).run()
    stopped, path = PixelTrainer([passing()], quick(name)), tmp_path / "half"
    for _ in range(3):
        stopped.losses.append(stopped.step())
        stopped.iteration += 1
    stopped.save(path)
    resumed = PixelTrainer([passing()], quick(name)).run(path)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    PixelTrainer([passing()], quick()).save(tmp_path / "half")
    with pytest.raises(UserError, match="another training"):
        PixelTrainer([passing()], quick(lr=1e-4)).run(tmp_path / "half")


def test_a_warp_is_exact_at_observed_frames_and_a_cross_fade_mixes_them():
    observed = passing()
    model = predictors.PixelModel(PixelTrainer([observed], quick("own_warp")).run())
    assert torch.allclose(model(observed, observed.ts), observed.images, atol=1e-5)
    middle = (observed.ts[:1] + observed.ts[1:2]) / 2
    assert torch.allclose(predictors.cross_fade(observed, middle)[0], observed.images[:2].mean(0), atol=1e-5)
    assert torch.equal(predictors.hold(observed, middle)[0], observed.images[0])


def test_training_lowers_the_error_of_unobserved_frames():
    passed = passing(12)
    observed = frames.ObservedFrames(passed.images[::2], passed.ts[::2])
    errors = [
        float(
            (
                predictors.PixelModel(PixelTrainer([observed], one).run())(observed, passed.ts[1:-1:2])
                - passed.images[1:-1:2]
            )
            .square()
            .mean()
        )
        for one in (quick(iterations=1), quick(iterations=150))
    ]
    assert errors[1] < 0.7 * errors[0]


def test_too_few_frames_are_refused():
    with pytest.raises(UserError, match="at least 3 observed frames"):
        PixelTrainer([passing(2)], quick())
