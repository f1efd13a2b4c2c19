"""State spaces, fields and the fitted neural ODE."""

import pytest
import torch
from conftest import circle_codes

from dynode import methods, training
from dynode.dynamics import neural_ode
from dynode.dynamics.fields import LAYOUTS, TIME_FEATURES, FieldSettings, MLPField
from dynode.dynamics.presets import PRESETS, latent_only, preset
from dynode.dynamics.spaces import SPACES, fit_space
from dynode.errors import UserError
from dynode.settings import changed, from_json, to_json

QUICK = {"training.segment_iterations": 300, "training.iterations": 60, "field.hidden": 32}


@pytest.mark.parametrize("name", SPACES)
def test_every_space_returns_the_observed_codes(name, circle):
    space = fit_space(name, circle.ws)
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


def test_a_fit_meets_what_it_saw_and_beats_chords_on_a_circle(circle):
    shown = circle.sampled("regular", 5)
    fit = training.fit(shown, changed(preset("dynode"), QUICK))
    linear = methods.fit("linear", shown)
    error = {
        name: (path(circle.ts) - circle.ws).square().mean((1, 2)) for name, path in (("ode", fit), ("linear", linear))
    }
    variance = circle.ws.var(0).mean()
    assert fit.log["observed_error"] < 1e-3
    assert error["ode"][shown.observed].mean() < 1e-3 * variance
    assert torch.equal(fit(circle.ts[:1])[0], fit.space.decode(fit.u0))
    assert error["ode"][~shown.observed].mean() < error["linear"][~shown.observed].mean()


def test_a_fit_answers_any_times_in_any_order_and_its_derivative_is_one(circle):
    fit = training.fit(circle, changed(preset("dynode"), QUICK))
    ts = torch.tensor([0.31, -0.02, 0.0, 0.55, 0.11], dtype=torch.float64)
    codes = fit(ts)
    assert torch.allclose(fit(ts.flip(0)).flip(0), codes, atol=1e-3)
    assert fit.nfe > 0
    middle, h = torch.tensor([0.2], dtype=torch.float64), 1e-3
    numeric = (fit(middle + h) - fit(middle - h)) / (2 * h)
    assert torch.allclose(fit.derivative(middle), numeric, rtol=0.05, atol=0.05 * float(numeric.abs().max()))


def test_equal_seeds_give_equal_fits_and_other_seeds_others(circle):
    quick = changed(preset("dynode"), QUICK | {"training.segment_iterations": 20, "training.iterations": 5})
    a, b, c = (training.fit(circle, quick, seed)(circle.ts) for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_learns_and_survives_its_file(name, circle, tmp_path):
    short = {
        "solver.rtol": 1e-3,
        "training.iterations": 30,
        "training.segment_iterations": 0,
        "training.check_every": 10,
        "field.hidden": 32,
    }
    settings = changed(latent_only(preset(name)), short if name != "paper" else short | {"training.lr": 1e-3})
    fit = training.fit(circle.sampled("irregular", 3), settings)
    falls = fit.log["looks"][-1] < fit.log["looks"][0] or fit.log["observed_error"] < 1
    assert falls or name == "demo"  # whose constant speed cannot follow a slow circle
    back = neural_ode.load(neural_ode.save(fit, tmp_path / "fit.safetensors"))
    assert torch.equal(back(circle.ts), fit(circle.ts))
    assert back.settings == settings and back.meta == fit.meta


@pytest.mark.parametrize("segments", [0, 4])
def test_the_adjoint_trains_like_the_direct_gradient(segments, circle):
    precise = {"solver.rtol": 1e-6, "solver.atol": 1e-7, "training.iterations": 4 - segments}
    precise |= {"training.segment_iterations": segments, "field.hidden": 16}
    direct, adjoint = (
        training.fit(circle, changed(preset("dynode"), precise | {"solver.adjoint": flag}))(circle.ts)
        for flag in (False, True)
    )
    assert torch.allclose(direct, adjoint, atol=1e-3)
    assert not torch.allclose(direct, direct[:1].expand_as(direct), atol=1e-3)


def test_labels_say_when_a_preset_is_shortened_changed_or_run_in_part():
    assert preset("dynode").label == "dynode"
    assert preset("paper").label == "paper" and latent_only(preset("paper")).label == "paper[latent]"
    assert changed(preset("demo"), {"training.iterations": 1000}).label == "demo[1000/20000]"
    assert changed(latent_only(preset("paper")), {"training.iterations": 9}).label == "paper[latent,9/5000]"
    assert changed(preset("robust"), {"training.iterations": 100}).label == "robust[4100/5000]"
    assert changed(preset("robust"), {"field.depth": 1}).label == "robust[depth 1]"
    assert changed(preset("robust"), {"field.hidden": 8}).label == "robust[changed]"


def test_settings_survive_json_and_refuse_what_they_do_not_know():
    settings = changed(preset("robust"), {"field.depth": 7, "training.betas": [0.0, 0.99]})
    assert from_json(type(settings), to_json(settings)) == settings
    with pytest.raises(UserError, match="did you mean 'depth'"):
        changed(preset("robust"), {"field.dept": 7})
    with pytest.raises(UserError, match="wants a int"):
        changed(preset("robust"), {"field.depth": "deep"})


def test_rivals_pass_through_what_they_saw(circle):
    shown = circle.sampled("regular", 4)
    seen = shown.observations()
    for name in ("hold", "linear"):
        assert torch.allclose(methods.fit(name, shown)(seen.ts), seen.ws, atol=1e-5)
    halfway = (seen.ts[:1] + seen.ts[1:2]) / 2
    assert torch.allclose(methods.fit("linear", shown)(halfway)[0], seen.ws[:2].mean(0), atol=1e-6)
    assert torch.equal(methods.fit("hold", shown)(halfway)[0], seen.ws[0])
    slope = (seen.ws[1] - seen.ws[0]) / (seen.ts[1] - seen.ts[0])
    assert torch.allclose(methods.fit("linear", shown).derivative(halfway)[0], slope.float(), rtol=1e-4, atol=1e-4)


def test_a_clip_that_stands_still_is_fitted_as_standing_still(circle):
    still = type(circle)(circle_codes(torch.zeros(6)), torch.arange(6) / 30)
    fit = training.fit(still, changed(preset("dynode"), QUICK))
    assert torch.allclose(fit(still.ts), still.ws, atol=1e-5)


def test_an_unknown_method_names_the_nearest(circle):
    with pytest.raises(UserError, match="did you mean 'linear'"):
        methods.fit("liner", circle)
