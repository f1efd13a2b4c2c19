"""What `dynode train all` trains: small trainers of worlds are made, saved, loaded and measured on pictures of their own."""

import json

import pytest
import torch

from dynode import generators
from dynode.errors import UserError
from dynode.generators import weights
from dynode.inversion import encoder_files
from dynode.io import assets
from dynode.training import jobs
from dynode.training.queue import LARGEST_FILE, Conditions
from dynode.training.rendered_pictures import HELD_OUT_SEED, TIMES_SHOWN, TRAINING_SEED, FreshPictures
from dynode.worlds import WORLDS


@pytest.fixture
def conditions(tmp_path, monkeypatch) -> Conditions:
    monkeypatch.setattr(assets, "own_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(jobs, "MEASURED", 32)
    return Conditions(tmp_path, torch.device("cpu"), tiny=True)


def named(name: str) -> jobs.Job:
    return next(job for job in jobs.JOBS if job.name == name)


def test_a_generator_and_then_its_encoder(conditions, tmp_path):
    job = named("scene-generator")
    trainer = job.make(conditions)
    trainer.train_batches(3)
    job.save(trainer, tmp_path / job.file, {"pictures_shown": 24})
    assert set(job.measure(trainer)) == {"mse"}
    generator = generators.load(str(tmp_path / job.file))
    assert generators.category_of(str(tmp_path / job.file)) == "scene"
    assert weights.card(tmp_path / job.file)["pictures_shown"] == 24
    job = named("scene-encoder")
    trainer = job.make(conditions)
    trainer.train_batches(2)
    job.save(trainer, tmp_path / job.file, {})
    assert {"mse_after_1", "mse_after_2", "ssim"} == set(job.measure(trainer))
    encoder = encoder_files.load(tmp_path / job.file, generator)
    assert json.loads(encoder_files.card(tmp_path / job.file)["settings"])["ema"] > 0
    assert encoder(torch.zeros(1, 3, 16, 16)).shape == (1, generator.num_ws, generator.w_dim)


def test_a_gan_and_then_its_encoder(conditions, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "JUDGED", 32)
    job = named("scene-gan")
    trainer = job.make(conditions)
    assert trainer.pictures.shape == (256, 3, 16, 16) and not list(tmp_path.rglob("scene.16.0.*"))
    trainer.train_batches(2)
    job.save(trainer, tmp_path / job.file, {"pictures_shown": 8})
    assert {"frechet", "precision", "recall", "told_apart"} == set(job.measure(trainer))
    card = weights.card(tmp_path / job.file)
    assert card["method"] == "adversarial" and card["pictures_shown"] == 8
    generator = generators.load(str(tmp_path / job.file))
    assert generator.z_dim == 64 and generators.category_of(str(tmp_path / job.file)) == "scene"
    encoder = named("scene-encoder").make(conditions)
    assert encoder.generator.hash == generator.hash


def test_the_pictures_of_a_gan_are_renewed_in_its_own_store():
    fresh = FreshPictures(WORLDS["scene"], 8, 16, "cpu", seed=3)
    before = fresh.levels.clone()
    settings = jobs.changed(jobs.ProjectedGANSettings(), jobs.TINY_GANS)
    network = jobs.LPIPS("vgg", checked=False)
    trainer = jobs.ProjectedGANTrainer(settings, fresh.levels, network, renew=fresh.renew_after)
    trainer.train_batches(2 * TIMES_SHOWN)
    assert not torch.equal(trainer.pictures, before)


def test_networks_of_full_size_fit_their_files(tmp_path):
    shape = jobs.shape(Conditions(tmp_path, torch.device("cpu")))
    settings = jobs.settings_for(WORLDS["bird"], jobs.GENERATORS | shape)
    weights.save(weights.build(settings.generator), tmp_path / "g.safetensors", {"world": "bird"})
    generator = generators.load(str(tmp_path / "g.safetensors"))
    assert generator.resolution == 128
    small = jobs.shape(Conditions(tmp_path, torch.device("cpu"), resolution=64))
    gan = weights.build(jobs.changed(jobs.ProjectedGANSettings(), jobs.GANS | small).generator)
    weights.save(gan, tmp_path / "gan.safetensors", {"world": "bird"})
    assert gan.resolution == 64 and (tmp_path / "gan.safetensors").stat().st_size < 8e6 / 3, "three of them ship"
    encoder = encoder_files.Encoder(jobs.changed(jobs.EncoderTrainingSettings(), jobs.ENCODERS).encoder, generator)
    encoder_files.save(encoder, tmp_path / "e.safetensors", "g", {})
    assert all((tmp_path / f"{name}.safetensors").stat().st_size < LARGEST_FILE / 2 for name in "ge")


def test_a_cpu_without_time_to_draw_says_so_and_a_longer_one_draws_more(conditions):
    with pytest.raises(UserError, match="takes about 28 seconds, more than a third of the 60"):
        jobs.distinct_within(WORLDS["bird"], 64, 60, 0)
    assert jobs.distinct_within(WORLDS["bird"], 64, 3600, 0) == 10752
    assert jobs.distinct_within(WORLDS["bird"], 64, float("inf"), 0) == jobs.DISTINCT
    assert jobs.distinct_within(WORLDS["bird"], 64, 60, 512) == 512


def test_fresh_pictures_are_renewed_in_turn_and_show_their_latents():
    fresh = FreshPictures(WORLDS["scene"], 10, 16, "cpu", seed=3)
    fresh.chunk = 4
    before, z = fresh.levels.clone(), fresh.z.clone()
    fresh.renew_after(4 * TIMES_SHOWN - 1)
    assert torch.equal(before, fresh.levels)
    fresh.renew_after(1)
    changed = (fresh.z != z).any(1)
    assert changed.tolist() == [True] * 4 + [False] * 6
    assert torch.equal((fresh.levels != before).flatten(1).any(1), changed)
    for _ in range(3):
        fresh.renew()
    assert (fresh.z != z).any(1).all() and fresh.oldest == 4
    same = FreshPictures(WORLDS["scene"], 10, 16, "cpu", seed=3)
    assert torch.equal(same.levels, before) and torch.equal(same.z, z)


def test_no_run_trains_on_pictures_that_quality_is_measured_on():
    assert max(HELD_OUT_SEED, TRAINING_SEED) < jobs.FRESH_SEED


def test_an_encoder_comes_behind_every_generator_that_it_may_be_trained_for():
    """Else its second run would meet a generator of another shape than its first."""
    names = [job.name for job in jobs.JOBS]
    for world in ("scene", "bird", "isaac3d"):
        assert names.index(f"{world}-encoder") > max(names.index(f"{world}-{kind}") for kind in ("gan", "generator"))
