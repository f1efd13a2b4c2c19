"""StyleGAN2 as published, its discriminator, and the training of both on a few pictures."""

import dataclasses
import functools

import pytest
import torch
import torch.nn.functional as F

from dynode import cli, generators
from dynode.errors import UserError
from dynode.generators import weights
from dynode.generators.dcgan import DCGAN, DCGANSettings
from dynode.generators.stylegan2 import ModulatedConv, StyleGAN2, StyleGAN2Settings
from dynode.io.images import from_levels
from dynode.io.tensor_files import LOST
from dynode.training import train_gan
from dynode.training.discriminator import Discriminator
from dynode.training.gan_training import GANTrainer, GANTrainingSettings
from dynode.training.rendered_pictures import pictures
from dynode.worlds import WORLDS, factors

TINY = StyleGAN2Settings(resolution=16, z_dim=9, w_dim=12, depth=2, channel_base=128, channel_max=8, normalise_z=False)


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return StyleGAN2(TINY).eval().requires_grad_(False)


def test_rows_and_resolutions(tiny):
    assert tiny.num_ws == 6 and StyleGAN2Settings(resolution=64).resolutions == [4, 8, 16, 32, 64]
    ws = tiny.mapping(torch.randn(3, 9))
    assert ws.shape == (3, 6, 12) and torch.equal(ws[:, 0], ws[:, 5])
    assert tiny.synthesis(ws).shape == (3, 3, 16, 16)
    assert tiny.synthesis(ws, 8).shape[-1] == 8 and tiny.synthesis(ws, 64).shape[-1] == 64


def test_row_i_feeds_convolution_i_and_the_last_row_only_colours(tiny):
    ws = tiny.mapping(torch.randn(1, 9))
    features = []
    hooks = [layer.register_forward_hook(lambda m, i, o: features.append(o)) for layer in tiny.layers]
    tiny.synthesis(ws)
    plain, features[:] = list(features), []
    for row in range(6):
        changed = ws.clone()
        changed[:, row] += 1
        tiny.synthesis(changed)
        same = [torch.equal(a, b) for a, b in zip(plain, features, strict=True)]
        assert same == [k < row for k in range(5)]
        features.clear()
    for hook in hooks:
        hook.remove()


def test_a_modulated_convolution_is_one_weight_for_each_sample():
    torch.manual_seed(1)
    conv, x, w = ModulatedConv(4, 5, 3, 7), torch.randn(2, 4, 6, 6), torch.randn(2, 7)
    for sample, style, out in zip(x, conv.style(w), conv(x, conv.style(w)), strict=True):
        weight = conv.weight * conv.scale * style[None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()  # Eq. 3 of Karras et al. 2020
        assert torch.allclose(out, F.conv2d(sample[None], weight, padding=1)[0], atol=1e-5)


def test_upsampling_keeps_a_flat_picture_flat():
    conv = ModulatedConv(1, 1, 3, 2, demodulate=False, up=True)
    with torch.no_grad():
        conv.style.weight.zero_()
        conv.weight.fill_(1.0)
        out = conv(torch.ones(1, 1, 8, 8), conv.style(torch.zeros(1, 2))) / conv.scale
    assert out.shape[-1] == 16 and torch.allclose(out[..., 3:-3, 3:-3], torch.full((10, 10), 9.0), atol=1e-4)


def test_truncation_noise_and_precision(tiny):
    tiny.measure(500)
    z = torch.randn(4, 9)
    assert torch.allclose(tiny.mapping(z, 0.0), tiny.w_avg.expand(4, 6, -1), atol=1e-6)
    assert torch.equal(tiny(z), tiny(z))  # constant noise
    with torch.autocast("cpu", torch.bfloat16):
        assert (tiny(z) - tiny(z).float()).abs().max() == 0 and tiny(z).dtype == torch.float32


def test_a_generator_that_is_not_trained_on_is_stored_in_8_bits(tmp_path):
    generator, z = StyleGAN2(StyleGAN2Settings(resolution=16, channel_base=512)), torch.randn(2, 64)
    paths = [tmp_path / "half.safetensors", tmp_path / "small.safetensors"]
    for path, small in zip(paths, (False, True), strict=True):
        weights.save(generator, path, {}, small=small)
    half, small = (weights.load(path, "g")(z) for path in paths)
    assert paths[1].stat().st_size < 0.65 * paths[0].stat().st_size
    lost = LOST**2 * len(generator.modulated)  # of the variance, where each convolution adds what its kernel may lose
    assert (small - half).square().mean() < 2 * lost * half.var()


def test_saved_weights_come_back_with_their_hash(tiny, tmp_path):
    tiny.measure(100)
    weights.save(tiny, tmp_path / "g.safetensors", {"world": "scene"})
    loaded = weights.load(tmp_path / "g.safetensors", "tiny")
    z = torch.randn(2, 9)
    assert loaded.settings == TINY and len(loaded.hash) == 12
    assert (loaded(z) - tiny(z)).abs().max() < 2e-2  # float16
    (tmp_path / "g.safetensors").write_bytes(b"not weights")
    with pytest.raises(UserError, match="g.safetensors"):
        weights.load(tmp_path / "g.safetensors", "tiny")


def test_a_resolution_that_is_no_power_of_two_is_refused():
    with pytest.raises(UserError, match="power of two"):
        StyleGAN2Settings(resolution=48)


def test_the_discriminator_judges_images_and_sees_their_spread():
    torch.manual_seed(0)
    judge, images = Discriminator(TINY), torch.randn(8, 3, 16, 16)
    assert judge(images).shape == (8,)
    varied = judge.batch_std(torch.randn(8, 4, 4, 4))
    assert varied.shape == (8, 1, 4, 4) and judge.batch_std(torch.ones(8, 4, 4, 4)).max() < 1e-3 < varied.min()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return pictures(WORLDS["scene"], 1, 16, folder=tmp_path_factory.mktemp("pictures"))


def test_pictures_are_drawn_once_and_belong_to_their_latents(tmp_path):
    z, images = pictures(WORLDS["scene"], 200, 8, folder=tmp_path)
    assert images.shape == (256, 3, 8, 8) and z.shape == (256, 9)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    again = pictures(WORLDS["scene"], 256, 8, folder=tmp_path)
    assert torch.equal(again[1], images) and files == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")}
    wanted = WORLDS["scene"].images(factors.from_normal(WORLDS["scene"].factors, z[:3]), 8)
    assert (from_levels(images[:3]) - wanted).abs().max() < 0.02


SETTINGS = GANTrainingSettings(generator=TINY, batch=8, distil=160, refine=0, play=80, lpips=0.0, r1_every=4)


def test_distillation_comes_nearer_to_the_renderer(drawn):
    training = GANTrainer(dataclasses.replace(SETTINGS, distil=1600, play=0), *drawn, None)
    training.run()
    assert sum(training.losses[-10:]) < 0.6 * sum(training.losses[:10])


def test_a_training_that_was_stopped_goes_on_exactly(drawn, tmp_path):
    whole = GANTrainer(SETTINGS, *drawn, None)
    whole.run()
    first = GANTrainer(SETTINGS, *drawn, None)
    while first.shown < 200:  # within the game
        first.losses.append(float(first.train_batch()))
        first.shown += SETTINGS.batch
        first.after_batch()
    first.save(tmp_path / "c.safetensors")
    second = GANTrainer(SETTINGS, *drawn, None)
    second.resume(tmp_path / "c.safetensors")
    second.run()
    for a, b in zip(whole.average.parameters(), second.average.parameters(), strict=True):
        assert torch.equal(a, b)
    other = GANTrainer(dataclasses.replace(SETTINGS, lr=0.1), *drawn, None)
    with pytest.raises(UserError, match="other settings"):
        other.resume(tmp_path / "c.safetensors")


def test_the_game_moves_both_players(drawn):
    training = GANTrainer(dataclasses.replace(SETTINGS, distil=0, play=64, copying=0.0), *drawn, None)
    before = [p.clone() for p in (*training.generator.parameters(), *training.discriminator.parameters())]
    training.run()
    after = (*training.generator.parameters(), *training.discriminator.parameters())
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(moved) > 0.9 * len(moved)
    assert training.settings.penalty == pytest.approx(0.0002 * 16**2 / 8)


def test_a_training_begins_with_the_weights_of_another(drawn, tmp_path):
    first = GANTrainer(SETTINGS, *drawn, None)
    weights.save(first.generator, tmp_path / "first.safetensors", {})
    other = dataclasses.replace(SETTINGS, seed=1)
    random, begun = (GANTrainer(other, *drawn, None, start=start) for start in (None, tmp_path / "first.safetensors"))
    ours, theirs, fresh = (torch.cat([p.flatten() for p in t.generator.parameters()]) for t in (begun, first, random))
    assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3)  # files are float16
    assert not torch.allclose(fresh, theirs, rtol=1e-1, atol=1e-1)
    assert torch.equal(torch.cat([p.flatten() for p in begun.average.parameters()]), ours)
    wider = dataclasses.replace(SETTINGS, generator=dataclasses.replace(TINY, channel_max=16))
    with pytest.raises(UserError, match="another shape than the generator to be trained: set generator.channel_max=8"):
        GANTrainer(wider, *drawn, None, start=tmp_path / "first.safetensors")
    begun.save(tmp_path / "c.safetensors")
    with pytest.raises(UserError, match="another start"):
        random.resume(tmp_path / "c.safetensors")


def kept_in(folder, *arguments, **choices):
    return pictures(*arguments, folder=folder, **choices)


def test_a_generator_is_trained_and_measured_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_gan, "pictures", functools.partial(kept_in, tmp_path))
    arguments = ["train", "gan", "scene", "-o", str(tmp_path / "g.safetensors")]
    arguments += ["--pictures", "256", "--measured", "128"]
    for change in (
        "distil=64",
        "refine=16",
        "play=16",
        "enlarged=64",
        "generator.resolution=16",
        "generator.channel_max=8",
        "lpips=0",
    ):
        arguments += ["-p", change]
    assert cli.main([*arguments, "--device", "cpu"]) == 0
    output = capsys.readouterr().out
    assert "96 pictures shown" in output and "precision_of_the_world" in output
    generator = weights.load(tmp_path / "g.safetensors", "scene")
    assert generator(torch.randn(1, generator.z_dim)).shape == (1, 3, 16, 16)
    assert not (tmp_path / "g.safetensors.checkpoint").exists()


def test_a_file_of_weights_is_a_generator_like_any_other(tiny, tmp_path):
    path = str(tmp_path / "tiny.safetensors")
    tiny.measure(100)
    weights.save(tiny, path, {"world": "scene"})
    generator = generators.load(path)
    generators.require_same(path, generator.hash, "These codes")
    images = generators.render(generator, generator.mapping(torch.randn(3, 9)), 32)
    assert images.shape == (3, 3, 32, 32) and images.abs().max() <= 1
    with pytest.raises(UserError, match=r"There is no file .*none.safetensors"):
        generators.load(str(tmp_path / "none.safetensors"))


@pytest.mark.parametrize("space", ["w", "z"])
def test_a_generator_narrowed_to_one_row_makes_the_same_images(tiny, tmp_path, space):
    path = str(tmp_path / "tiny.safetensors")
    tiny.measure(100)
    weights.save(tiny, path, {"world": "scene"})
    whole, narrow, z = generators.load(path), generators.load(f"{path}@{space}"), torch.randn(3, 9)
    assert narrow.mapping(z).shape == (3, 1, narrow.w_dim) and narrow.hash == whole.hash
    assert torch.allclose(narrow.synthesis(narrow.mapping(z)), whole(z), atol=1e-6)
    assert torch.allclose(
        narrow.synthesis(narrow.mapping(z, 0.5)).mean(), narrow.synthesis(narrow.mapping(z, 0.5), 8).mean()
    )
    assert generators.category_of(f"{path}@{space}") == "scene"
    with pytest.raises(UserError, match="latent space 'v'"):
        generators.load(f"{path}@v")


def test_a_generator_without_styles_has_one_row(tmp_path):
    generator = DCGAN(DCGANSettings(resolution=16, z_dim=5, channel_max=8)).eval()
    path = str(tmp_path / "small.safetensors")
    weights.save(generator, path, {"world": "bird"})
    loaded, z = generators.load(path), torch.randn(2, 5)
    assert loaded.mapping(z).shape == (2, 1, 5) and loaded.num_ws == 1
    assert torch.allclose(loaded(z), generator(z), atol=2e-2) and loaded(z, 8).shape == (2, 3, 8, 8)
    with pytest.raises(UserError, match="latents already"):
        generators.load(path + "@w")
    with pytest.raises(UserError, match="power of two"):
        DCGANSettings(resolution=24)


def test_half_the_resolution_is_a_picture_of_the_blocks_up_to_it(tiny):
    z = torch.randn(2, 9)
    assert tiny(z, 8).shape == (2, 3, 8, 8)
    with pytest.raises(ValueError, match="no block of 12"):
        tiny(z, 12)


def test_the_style_space_makes_the_same_picture(tiny):
    ws = tiny.mapping(torch.randn(3, 9)) + 0.3 * torch.randn(3, tiny.num_ws, 1)
    s, layers = tiny.to_style(ws), tiny.style_layers()
    assert torch.equal(tiny.synthesis_from_style(s), tiny.synthesis(ws))
    assert s.shape[1] == sum(layer.channels for layer in layers)
    assert [layer.resolution for layer in layers] == [4, 4, 8, 8, 8, 16, 16, 16]
    assert [layer.row for layer in layers] == [0, 1, 1, 2, 3, 3, 4, 5]
    assert [layer.to_rgb for layer in layers] == [False, True, False, False, True, False, False, True]
    changed = s.clone()
    changed[:, 0] += 1
    assert not torch.equal(tiny.synthesis_from_style(changed), tiny.synthesis(ws))
