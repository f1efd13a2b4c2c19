"""Periodic motion is recognised, and no other."""

import math

import pytest
import torch

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.fitting import batched, single
from dynode.dynamics.presets import preset
from dynode.dynamics.trend import SCALES, Trend, slope
from dynode.settings import changed

PERIOD = 0.31  # seconds
QUICK = changed(preset("trend+mlp"), {"training.segment_iterations": 5, "field.hidden": 8})


def beating(frames=64, drift=0.0, noise=0.0, seed=0) -> Clip:
    """A closed curve with harmonics, gone round every PERIOD seconds, in 3 x 8 numbers."""
    rng = torch.Generator().manual_seed(seed)
    ts = torch.arange(frames, dtype=torch.float64) / 24
    phase = 2 * math.pi * ts / PERIOD
    waves = torch.stack([phase.sin(), phase.cos(), 0.5 * (2 * phase).sin(), 0.3 * (2 * phase).cos()], -1).float()
    ws = waves @ torch.randn(4, 24, generator=rng) + drift * ts[:, None].float() * torch.randn(24, generator=rng)
    ws = ws + noise * torch.randn(ws.shape, generator=rng)
    return Clip(ws.unflatten(1, (3, 8)), ts, meta={"name": "beating"})


@pytest.mark.parametrize("drift", [0.0, 3.0])
def test_beats_at_two_and_a_half_irregular_samples_are_followed(drift):
    """At most a quarter of the error of the best of linear interpolation, splines and a smooth process."""
    clip = beating(drift=drift, noise=0.02)
    sparse = clip.sampled("irregular", 3, 1)
    unobserved = ~sparse.observed
    errors = {
        name: float((methods.fit(sparse, name)(clip.ts) - clip.ws)[unobserved].square().mean())
        for name in ("linear", "cubic", "pchip", "gp")
    }
    fit = single.fit(sparse, QUICK)
    assert fit.field.trend.recurs
    assert fit.log["period"] == pytest.approx(PERIOD, rel=0.02)
    assert float((fit(clip.ts) - clip.ws)[unobserved].square().mean()) < 0.25 * min(errors.values())


@pytest.mark.parametrize("seed", range(3))
def test_noise_and_passing_motion_are_not_periodic(seed):
    rng, ts = torch.Generator().manual_seed(seed), torch.arange(40, dtype=torch.float64) / 24
    noise = Clip(torch.randn(40, 3, 8, generator=rng), ts, meta={"name": "noise"})
    passing = Clip((ts[:, None, None].float() * torch.tensor([1.0, 2.0, 4.0])).sin(), ts, meta={"name": "passing"})
    for clip in (noise, passing):
        fit = single.fit(clip.sampled("irregular", 3, seed), QUICK)
        assert not fit.field.trend.recurs and "period" not in fit.log


def test_the_slope_is_the_kernels_derivative():
    def height(d):
        rate = 3**0.5 / 0.4
        recurring = torch.exp(-0.5 * (d / 2.0) ** 2 - 2 * (torch.sin(math.pi * d / 0.3) / 0.7) ** 2)
        return 0.8 * (1 + rate * d.abs()) * torch.exp(-rate * d.abs()) + 0.5 * recurring

    t, knots = (
        torch.linspace(0, 1, 40, dtype=torch.float64).requires_grad_(),
        torch.tensor([0.0, 0.33, 1.0], dtype=torch.float64),
    )
    scales = (torch.tensor(v, dtype=torch.float64) for v in (0.4, 2.0, 0.3, 0.7))
    slopes = slope(t, knots, torch.tensor([0.8, 0.5], dtype=torch.float64), *scales)
    for k, knot in enumerate(knots):
        (expected,) = torch.autograd.grad(height(t - knot).sum(), t)
        assert torch.allclose(slopes[:, k], expected, atol=1e-10)


def test_a_periodic_trend_continues_beyond_its_observations():
    clip = beating()
    sparse = clip.sampled("regular", 3, 0, 12)
    path = single.fit(sparse, QUICK)
    beyond = clip.ts > sparse.ts[sparse.observed][-1]
    error = (path(clip.ts) - clip.ws)[beyond].square().mean() / clip.ws.var()
    assert beyond.sum() >= 12 and error < 0.2


def test_periodic_and_other_fits_are_batched():
    clips = [beating(), beating(seed=3, drift=2.0), Clip(beating().ws.cumsum(0), beating().ts, meta={"name": "walk"})]
    clips = [clip.sampled("irregular", 3, 2) for clip in clips]
    for clip, fit in zip(clips, batched.fit_batched(clips, [0, 1, 2], QUICK), strict=True):
        alone = single.fit(clip, QUICK, fit.meta["seed"])
        assert torch.allclose(fit(clip.ts), alone(clip.ts), atol=1e-4)
        assert fit.log.get("period") == alone.log.get("period")


def test_scales_are_kept_in_a_file(tmp_path):
    from dynode.dynamics import fit_files

    clip = beating().sampled("irregular", 3, 1)
    fit = single.fit(clip, QUICK)
    fit.save(tmp_path / "beats.fit")
    again = fit_files.load(tmp_path / "beats.fit")
    assert torch.equal(again(clip.ts), fit(clip.ts))
    assert all(torch.equal(getattr(again.field.trend, name), getattr(fit.field.trend, name)) for name in SCALES)
    assert isinstance(again.field.trend, Trend)
