"""The encoder: passes, training that lowers the error, resuming, files, the wrong generator."""

import dataclasses

import pytest
import torch
from conftest import tiny_weights

from dynode import cli, generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation import reconstruction
from dynode.generators.stylegan2 import StyleGAN2
from dynode.inversion import encoder_files as encoders
from dynode.inversion.encoder import Encoder, EncoderSettings
from dynode.training import train_encoder
from dynode.training.rendered_pictures import pictures
from dynode.training.train_encoder import EncoderTrainer, EncoderTrainingSettings
from dynode.worlds import WORLDS

SHAPE = EncoderSettings(channel_base=256, channel_max=16, hidden=16, passes=2)
SETTINGS = EncoderTrainingSettings(encoder=SHAPE, batch=4, pictures=160, lpips=0.0, own=0.5)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_weights(tmp_path_factory.mktemp("weights"), "scene")


@pytest.fixture(scope="module")
def generator(path):
    return generators.load(path)


@pytest.fixture(scope="module")
def training_images(tmp_path_factory):
    return pictures(WORLDS["scene"], 1, 16, folder=tmp_path_factory.mktemp("pictures"))[1]


@pytest.mark.parametrize("gradient", [True, False])
def test_training_lowers_the_error(generator, training_images, gradient):
    shape = dataclasses.replace(SHAPE, gradient=gradient)
    training = EncoderTrainer(
        dataclasses.replace(SETTINGS, encoder=shape, pictures=600), generator, training_images, None
    )
    images = generator(torch.randn(16, 9)).clamp(-1, 1)
    before = (generator.synthesis(training.encoder(images)) - images).square().mean()
    encoder = training.run()
    codes = encoder(images)
    assert codes.shape == (16, generator.num_ws, generator.w_dim)
    assert (generator.synthesis(codes) - images).square().mean() < 0.8 * before
    assert not torch.equal(codes, encoder(images, passes=1))


def test_a_training_that_was_stopped_goes_on_exactly(generator, training_images, tmp_path):
    whole = EncoderTrainer(SETTINGS, generator, training_images, None)
    whole.run()
    first = EncoderTrainer(SETTINGS, generator, training_images, None)
    while first.shown < 80:
        first.train_batch()
        first.shown += SETTINGS.batch
    first.save(tmp_path / "c")
    second = EncoderTrainer(SETTINGS, generator, training_images, None)
    second.resume(tmp_path / "c")
    second.run()
    for a, b in zip(whole.encoder.parameters(), second.encoder.parameters(), strict=True):
        assert torch.equal(a, b)
    other = EncoderTrainer(dataclasses.replace(SETTINGS, lr=0.1), generator, training_images, None)
    with pytest.raises(UserError, match="another training"):
        other.resume(tmp_path / "c")


def test_a_saved_encoder_belongs_to_its_generator(generator, tmp_path):
    encoder = Encoder(SHAPE, generator).eval()
    encoders.save(encoder, tmp_path / "e.safetensors", "tiny", {"hours": 1})
    loaded, images = encoders.load(tmp_path / "e.safetensors", generator), torch.rand(2, 3, 16, 16)
    assert torch.allclose(loaded(images), encoder(images), atol=1e-2)
    assert encoders.card(tmp_path / "e.safetensors") == {"hours": 1}
    stranger = StyleGAN2(generator.settings)
    stranger.hash = "another"
    with pytest.raises(UserError, match="the ones loaded are another"):
        encoders.load(tmp_path / "e.safetensors", stranger)
    with pytest.raises(UserError, match="No encoder comes with the package"):
        encoders.shipped_for(stranger)


def test_an_encoder_is_trained_from_the_command_line(path, tmp_path, monkeypatch, capsys):
    kept = train_encoder.pictures
    monkeypatch.setattr(train_encoder, "pictures", lambda *a, **k: kept(*a, **(k | {"folder": tmp_path})))
    arguments = ["train", "encoder", path, "-o", str(tmp_path / "e.safetensors")]
    arguments += ["--pictures", "256", "--device", "cpu"]
    for change in ("pictures=8", "lpips=0", "batch=4", "encoder.channel_max=8", "encoder.passes=2"):
        arguments += ["-p", change]
    assert cli.main(arguments) == 0
    output = capsys.readouterr().out
    assert "8 pictures shown" in output and "mse_after_2" in output
    encoders.load(tmp_path / "e.safetensors", generators.load(path))


def test_an_encoder_of_faces_in_w_is_not_trained(tmp_path, capsys):
    assert cli.main(["train", "encoder", "mobilestylegan-ffhq@w", "-o", str(tmp_path / "e.safetensors")]) == 2
    assert "shows no world" in capsys.readouterr().err


def test_an_inversion_is_told_in_units_of_another():
    def clip(mse, seconds):
        meta = {"mse": [mse] * 3, "provenance": {"seconds_last_run": seconds}}
        return Clip(torch.zeros(3, 2, 4), torch.arange(3), meta=meta)

    assert reconstruction.against(clip(3e-3, 10), clip(2e-3, 100)) == {
        "mse_ratio": pytest.approx(1.5),
        "seconds_ratio": 0.1,
    }


def test_a_pass_takes_the_length_whose_image_errs_least(generator):
    encoder = Encoder(SHAPE, generator).eval()
    torch.nn.init.normal_(encoder.residual.bias)  # changes that are too long somewhere
    images, start = torch.rand(6, 3, 16, 16) * 2 - 1, encoder.start(6)
    whole = encoder.refined(images, start, *encoder.image_and_gradient(images, start)).detach()

    def error(ws):
        return (generator.synthesis(ws) - images).square().mean((1, 2, 3))

    taken = encoder(images, passes=1)
    assert (error(taken) <= error(whole)).all() and (error(taken) < error(whole)).any()
