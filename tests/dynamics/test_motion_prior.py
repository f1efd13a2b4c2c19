"""The motion prior, the causal CDE with online updates, and prediction bands."""

import math

import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from dynode import clips
from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.baselines import motion_prior
from dynode.errors import UserError
from dynode.experiments.beyond import online_cde, online_updates
from dynode.metrics.prediction_bands import PredictionBand
from dynode.settings import changed


def process(seed: int, theta, frames: int = 40, width: int = 60) -> Clip:
    """A clip drawn from the prior's own kernel."""
    ts, rng = torch.arange(frames, dtype=torch.float64) / 20, torch.Generator().manual_seed(seed)
    kernel = motion_prior.Kernel(motion_prior.double(theta))
    covariance = (
        kernel(ts, ts) - motion_prior.CONSTANT + (kernel.fractions[2] + 1e-9) * torch.eye(frames, dtype=torch.float64)
    )
    codes = torch.linalg.cholesky(covariance) @ torch.randn(frames, width, generator=rng, dtype=torch.float64)
    return Clip(codes.float().unflatten(1, (6, width // 6)), ts, meta={"name": f"drawn{seed}"})


SMOOTH = (-3.0, -9.0, math.log(0.3), math.log(2.0))
JITTERY = (-3.0, 1.0, math.log(0.3), math.log(2.0))


def test_the_kernel_is_sklearns():
    theta, ts = (0.3, -1.0, math.log(0.2), math.log(1.5)), torch.linspace(0, 1, 7, dtype=torch.float64)
    kernel = motion_prior.Kernel(motion_prior.double(theta))
    a, b, c = kernel.fractions.tolist()
    theirs = ConstantKernel(a) * Matern(0.2, nu=2.5) + ConstantKernel(b) * Matern(1.5, nu=0.5) + WhiteKernel(c)
    ours = kernel(ts, ts) + c * torch.eye(7)
    wanted = torch.from_numpy((theirs + ConstantKernel(motion_prior.CONSTANT))(ts[:, None].numpy()))
    assert torch.allclose(ours, wanted) and a + b + c == pytest.approx(1)


def test_the_path_and_its_std_are_those_of_sklearns_process():
    clip = process(0, SMOOTH).sampled("irregular", 4)
    path, observed = (
        motion_prior.conditioned(motion_prior.Kernel(motion_prior.double(SMOOTH)), clip),
        clip.observations(),
    )
    a, b, c = path.kernel.fractions.tolist()
    motion, drift = path.theta[2:].exp().tolist()
    theirs = ConstantKernel(a) * Matern(motion, nu=2.5) + ConstantKernel(b) * Matern(drift, nu=0.5) + WhiteKernel(c)
    process_ = GaussianProcessRegressor(
        theirs + ConstantKernel(motion_prior.CONSTANT), alpha=motion_prior.RIDGE, optimizer=None
    )
    process_.fit(observed.ts[:, None].numpy(), path.u.double().numpy())
    mean, std = process_.predict(clip.ts[:, None].numpy(), return_std=True)
    assert torch.allclose(path.states(clip.ts), torch.from_numpy(mean), atol=1e-6)
    ratio = path.std(clip.ts)[:, 0] / torch.from_numpy(std[:, 0])
    assert torch.allclose(ratio, ratio[0].expand_as(ratio), rtol=1e-4)  # but for the scale of the axis


@pytest.mark.parametrize("theta", [SMOOTH, JITTERY], ids=["smooth", "jittery"])
def test_a_prior_recovers_the_kernel_of_its_clips(theta):
    learned_kernel = motion_prior.learn([process(seed, theta) for seed in range(3)])
    assert torch.allclose(
        learned_kernel.fractions, motion_prior.Kernel(motion_prior.double(theta)).fractions, atol=0.08
    )
    assert float(learned_kernel.theta[2].exp()) == pytest.approx(0.3, rel=0.25)


def test_a_clip_adapts_the_prior_as_far_as_its_observations_allow():
    smooth = motion_prior.Kernel(motion_prior.double(SMOOTH))
    jittery, still = (process(9, theta).sampled("regular", 2) for theta in (JITTERY, SMOOTH))
    assert (
        motion_prior.adapted(smooth, jittery).fractions[2]
        > 0.4
        > 0.1
        > motion_prior.adapted(smooth, still).fractions[2]
    )


def test_a_learned_prior_helps_where_observations_are_few():
    sparse = process(5, JITTERY).sampled("regular", 6)
    unobserved = ~sparse.observed
    path = motion_prior.conditioned(motion_prior.learn([process(seed, JITTERY) for seed in (1, 2)]), sparse)
    knowing = motion_prior.conditioned(motion_prior.Kernel(motion_prior.double(JITTERY)), sparse)
    paths = [path, knowing, *(methods.fit(sparse, name) for name in ("linear", "cubic"))]
    ours, best, *interpolated = [float((each(sparse.ts) - sparse.ws)[unobserved].square().mean()) for each in paths]
    assert ours < 0.85 * min(interpolated) and ours < 1.05 * best


def test_other_clips_never_show_the_same_footage():
    for name in clips.shipped_names():
        clip = clips.load(name)
        known = motion_prior.shipped_others(clip)
        footage = [motion_prior.footage_of(one) for one in known]
        assert (
            motion_prior.footage_of(clip) not in footage and None not in footage and len(set(footage)) == len(footage)
        )
        assert all(one.ws.shape[1:] == clip.ws.shape[1:] for one in known)
    people = [one.name.partition(".")[0] for one in motion_prior.shipped_others(clips.load("single_face.independent"))]
    assert {"carphone", "pexels", "webcam"} <= {*people} <= {"carphone", "pexels", "webcam", "webcam2"}
    starts = {motion_prior.inversion_start(one) for one in motion_prior.shipped_others(clips.load("single_face.1"))}
    assert starts == {"encoder"}


def test_named_clips_are_checked():
    clip = clips.load("scene.day")
    assert [
        one.name
        for one in motion_prior.training_clips(clip, motion_prior.PriorSettings(clips="scene.winter, scene.weather"))
    ] == [
        "scene.winter",
        "scene.weather",
    ]
    with pytest.raises(UserError, match="same footage as scene.day"):
        motion_prior.training_clips(clip, motion_prior.PriorSettings(clips="scene.day.encoder"))
    with pytest.raises(UserError, match="name clips of one generator"):
        motion_prior.training_clips(clip, motion_prior.PriorSettings(clips="single_face.warm"))
    with pytest.raises(UserError, match="No other clip is shipped"):
        methods.fit(process(0, SMOOTH), "prior")


def test_the_method_of_that_name_survives_its_file(tmp_path):
    clip = clips.load("scene.day").sampled("regular", 8)
    path = methods.fit(clip, "prior", seed=3)
    back = fit_files.load(path.save(tmp_path / "fit.safetensors"))
    ts = torch.tensor([0.3, -0.1, 0.0, 2.5])
    assert torch.equal(back(ts), path(ts)) and back.settings.label == "prior" and back.meta["seed"] == 3
    assert back.meta["learned_from"] == ["scene.weather", "scene.winter"] and back.log["parameters"] == 4
    assert torch.equal(back.std(ts), path.std(ts)) and path([]).shape == (0, 10, 128)
    assert torch.cat(list(path.chunks(ts, 3))).shape == (4, 10, 128)
    numeric = (path([0.301]) - path([0.299])) / 0.002
    assert torch.allclose(path.derivative([0.3]), numeric, atol=0.05 * float(numeric.abs().max()))
    assert changed(motion_prior.PRIOR, {"steps": 5}).label == "prior[changed]"


@pytest.fixture(scope="module")
def wheel() -> Clip:
    """A turning wheel and noise, 48 frames, five turns."""
    ts, rng = torch.arange(48, dtype=torch.float64) / 24, torch.Generator().manual_seed(0)
    angle = 2 * math.pi * ts / 0.4
    ws = torch.stack([angle.cos(), angle.sin(), 0.2 * (2 * angle).cos()], -1)
    return Clip((ws + 0.01 * torch.randn(ws.shape, generator=rng)).float()[:, None], ts, meta={"name": "wheel"})


@pytest.fixture(scope="module")
def learned(wheel):
    return online_cde.fit(wheel.head(32), changed(online_cde.OnlineSettings(), {"components": 3, "iterations": 120}))


def test_an_online_path_interpolates_its_observations_and_is_causal(wheel, learned):
    ts = torch.linspace(0, 1.9, 77, dtype=torch.float64)
    before, later = ts < wheel.ts[35], ts >= wheel.ts[35]
    updated = learned.observe(wheel.ts[35:36], wheel.ws[35:36])
    assert torch.allclose(updated(ts)[before], learned(ts)[before], atol=1e-5)
    assert (updated(ts)[later] - learned(ts)[later]).abs().max() > 0.1
    assert torch.allclose(updated(wheel.ts[:32]), wheel.ws[:32], atol=1e-5) and torch.equal(
        updated([-1.0]), updated([0.0])
    )
    alone = torch.cat([updated([t]) for t in (1.6, 0.33)])
    assert torch.allclose(alone, updated([0.33, 1.6]).flip(0), atol=1e-5)
    with pytest.raises(UserError, match="must come in order"):
        updated.observe(wheel.ts[33:34], wheel.ws[33:34])
    with pytest.raises(UserError, match="at least 6"):
        online_cde.fit(wheel.head(5))


def test_a_path_that_learned_the_wheel_forecasts_better_than_linear_and_hold(wheel, learned):
    forecasts = online_updates.forecast(wheel, learned, 3, ["hold", "linear"])
    assert forecasts.arrivals.tolist() == [34, 37, 40, 43] and forecasts.frames[0].tolist() == [35, 36]
    rows = {
        (r.method, r.variant): r.value
        for r in forecasts.rows("latent_mse", forecasts.flattened(), wheel.ws, clip="wheel")
    }
    assert learned.log["kept"] > 0 and rows["cde", "after"] < rows["cde", "before"]
    assert rows["cde", "after"] < 0.5 * min(rows["hold", "after"], rows["linear", "after"])
    assert set(forecasts.seconds) == {"cde", "hold", "linear"}
    with pytest.raises(UserError, match="leaves none"):
        online_updates.forecast(wheel, learned, 1, [])


def test_bands_have_their_nominal_coverage():
    rng = torch.Generator().manual_seed(0)
    true, samples = torch.randn(2000, 2, generator=rng), torch.randn(400, 2000, 2, generator=rng)
    for fan in (
        PredictionBand.of_samples(samples),
        PredictionBand.of_normal(torch.zeros(2000, 2), torch.ones(2000, 1)),
    ):
        assert fan.coverage(true, 0.5).tolist() == pytest.approx([0.5, 0.5], abs=0.04)
        assert fan.coverage(true, 0.9).tolist() == pytest.approx([0.9, 0.9], abs=0.03)
        assert fan.std.mean() == pytest.approx(1, abs=0.02)
    narrow = PredictionBand.of_normal(torch.zeros(2000, 2), 0.1 * torch.ones(2000, 2))
    assert narrow.coverage(true, 0.9).max() < 0.2
