"""Pixel models: what they meet, what they learn, and that a stopped training goes on exactly."""

import dataclasses

import pytest
import torch

from dynode.dynamics.fitting import checkpoints
from dynode.errors import UserError
from dynode.experiments.pixels import frames, predictors, presets
from dynode.experiments.pixels.training import PixelTraining

SMALL = {"codes": 4, "channels": 4, "hidden": 8, "iterations": 6, "episodes": 0}


def passing(count=6, size=16) -> frames.Seen:
    """A bright column that crosses the picture."""
    ts = torch.linspace(0, 1, count, dtype=torch.float64)
    columns = torch.arange(size) / (size - 1)
    rows = torch.exp(-((columns - ts[:, None]) ** 2) / 0.02).float() * 2 - 1
    return frames.Seen(rows[:, None, None].expand(-1, 3, size, -1).contiguous(), ts)


def quick(name="own", **changes) -> presets.PixelSettings:
    return dataclasses.replace(presets.preset(name), **SMALL | changes)


@pytest.mark.parametrize("name", ["own", "own_warp"])
def test_a_training_that_was_stopped_goes_on_exactly(name, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0)
    whole = PixelTraining([passing()], quick(name)).run()
    stopped, path = PixelTraining([passing()], quick(name)), tmp_path / "half"
    for _ in range(3):
        stopped.losses.append(stopped.step())
        stopped.iteration += 1
    stopped.save(path)
    resumed = PixelTraining([passing()], quick(name)).run(path)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    PixelTraining([passing()], quick()).save(tmp_path / "half")
    with pytest.raises(UserError, match="another training"):
        PixelTraining([passing()], quick(lr=1e-4)).run(tmp_path / "half")


def test_a_warp_meets_the_frames_that_it_sees_and_a_fade_mixes_them():
    seen = passing()
    model = predictors.PixelModel(PixelTraining([seen], quick("own_warp")).run())
    assert torch.allclose(model(seen, seen.ts), seen.images, atol=1e-5)
    middle = (seen.ts[:1] + seen.ts[1:2]) / 2
    assert torch.allclose(predictors.cross_fade(seen, middle)[0], seen.images[:2].mean(0), atol=1e-5)
    assert torch.equal(predictors.hold(seen, middle)[0], seen.images[0])


def test_learning_lowers_the_error_of_frames_it_was_not_shown():
    seen = passing(12)
    shown = frames.Seen(seen.images[::2], seen.ts[::2])
    errors = [
        float(
            (predictors.PixelModel(PixelTraining([shown], one).run())(shown, seen.ts[1:-1:2]) - seen.images[1:-1:2])
            .square()
            .mean()
        )
        for one in (quick(iterations=1), quick(iterations=150))
    ]
    assert errors[1] < 0.7 * errors[0]


def test_too_few_frames_are_told():
    with pytest.raises(UserError, match="at least 3 observed frames"):
        PixelTraining([passing(2)], quick())
