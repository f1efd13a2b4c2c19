"""State spaces, fields and the fitted neural ODE."""

import pytest
import torch
from conftest import circle_codes

from dynode.dynamics import fit_files, methods
from dynode.dynamics.fields import LAYOUTS, TIME_FEATURES, FieldSettings, MLPField
from dynode.dynamics.fitting import single
from dynode.dynamics.presets import PRESETS, latent_only, preset
from dynode.dynamics.state_spaces import SPACES, fit_space
from dynode.dynamics.trend import Trend
from dynode.errors import UserError
from dynode.settings import changed, from_json, to_json

QUICK = {"training.segment_iterations": 300, "training.iterations": 60, "field.hidden": 32}


@pytest.mark.parametrize("name", SPACES)
def test_every_space_returns_the_observed_codes(name, circle):
    space = fit_space(name, circle.ws, lambda: torch.diag(torch.logspace(-1, 1, 8)).expand(3, -1, -1))
    u = space.encode(circle.ws)
    assert u.shape == (len(circle), *space.state_shape)
    assert torch.allclose(space.decode(u), circle.ws, atol=1e-5)
    step = torch.randn_like(u) * 1e-2
    assert torch.allclose(space.decode(u + step) - space.decode(u), space.decode_velocity(step), atol=1e-5)


def test_the_subspace_of_a_plane_has_two_dimensions(circle):
    assert fit_space("subspace", circle.ws).state_shape == (1, 2)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("time_features", TIME_FEATURES)
def test_fields_take_one_time_or_one_per_state(layout, time_features):
    field = MLPField((3, 8), FieldSettings(hidden=16, layout=layout, time_features=time_features))
    u, ts = torch.randn(5, 3, 8), torch.linspace(0, 1, 5)
    batched = field(ts, u)
    assert batched.shape == u.shape
    assert torch.allclose(batched[2], field(ts[2], u[2]), atol=1e-6)
    assert torch.allclose(field(ts, u), field(ts + 1, u)) == (time_features == "none")


def test_depth_counts_the_repeated_block():
    linear = [m for m in MLPField((1, 8), FieldSettings(depth=4)).net if isinstance(m, torch.nn.Linear)]
    assert len(linear) == 1 + 4


def test_a_zero_start_begins_as_a_constant_path():
    field = MLPField((3, 8), FieldSettings(zero_init=True, hidden=16))
    assert (field(torch.tensor(0.3), torch.randn(3, 8)) == 0).all()


@pytest.mark.parametrize("name", ["subspace", "dynode"])
def test_a_fit_interpolates_and_beats_linear_interpolation_on_a_circle(name, circle):
    sparse = circle.sampled("regular", 5)
    fit = single.fit(sparse, changed(preset(name), QUICK))
    linear = methods.fit(sparse, "linear")
    error = {
        name: (path(circle.ts) - circle.ws).square().mean((1, 2)) for name, path in (("ode", fit), ("linear", linear))
    }
    variance = circle.ws.var(0).mean()
    assert fit.log["observed_error"] < 1e-3
    assert error["ode"][sparse.observed].mean() < 1e-3 * variance
    assert torch.allclose(fit(circle.ts[:1])[0], fit.space.decode(fit.starts)[0], atol=1e-5)
    assert error["ode"][~sparse.observed].mean() < error["linear"][~sparse.observed].mean()


@pytest.mark.parametrize("name", ["subspace", "dynode"])
def test_a_fit_answers_any_times_in_any_order_and_its_derivative_is_one(name, circle):
    fit = single.fit(circle, changed(preset(name), QUICK))
    ts = torch.tensor([0.31, -0.02, 0.0, 0.55, 0.11], dtype=torch.float64)
    codes = fit(ts)
    assert torch.allclose(fit(ts.flip(0)).flip(0), codes, atol=1e-3)
    assert fit.nfe > 0
    middle, h = torch.tensor([0.2], dtype=torch.float64), 1e-3
    numeric = (fit(middle + h) - fit(middle - h)) / (2 * h)
    assert torch.allclose(fit.derivative(middle), numeric, rtol=0.05, atol=0.05 * float(numeric.abs().max()))


def blended(clip, changes):
    """A fit of the recommended preset after a few iterations."""
    return single.fit(clip, changed(preset("trend+mlp"), {"training.segment_iterations": 5} | changes))


def test_a_blended_path_interpolates_however_little_it_has_learned(circle):
    sparse = circle.sampled("irregular", 3)
    codes = blended(sparse, {})(circle.ts)
    assert torch.allclose(codes[sparse.observed], circle.ws[sparse.observed], atol=1e-5)


def test_a_blended_path_of_a_zero_field_is_linear_interpolation(circle):
    sparse = circle.sampled("irregular", 3)
    nothing = blended(sparse, {"field.drift": "none", "training.segment_iterations": 0})
    assert torch.allclose(nothing(circle.ts), methods.fit(sparse, "linear")(circle.ts), atol=1e-5)


def test_a_blended_path_extrapolates(circle):
    first, last = circle.ts[[0, -1]]
    fit, times = blended(circle, {}), torch.stack([first - 0.01, first, last, last + 0.01])
    steps = fit(times).diff(dim=0)[[0, 2]]
    velocity = fit.derivative(times)[[0, 3]]
    assert torch.allclose(steps / 0.01, velocity, rtol=0.2, atol=0.1 * float(velocity.abs().max()))


def test_the_trend_moves_as_a_smooth_path_does(circle):
    taus = ((circle.ts - circle.ts[0]) / (circle.ts[-1] - circle.ts[0])).float()
    trend = Trend(circle.ws.shape[1:], len(circle)).fit(taus, circle.ws)
    numeric = (circle.ws[2:] - circle.ws[:-2]) / (taus[2:] - taus[:-2])[:, None, None]
    assert torch.allclose(trend(taus[1:-1]), numeric, atol=0.1 * float(numeric.abs().max()))


def test_the_velocity_of_a_trend_is_constant_beyond_its_observations(circle):
    taus = torch.linspace(0, 1, len(circle))
    trend = Trend(circle.ws.shape[1:], len(circle)).fit(taus, circle.ws)
    beyond = trend(torch.tensor([-0.5, 0.0, 1.0, 1.5]))
    assert torch.equal(beyond[0], beyond[1]) and torch.equal(beyond[3], beyond[2]) and beyond.abs().max() > 0


def test_the_trend_of_noise_is_slow():
    u = torch.randn(12, 1, 6, generator=torch.Generator().manual_seed(0))
    trend = Trend((1, 6), 12).fit(torch.linspace(0, 1, 12), u)
    slopes = u.diff(dim=0) * 11
    assert trend(torch.linspace(0, 1, 12)).square().mean() < 0.1 * slopes.square().mean()


def test_equal_seeds_give_equal_fits_and_other_seeds_others(circle):
    quick = changed(preset("trend+mlp"), QUICK | {"training.segment_iterations": 20, "training.iterations": 5})
    sparse = circle.sampled("regular", 3)
    a, b, c = (single.fit(sparse, quick, seed)(circle.ts) for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_learns_and_survives_its_file(name, circle, tmp_path, monkeypatch):
    monkeypatch.setattr(
        single, "curvature_of", lambda clip, device: torch.eye(clip.ws.shape[2]).expand(clip.ws.shape[1], -1, -1)
    )
    short = {
        "solver.rtol": 1e-3,
        "training.iterations": 0 if name == "dynode" else 30,
        "training.segment_iterations": 30 if name == "dynode" else 0,
        "training.check_every": 10,
        "field.hidden": 32,
    }
    settings = changed(latent_only(preset(name)), short if name != "paper" else short | {"training.lr": 1e-3})
    fit = single.fit(circle.sampled("irregular", 3), settings)
    falls = fit.log["looks"][-1] < fit.log["looks"][0] or fit.log["observed_error"] < 1
    assert falls or name == "demo"  # whose constant speed cannot follow a slow circle
    back = fit_files.load(fit.save(tmp_path / "fit.safetensors"))
    assert torch.equal(back(circle.ts), fit(circle.ts))
    given = changed(settings, {"field.depth": back.settings.field.depth})
    assert back.settings == given and back.meta == fit.meta and (given == settings) != (name == "paper_scaled")


@pytest.mark.parametrize("segments", [0, 4])
def test_the_adjoint_trains_like_the_direct_gradient(segments, circle):
    precise = {"solver.rtol": 1e-6, "solver.atol": 1e-7, "training.iterations": 4 - segments}
    precise |= {"training.segment_iterations": segments, "field.hidden": 16}
    direct, adjoint = (
        single.fit(circle, changed(preset("subspace"), precise | {"solver.adjoint": flag}))(circle.ts)
        for flag in (False, True)
    )
    assert torch.allclose(direct, adjoint, atol=1e-3)
    assert not torch.allclose(direct, direct[:1].expand_as(direct), atol=1e-3)


def test_labels_say_when_a_preset_is_shortened_changed_or_run_in_part():
    assert preset("dynode").label == "dynode" and preset("dynode[no z]").label == "dynode[no z]"
    assert preset("paper").label == "paper" and latent_only(preset("paper")).label == "paper[latent]"
    assert changed(preset("demo"), {"training.iterations": 1000}).label == "demo[1000/20000]"
    assert changed(latent_only(preset("paper")), {"training.iterations": 9}).label == "paper[latent,9/5000]"
    assert changed(preset("robust"), {"training.iterations": 100}).label == "robust[4100/5000]"
    assert changed(preset("robust"), {"field.depth": 1}).label == "robust[depth 1]"
    assert latent_only(preset("paper_scaled")).label == "paper_scaled[latent]"
    few = changed(latent_only(preset("paper_scaled")), {"training.iterations": 9, "field.depth": 2})
    assert few.label == "paper_scaled[latent,9/5000,depth 2]"
    assert changed(preset("robust"), {"field.hidden": 8}).label == "robust[changed]"


def test_settings_survive_json_and_refuse_what_they_do_not_know():
    settings = changed(preset("robust"), {"field.depth": 7, "training.betas": [0.0, 0.99]})
    assert from_json(type(settings), to_json(settings)) == settings
    with pytest.raises(UserError, match="did you mean 'depth'"):
        changed(preset("robust"), {"field.dept": 7})
    with pytest.raises(UserError, match="wants a whole number"):
        changed(preset("robust"), {"field.depth": "deep"})


def test_baselines_interpolate_the_observed_codes(circle):
    sparse = circle.sampled("regular", 4)
    observed = sparse.observations()
    for name in ("hold", "linear"):
        assert torch.allclose(methods.fit(sparse, name)(observed.ts), observed.ws, atol=1e-5)
    halfway = (observed.ts[:1] + observed.ts[1:2]) / 2
    assert torch.allclose(methods.fit(sparse, "linear")(halfway)[0], observed.ws[:2].mean(0), atol=1e-6)
    assert torch.equal(methods.fit(sparse, "hold")(halfway)[0], observed.ws[0])
    slope = (observed.ws[1] - observed.ws[0]) / (observed.ts[1] - observed.ts[0])
    assert torch.allclose(methods.fit(sparse, "linear").derivative(halfway)[0], slope.float(), rtol=1e-4, atol=1e-4)


def test_a_clip_that_stands_still_is_fitted_as_standing_still(circle):
    still = type(circle)(circle_codes(torch.zeros(6)), torch.arange(6) / 30)
    fit = single.fit(still, changed(preset("trend+mlp"), QUICK))
    assert torch.allclose(fit(still.ts), still.ws, atol=1e-5)


def test_an_unknown_method_names_the_nearest(circle):
    with pytest.raises(UserError, match="did you mean 'linear'"):
        methods.fit(circle, "liner")


def test_the_visible_space_has_every_observed_code_and_visible_distances():
    rng = torch.Generator().manual_seed(0)
    ws = torch.randn(6, 2, 5, generator=rng)
    weights = torch.tensor([100.0, 1.0, 1.0, 1.0, 0.01])  # of changes along each axis
    mixed = torch.linalg.qr(torch.randn(2, 5, 5, generator=rng))[0]
    metric = mixed @ torch.diag(weights) @ mixed.mT
    space = fit_space("visible", ws, lambda: metric)
    u = space.encode(ws)
    assert u.shape == (6, 1, 5) and torch.allclose(space.decode(u), ws, atol=1e-4)
    distances = torch.cdist(u[:, 0], u[:, 0]) * space.sigma
    apart = ws[:, None] - ws
    visible = torch.einsum("abld,lde,able->ab", apart, metric, apart).sqrt()
    assert torch.allclose(distances, visible, rtol=1e-3, atol=1e-3)
    same = fit_space("visible", ws, lambda: torch.eye(5).expand(2, -1, -1)).encode(ws)
    assert torch.allclose(same.abs(), fit_space("subspace", ws).encode(ws).abs(), atol=1e-4)


def test_the_visible_space_needs_the_generator(circle):
    with pytest.raises(UserError, match="belongs to weights none of mobilestylegan-ffhq"):
        single.fit(circle.sampled("regular", 3), preset("visible"))
