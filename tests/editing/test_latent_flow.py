"""Networks that read factors, and latent flows."""

import dataclasses

import pytest
import torch
from conftest import tiny_weights

from dynode import cli, generators
from dynode.clips import Clip
from dynode.editing import editors, flow_episode, ganspace, latent_flow, random_samples
from dynode.editing.latent_flow import FlowSettings, LatentFlow
from dynode.editing.random_samples import SampleSettings
from dynode.errors import UserError
from dynode.generators.stylegan2 import StyleGAN2
from dynode.inversion import frame_sources
from dynode.perception import factor_reader as reading
from dynode.perception.factor_reader import FactorNet, FactorSettings, class_count, classes
from dynode.training import train_factors, train_flow
from dynode.training.rendered_pictures import pictures
from dynode.training.train_factors import FactorTrainingSettings
from dynode.training.train_flow import FlowTrainingSettings
from dynode.worlds import WORLDS, factors


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_weights(tmp_path_factory.mktemp("weights"), "scene")


@pytest.fixture
def kept(monkeypatch, tmp_path_factory):
    """Pictures go into a folder of the tests."""
    folder = tmp_path_factory.getbasetemp() / "pictures"
    monkeypatch.setattr(train_factors, "pictures", lambda *a, **k: pictures(*a, **(k | {"folder": folder})))


def test_classes_share_a_range_or_sit_on_a_grid():
    result = WORLDS["isaac3d"].factors
    ends = torch.tensor([[f.low for f in result], [f.high for f in result]])
    assert classes(result, ends).tolist() == [[0] * len(result), [class_count(f) - 1 for f in result]]
    assert [class_count(f) for f in result] == [3, 8, 5, 4, 4, 4, 6, 4, 4]
    every = factors.on_grid(result, torch.arange(0, 737_280, 7919))
    assert torch.equal(factors.on_grid(result, grid_index(result, classes(result, every))), every)
    scene = WORLDS["scene"].factors
    assert class_count(scene[0]) == 8 and classes(scene, WORLDS["scene"].sample(50)).amax(0).tolist() == [7, *[3] * 7]


def grid_index(result, digits):
    index = torch.zeros(len(digits), dtype=torch.long)
    for k, factor in enumerate(result):
        index = index * factor.count + digits[:, k]
    return index


def test_a_network_learns_to_read_factors(kept, tmp_path):
    settings = FactorTrainingSettings(FactorSettings("scene", 16, channels=16, hidden=32), steps=150)
    card = train_factors.train_factor_reader(settings, tmp_path / "f.safetensors", distinct=512)
    assert card["accuracy"]["hour"] > 0.3 and set(card["accuracy"]) == {f.name for f in WORLDS["scene"].factors}
    network = reading.load(tmp_path / "f.safetensors")
    assert network(torch.zeros(2, 3, 32, 32))["fog"].shape == (2, 4)
    with pytest.raises(UserError, match="reads the factors of 'scenes'"):
        reading.shipped("scenes")


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_flow_has_unit_speed_and_comes_back(depth):
    torch.manual_seed(0)
    flow, ws = LatentFlow(FlowSettings("fog", depth=depth), 12).requires_grad_(False), torch.randn(3, 5, 12)
    assert torch.allclose(flow.field(ws).norm(dim=-1), torch.ones(3, 5), atol=1e-4)
    there = flow.edit(ws, 2.0)
    assert torch.allclose(flow.edit(there, -2.0), ws, atol=1e-3)
    assert torch.equal(flow.edit(ws, 2.0, rows=2)[:, 2:], ws[:, 2:]) and not torch.equal(there[:, 2:], ws[:, 2:])
    each = flow.flowed(ws[:, 0], torch.tensor([0.0, 1.0, 2.0]))
    assert torch.equal(each[0], ws[0, 0]) and torch.allclose(each[2], there[2, 0], atol=1e-5)


def test_a_constant_flow_begins_with_a_direction_and_goes_straight():
    flow, ws = LatentFlow(FlowSettings("fog", depth=0), 12), torch.randn(2, 5, 12)
    direction = torch.randn(12)
    flow.begin(3 * direction)
    wanted = ws + 2.5 * direction / direction.norm()
    assert torch.allclose(flow.edit(ws, 2.5), wanted, atol=1e-5) and flow.constant.requires_grad


def test_training_a_flow_makes_its_loss_fall(path):
    torch.manual_seed(1)
    generator = generators.load(path)
    network = FactorNet(FactorSettings("scene", 16, channels=8, hidden=16)).eval().requires_grad_(False)
    settings = FlowTrainingSettings(flow=FlowSettings("fog", target=3), batch=8, lr=0.05, keep=0.1)
    flow, w = LatentFlow(settings.flow, 12), generator.mapping(torch.randn(32, 9))[:, 0]
    optimiser, length, losses = torch.optim.Adam(flow.parameters(), lr=0.05), torch.full((32,), 4.0), []
    for _ in range(30):
        loss = train_flow.flow_loss(flow, w, length, generator, network, settings)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_flow_is_trained_from_the_command_line(path, kept, tmp_path, capsys):
    arguments = ["train", "factors", "scene", "-o", str(tmp_path / "f.safetensors"), "--pictures", "256"]
    for change in ("steps=3", "network.resolution=16", "network.channels=8"):
        arguments += ["-p", change]
    assert cli.main(arguments) == 0 and "hour:" in capsys.readouterr().out
    arguments = ["train", "flow", path, "clouds", "-o", str(tmp_path / "clouds.safetensors"), "--device", "cpu"]
    arguments += ["--factors", str(tmp_path / "f.safetensors"), "-p", "steps=2", "-p", "codes=128", "-p", "batch=1"]
    network, generator = reading.load(tmp_path / "f.safetensors"), generators.load(path)
    common = network(generator(torch.randn(64, 9)))["clouds"].argmax(1).mode().values
    assert cli.main([*arguments, "-p", f"flow.source={int(common)}"]) == 0
    assert "others_kept" in capsys.readouterr().out
    flow = latent_flow.load(tmp_path / "clouds.safetensors", generator)
    assert flow.settings.target == 3 and flow.name == "clouds"
    stranger = StyleGAN2(generator.settings)
    stranger.hash = "another"
    with pytest.raises(UserError, match="is made for codes of"):
        latent_flow.load(tmp_path / "clouds.safetensors", stranger)
    with pytest.raises(UserError, match="There is no flow 'scene.fogg'"):
        latent_flow.load("scene.fogg", generator)
    assert cli.main([*arguments, "-p", "flow.target=9"]) == 2
    assert "classes 0 to 3" in capsys.readouterr().err
    assert cli.main(["train", "flow", path, "cloud", *arguments[4:]]) == 2
    assert "did you mean 'clouds'" in capsys.readouterr().err


def test_settings_of_a_flow_are_named():
    assert dataclasses.asdict(FlowSettings()) == {"factor": "", "source": 0, "target": -1, "depth": 1, "step": 0.25}


def test_an_episode_is_made_by_flows_and_says_so(path, tmp_path, capsys):
    generator = generators.load(path)
    files = []
    for name in ("hour", "fog"):
        flow = LatentFlow(FlowSettings(name), generator.w_dim)
        files.append(str(tmp_path / f"{name}.safetensors"))
        latent_flow.save(flow, files[-1], generator, {})
    out = tmp_path / "made.safetensors"
    base = ["world", "flow", path, *files, "--seconds", "0.5", "--fps", "10", "--longest", "2", "--device", "cpu"]
    assert cli.main([*base, "-o", str(out)]) == 0 and "synthetic" in capsys.readouterr().out
    clip = Clip.load(out)
    assert len(clip) == 5 and clip.meta["source"] == "synthetic-flow" and set(clip.meta["flows"]) == {"hour", "fog"}
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(clip.ws[0], generator.mapping(z)[0], rtol=1e-3, atol=1e-5)  # half precision
    steps = (clip.ws[1:] - clip.ws[:-1]).flatten(1).norm(dim=1)
    assert (steps > 0).all() and frame_sources.reference_images(clip) == {}
    assert torch.allclose(flow_episode.lengths(0, torch.tensor([0.0, 1.0]), 2.0), torch.tensor([0.0, 2.0]))
    assert torch.allclose(flow_episode.lengths(1, torch.tensor([0.5, 1.0]), 2.0), torch.tensor([2.0, 0.0]), atol=1e-5)
    assert cli.main([*(word if word != "0.5" else "0.1" for word in base), "-o", str(out)]) == 2
    assert "two frames" in capsys.readouterr().err


def test_an_editor_is_found_by_its_method_and_attribute(path):
    generator = generators.load(path)
    first, other = editors.load("ganspace:2", generator), ganspace.principal_component(generator, 2)
    assert first.name == "ganspace component 2" and torch.equal(first.direction, other.direction)
    ws = torch.zeros(2, generator.num_ws, generator.w_dim)
    assert torch.allclose(first.edit(ws, torch.tensor([1.0, -2.0]))[1], -2 * first.edit(ws, 1.0)[0])
    for wrong, message in {
        "ganspace:13": "components 1 to 12",
        "ganspace:one": "components 1 to 12",
        "flow:fogg": "There is no flow 'fogg', did you mean 'fog'",
        "flows:fog": "There is no method of editing 'flows', did you mean 'flow'",
        "fog": "METHOD:ATTRIBUTE",
    }.items():
        with pytest.raises(UserError, match=message):
            editors.load(wrong, generator)


def test_samples_are_the_same_for_any_count_and_read_where_they_were_drawn(path, monkeypatch, tmp_path):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    generator = generators.load(path)
    few, more = SampleSettings(count=10), SampleSettings(count=60)
    assert torch.equal(random_samples.codes(generator, few), random_samples.codes(generator, more)[:10])
    drawn = torch.cat(list(random_samples.pictures(generator, more)))
    monkeypatch.setattr(generators, "render", None)  # nothing is rendered twice
    again = torch.cat(list(random_samples.pictures(generator, few)))
    assert torch.equal(drawn[:10], again) and len(drawn) == 60
    shown = generator.synthesis(random_samples.all_rows(random_samples.codes(generator, few), generator), 16).clamp(
        -1, 1
    )
    assert (again - shown).abs().max() <= 1 / 127.5
