"""Training of the encoder of faces: samples, the pool, what is learned, resuming, the file."""

import dataclasses

import pytest
import torch

from dynode.errors import UserError
from dynode.inversion import encoder_files as encoders
from dynode.inversion.face_encoder import FaceEncoderSettings
from dynode.training.face_samples import CodeDraws, Pool
from dynode.training.train_face_encoder import (
    FaceEncoderTrainer,
    FaceEncoderTrainingSettings,
    save_face_encoder,
    settings_for_device,
)

SHAPE = FaceEncoderSettings(widths=(8, 8, 8, 16, 16, 16), reduced=256, hidden=8, draft=8, passes=2)
SETTINGS = FaceEncoderTrainingSettings(encoder=SHAPE, batch=4, judged=1, codes_first=0.0, pool=8, pictures=24)


def trainer(generator, **changes):
    return FaceEncoderTrainer(dataclasses.replace(SETTINGS, **changes), generator=generator)


def test_codes_are_drawn_as_the_settings_say(generator):
    rng = torch.Generator().manual_seed(0)
    plain = CodeDraws(psi=(0.7, 0.7), mixed=0.0, apart=0.0)(generator, 4, rng)
    assert plain.shape == (4, 23, 512) and torch.equal(plain[:, :1].expand(-1, 23, -1), plain)
    mixed = CodeDraws(psi=(0.7, 0.7), mixed=1.0, apart=0.0)(generator, 8, rng)
    kinds = {len(each.unique(dim=0)) for each in mixed}
    assert kinds <= {2, 3} and 3 in kinds, "styles of two or three faces"
    apart = CodeDraws(psi=(0.7, 0.7), mixed=0.0, apart=1.0)(generator, 4, rng)
    assert all(len(each.unique(dim=0)) == 23 for each in apart)


def test_the_pool_keeps_the_newest():
    pool = Pool(3, torch.Generator().manual_seed(0))
    for k in range(5):
        pool.add(torch.full((1, 2, 4), float(k)), torch.full((1, 3, 8, 8), k / 10))
    assert len(pool) == 3 and sorted(pool.ws[:, 0, 0].tolist()) == [2, 3, 4]
    ws, images = pool.draw(16)
    assert torch.allclose(images[:, 0, 0, 0], ws[:, 0, 0] / 10, atol=0.01), "a code keeps its image"


def test_the_draft_and_the_encoder_learn_and_the_average_follows(generator, monkeypatch):
    monkeypatch.setattr("dynode.training.train_face_encoder.FIRST_SAMPLES", 4)
    training = trainer(generator)
    before = {name: value.clone() for name, value in training.encoder.named_parameters()}
    training.train_batches(2)
    changed = {
        name.split(".")[0]
        for name, value in training.encoder.named_parameters()
        if not torch.equal(before[name], value)
    }
    assert {"draft", "stem", "blocks", "readers", "residual", "shift"} <= changed
    followed = dict(training.average.named_parameters())
    assert not torch.equal(followed["residual"], before["residual"])
    assert not any(value.requires_grad for value in training.generator.parameters())


@pytest.mark.parametrize("name", ["mse", "lpips", "identity", "code"])
def test_every_term_counts(generator, monkeypatch, name):
    monkeypatch.setattr("dynode.training.train_face_encoder.FIRST_SAMPLES", 4)
    with_it, without = trainer(generator), trainer(generator, **{name: 0.0})
    for training in (with_it, without):
        training.train_batches(1)
    assert not torch.equal(with_it.encoder.shift, without.encoder.shift)


def test_a_stopped_training_goes_on_and_another_one_is_refused(generator, monkeypatch, tmp_path):
    monkeypatch.setattr("dynode.training.train_face_encoder.FIRST_SAMPLES", 4)
    first = trainer(generator)
    first.train_batches(1)
    first.save(tmp_path / "c.checkpoint")
    second = trainer(generator)
    second.resume(tmp_path / "c.checkpoint")
    assert second.shown == 4 and torch.equal(first.encoder.stem.weight, second.encoder.stem.weight)
    second.train_batches(1)
    with pytest.raises(UserError, match="another training"):
        trainer(generator, lr=1.0).resume(tmp_path / "c.checkpoint")


@pytest.mark.long
def test_the_file_says_what_it_reached(generator, monkeypatch, tmp_path):
    monkeypatch.setattr("dynode.training.train_face_encoder.FIRST_SAMPLES", 4)
    monkeypatch.setattr("dynode.training.train_face_encoder.MEASURED", 2)
    training = trainer(generator)
    training.run()
    card = save_face_encoder(training, tmp_path / "e.safetensors")
    assert card["pictures_shown"] == 24 and {"mse_of_drafts", "mse_after_1", "identity_after_2"} <= set(card["quality"])
    assert encoders.load(tmp_path / "e.safetensors", generator).settings == SHAPE


def test_on_an_accelerator_every_sample_is_new():
    settings = settings_for_device("cuda")
    assert settings.fresh == settings.batch == settings.judged and settings_for_device("cpu").fresh < settings.batch
