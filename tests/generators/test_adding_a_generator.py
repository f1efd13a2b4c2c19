"""A generator is one file, as CONTRIBUTING.md describes it: it is loaded, rendered, fitted and edited by its name."""

import pytest
import torch
from plugins import example

import dynode
from dynode import cli, generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.generators import ARCHITECTURES, SOURCES, Architecture, WeightsGenerator, weights
from dynode.generators.dcgan import DCGANSettings
from dynode.io import video
from dynode.training import train_gan
from dynode.worlds import world


@pytest.fixture
def clip(plugin) -> Clip:
    """A clip of the example's generator: both colours change."""
    plugin(SOURCES, example("dynode/generators/gradients.py"))
    t = torch.linspace(0, 1, 9)
    ws = torch.stack([torch.stack([t, 1 - t, t - 1], 1), torch.stack([-t, t * t, 0 * t], 1)], 1)
    meta = {"name": "gradients", "generator": "gradients", "generator_hash": generators.hash_of("gradients")}
    return Clip(ws, t / 2, meta=meta).sampled("regular", 2)


def test_a_new_generator_renders_its_codes(clip):
    generator = generators.load("gradients")
    images = generators.render(generator, clip.ws, 16)
    assert images.shape == (9, 3, 16, 16)
    assert torch.allclose(images[:, :, 0, 0], clip.ws[:, 0].tanh()) and torch.allclose(
        images[:, :, -1, 5], clip.ws[:, 1].tanh()
    )
    assert generators.category_of("gradients") == "gradients" and generators.resolution_of("gradients") == 64
    assert len(generator.hash) == 12 and generators.load("gradients@w").num_ws == 1


def test_clips_of_a_new_generator_are_fitted_rendered_and_evaluated(clip, tmp_path):
    path = dynode.fit(clip, "cubic")
    dynode.render(path, tmp_path / "out.mp4", fps=10, device="cpu")
    frames, ts = video.read(tmp_path / "out.mp4")
    assert frames.shape[1:] == (64, 64, 3) and len(ts) == 6
    rows = dynode.evaluate(path, clip, device="cpu").rows
    assert {"mse", "lpips_alex"} <= {row.metric for row in rows} and "identity" not in {row.metric for row in rows}


def test_the_commands_know_a_new_generator(clip, tmp_path):
    clip.save(tmp_path / "clip.safetensors")
    quick = ["-p", "training.segment_iterations=3", "-p", "training.iterations=1", "--device", "cpu"]
    fit = ["fit", str(tmp_path / "clip.safetensors"), "-o", str(tmp_path / "fit.safetensors")]
    assert cli.main([*fit, *quick]) == 0
    assert (
        cli.main(["render", str(tmp_path / "fit.safetensors"), "-o", str(tmp_path / "c.mp4"), "--device", "cpu"]) == 0
    )
    assert (tmp_path / "c.mp4").is_file()


def test_codes_of_other_weights_are_refused(clip):
    with pytest.raises(UserError, match="belongs to weights 0123 of gradients"):
        generators.require_same("gradients", "0123", "The clip")


class Plain(WeightsGenerator):
    """One colour for all pixels."""

    def __init__(self, settings: DCGANSettings):
        super().__init__()
        self.settings, self.name, self.hash = settings, "plain", ""
        self.z_dim = self.w_dim = settings.z_dim
        self.num_ws, self.img_channels, self.resolution = 1, 3, settings.resolution
        self.colour = torch.nn.Linear(settings.z_dim, 3)
        self.register_buffer("w_avg", torch.zeros(settings.z_dim))
        self.register_buffer("w_std", torch.ones(settings.z_dim))

    def mapping(self, z, truncation_psi=1.0):
        return (truncation_psi * z)[:, None]

    def synthesis(self, ws, resolution=None):
        size = resolution or self.resolution
        return self.colour(ws[:, 0])[:, :, None, None].expand(-1, -1, size, size)


class PlainSettings(DCGANSettings):
    """Its own type of settings, by which an architecture is known."""


def test_a_new_architecture_has_files_and_settings_for_training(monkeypatch, tmp_path):
    monkeypatch.setitem(
        ARCHITECTURES.load(), "plain", Architecture("test-plain-1", Plain, PlainSettings(resolution=16))
    )
    settings = train_gan.settings_for(world("scene"), {"distil": 80}, "plain")
    assert isinstance(settings.generator, PlainSettings) and (settings.generator.z_dim, settings.coarse) == (9, 0.0)
    generator = weights.build(settings.generator)
    weights.save(generator, tmp_path / "plain.safetensors", {"world": "scene"})
    loaded = generators.load(str(tmp_path / "plain.safetensors"))
    z = torch.randn(2, 9)
    assert isinstance(loaded, Plain) and torch.allclose(loaded(z), generator(z), atol=1e-2)
