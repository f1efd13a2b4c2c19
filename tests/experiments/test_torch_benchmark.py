"""`dynode bench` beside what torch brings itself: both implementations agree, and every comparison has its rows."""

import pytest
import torch

from dynode import cli
from dynode.dynamics.presets import preset
from dynode.evaluation import records
from dynode.experiments import torch_benchmark
from dynode.experiments.torch_benchmark import Solve, convolved, input_of, stylegan2, weights_modulated
from dynode.generators.stylegan2 import StyleGAN2Settings
from dynode.settings import changed

TINY = StyleGAN2Settings(resolution=16, z_dim=8, w_dim=16, depth=2, channel_base=128, channel_max=8)


@pytest.fixture
def small(monkeypatch):
    """Comparisons in small, with a compiler that needs no C++."""
    tiny = changed(preset("robust"), {"field.hidden": 8})
    monkeypatch.setattr(torch_benchmark, "SOLVES", {"10": (tiny, torch_benchmark.WORLD, 4)})
    monkeypatch.setattr(torch_benchmark, "BACKEND", "eager")
    for name, value in {"FITS": 2, "STEPS": 2, "PUBLISHED": TINY}.items():
        monkeypatch.setattr(torch_benchmark, name, value)


@pytest.mark.parametrize("name", ["paper", "robust"])  # with a backward pass by hand, and by autograd
def test_both_solvers_have_the_same_states_and_gradients(name):
    solve = Solve(changed(preset(name), {"field.hidden": 8, "field.activation": "tanh"}), torch_benchmark.WORLD, 4)
    solve.field, solve.u0, solve.taus = solve.field.double(), solve.u0.double(), solve.taus.double()
    (states, gradients), (same, expected) = solve.ours(), solve.theirs(solve.field)
    assert states.shape == (4, *solve.u0.shape) and states.std(0).mean() > 1e-3
    assert torch.allclose(states, same, atol=1e-10)
    for one, other in zip(gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))


def test_an_ensemble_trains_as_stacked_fields_do():
    own, others = (torch_benchmark.trainers(2) for _ in range(2))
    torch_benchmark.use_ensemble(others)
    assert sum(weight.numel() for weight in others.fields.parameters()) == sum(
        w.numel() for w in own.fields.parameters()
    )
    before = torch_benchmark.advance(own, 0)
    states, same = (torch_benchmark.advance(fits, 3) for fits in (own, others))
    assert torch.allclose(states, same, atol=1e-5) and not torch.allclose(states, before, atol=1e-5)


def test_modulated_weights_make_the_same_image():
    generator = stylegan2(TINY)
    ws = generator.mapping(torch.randn(1, 8)) + 0.1 * torch.randn(1, generator.num_ws, 16)
    expected = generator.synthesis(ws)
    with weights_modulated(generator):
        assert torch.allclose(generator.synthesis(ws), expected, atol=1e-4)
    assert torch.equal(generator.synthesis(ws), expected) and expected.std() > 0.1


def test_the_floor_has_the_convolutions_of_the_generator():
    for each in stylegan2(TINY).modulated:
        x = convolved(each.conv, input_of(each), each.conv.weight)
        assert x.shape[2] == each.resolution + each.conv.up  # a filter takes the last pixel
    assert torch_benchmark.seconds_of_convolutions(stylegan2(TINY), 0) > 0


def test_every_comparison_is_recorded(small, tmp_path, capsys):
    names = ["solve10", "compiled10", "vmap", "stylegan2"]
    assert cli.main(["bench", *names, "--repeats", "1", "-o", str(tmp_path / "b.json")]) == 0
    assert "torchdiffeq, compiled field" in capsys.readouterr().out
    rows, _ = records.read(tmp_path / "b.json")
    assert len({row.variant for row in rows}) == 4
    assert all(row.value < 1e-3 for row in rows if row.metric == "difference")
    assert all(row.value > 0 for row in rows if row.metric in ("seconds", "ratio"))
    assert len({row.method for row in rows if row.variant.startswith("StyleGAN2")}) == 3  # one of them the floor


def test_a_compiler_that_fails_is_one_sentence(small, monkeypatch, tmp_path, capsys):
    def broken(*_, **__):
        raise RuntimeError("No working C++ compiler.\nmore")

    monkeypatch.setattr(Solve, "theirs", broken)
    assert cli.main(["bench", "compiled10", "-o", str(tmp_path / "b.json")]) == 2
    assert "torch.compile failed (No working C++ compiler): install a C++ compiler" in capsys.readouterr().err
