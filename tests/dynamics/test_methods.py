"""`fit(clip, method)`: every method by name or settings, and what every trajectory can do."""

import sys
import types
from dataclasses import replace

import pytest
import torch
from conftest import circle_codes

from dynode import clips
from dynode.clips import Clip
from dynode.dynamics import fit_files, methods, retiming
from dynode.dynamics.fitting import store
from dynode.dynamics.presets import preset
from dynode.dynamics.registry import METHODS
from dynode.errors import UserError
from dynode.settings import changed

QUICK = {"training.segment_iterations": 3, "training.iterations": 0}
SHORT = {name: changed(preset(name), QUICK) for name in ("subspace", "trend+mlp", "calm")}
SHORT["exact"] = changed(preset("exact"), {"training.newton_steps": 2})
SHORT |= {
    name: changed(methods.settings_of(name), {"iterations": 2, "hidden": 4}) for name in ("gru", "ode_rnn", "cde")
}
SHORT["auto"] = changed(methods.settings_of("auto"), {"candidates": "linear,cubic", "left_out": 2})
EVERY = [*methods.unlearned_names(), *SHORT]


@pytest.fixture(scope="module")
def sparse():
    ts = torch.linspace(0, 0.5, 16, dtype=torch.float64)
    return Clip(circle_codes(ts), ts, meta={"name": "circle"}).sampled("regular", 3)


@pytest.mark.parametrize("name", EVERY)
def test_every_method_is_sped_up_reversed_chunked_and_stored(name, sparse, tmp_path):
    path = methods.fit(sparse, SHORT.get(name, name))
    ts = torch.linspace(0.01, 0.49, 7, dtype=torch.float64)
    assert path.label.startswith(name) and path.span == (0.0, 0.5) and path(ts).shape == (7, 3, 8)
    assert torch.allclose(torch.cat(list(path.chunks(ts, 3))), path(ts), atol=1e-5)
    assert path.derivative(ts).shape == (7, 3, 8) and {"observed_error", "seconds"} <= set(path.log)
    assert path.meta["clip"]["name"] == "circle" and path.shots == [path]
    faster = retiming.retime(path, speed=2.0, backward=True, loop="swing")
    assert torch.allclose(torch.cat(list(faster.chunks(ts / 4, 3))), faster(ts / 4), atol=1e-4)
    again = fit_files.load(path.save(tmp_path / "one.fit"))
    assert torch.allclose(again(ts), path(ts), atol=1e-6) and again.label == path.label and again.meta == path.meta


def test_a_path_made_of_another_says_what_to_save(sparse):
    with pytest.raises(UserError, match="save the fit it was made of"):
        retiming.reverse(methods.fit(sparse, "linear")).save("nothing.fit")


def test_a_method_is_a_name_or_settings_and_nothing_else(sparse):
    by_settings = methods.fit(sparse, SHORT["trend+mlp"], seed=1)
    assert by_settings.label.startswith("trend+mlp[")
    with pytest.raises(UserError, match="did you mean 'linear'"):
        methods.fit(sparse, "liner")
    with pytest.raises(UserError, match="name such as dynode or linear, or the settings of one, got a dict"):
        methods.fit(sparse, {"field.depth": 4})
    with pytest.raises(TypeError):
        methods.fit(sparse, "gru", preset("trend+mlp"))  # a name and settings that disagree cannot be given


def test_many_fits_are_those_one_after_another(sparse):
    clips = [sparse, sparse]
    for method in (SHORT["trend+mlp"], "cubic", SHORT["gru"]):
        many = methods.fit_many(clips, method, seeds=[0, 1])
        for seed, path in enumerate(many):
            assert torch.allclose(path(sparse.ts), methods.fit(sparse, method, seed=seed)(sparse.ts), atol=1e-4)
    assert len(methods.fit_many(clips)) == 2


def test_the_registry_names_every_preset_and_baseline():
    assert set(methods.unlearned_names()) == {
        "hold", "linear", "damped", "slerp", "cubic", "pchip", "catmull_rom", "gp", "gp_periodic"
    }  # fmt: skip
    assert {"dynode", "auto", "paper", "demo", "gru", "cde", "sde", "prior"} <= set(methods.learned_names())
    assert set(METHODS) == {*methods.unlearned_names(), *methods.learned_names()}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("ts", [0.1, "soon", None, [float("nan")], [[0.1, 0.2]]], ids=str)
def test_times_are_a_row_of_finite_seconds_for_every_method(name, ts, sparse):
    path = methods.fit(sparse, SHORT.get(name, name))
    with pytest.raises(UserError, match="Times are"):
        path(ts)


def test_a_fit_wants_a_clip():
    with pytest.raises(UserError, match="wants a clip.*got 'single_face.warm'"):
        methods.fit("single_face.warm")


def test_a_fit_is_found_again_only_for_the_same_generator_and_plugin(sparse, tmp_path, monkeypatch):
    settings = SHORT["trend+mlp"]
    other = replace(sparse, meta=sparse.meta | {"generator_hash": "other"})
    assert store.key_of(sparse, settings, 0) != store.key_of(other, settings, 0)
    foreign = types.ModuleType("somebody")
    foreign.__file__ = str(tmp_path / "somebody.py")
    monkeypatch.setitem(sys.modules, "somebody", foreign)
    method = replace(METHODS["trend+mlp"], module="somebody")
    keys = set()
    for text in ("a = 1", "a = 2"):
        (tmp_path / "somebody.py").write_text(text)
        keys.add(tuple(store.plugin_hashes(method)))
    assert len(keys) == 2 and not store.plugin_hashes(METHODS["dynode"])


def test_a_prior_is_found_again_only_for_the_same_other_clips(monkeypatch):
    clip, settings = clips.load("scene.day"), methods.settings_of("prior")
    before = store.key_of(clip, settings, 0)
    load = clips.load
    monkeypatch.setattr(clips, "load", lambda name: replace(load(name), ws=load(name).ws + 1))
    assert store.key_of(clip, settings, 0) != before
