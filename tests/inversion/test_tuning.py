"""Tuning of a generator: it comes nearer, sees observed frames alone, resumes exactly, and every term of its loss counts."""

import dataclasses
import json
from functools import cache

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dynode import generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.generators import registry, tuned
from dynode.generators.dcgan import DCGAN, DCGANSettings
from dynode.generators.mobile_stylegan import MobileStyleGAN
from dynode.inversion import tuning, tuning_steps
from dynode.inversion.frame_sources import reference_frames
from dynode.inversion.tuning import tune
from dynode.inversion.tuning_losses import Target, TuningLoss, Weights, near_pivot, weighted_distance
from dynode.inversion.tuning_regions import EYES, mask_of_ellipses, of_landmarks
from dynode.inversion.tuning_settings import TuningSettings, settings_for
from dynode.inversion.tuning_updates import UPDATES, of_last_blocks, update_of
from dynode.io import assets, video
from dynode.perception.lpips import LPIPS
from dynode.settings import changed

QUICK = changed(settings_for(16), {"steps": 12, "warmup": 3, "lpips_resolution": 32})
built = cache(LPIPS)


@pytest.fixture
def perceptual():
    return built("alex")


@pytest.fixture(autouse=True)
def built_once(monkeypatch):
    """LPIPS takes longer to build than to use."""
    monkeypatch.setattr(tuning, "LPIPS", built)


@pytest.fixture
def clip(tiny_clip):
    """Six frames of an episode with codes of a small random generator; every second one and the last are observed."""
    episode = {"world": "scene", "kind": "day", "seed": 0, "seconds": 1.0}
    return dataclasses.replace(tiny_clip, meta=tiny_clip.meta | {"episode": episode})


def errors(clip, name) -> torch.Tensor:
    """Squared errors (T,) of a clip's images, by the generator of that name."""
    images = generators.render(generators.load(name), clip.ws, 16)
    return (images - reference_frames(clip, 16)).square().mean((1, 2, 3))


@pytest.mark.parametrize("update", UPDATES)
def test_tuning_comes_nearer_to_the_observed_frames(clip, tmp_path, update):
    settings = changed(QUICK, {"update": update, "steps": 40, "lr": 0.01, "rank": 2})
    output = tmp_path / "t.tuning.safetensors"
    done = tune(clip, output, settings)
    before, after = (errors(clip, name)[clip.observed] for name in (clip.meta["generator"], str(output)))
    assert after.mean() < 0.8 * before.mean()
    card = tuned.read(output).card
    assert card["clip"]["observed"] == [0, 2, 4, 5] and card["steps"] == len(card["curve"]) == 40
    assert card["curve"][-1][0] < card["curve"][0][0] and card["seconds"] >= 0
    assert done.clip.meta["tuning"] == {"file": str(output), "hash": done.tuning.hash}
    assert (
        torch.equal(done.clip.ws, clip.ws) and [path.name for path in tmp_path.iterdir() if "check" in path.name] == []
    )


def test_what_is_not_observed_does_not_matter(clip, tmp_path, monkeypatch):
    settings = changed(QUICK, {"locality_every": 2, "codes_lr": 0.01})
    first = tune(clip, tmp_path / "a.safetensors", settings)
    hidden = ~clip.observed
    noise = clip.ws.clone()
    noise[hidden] = torch.randn(noise[hidden].shape)

    def with_noise(asked_clip, *arguments):
        frames = reference_frames(asked_clip, *arguments)
        unknown = ~torch.isin(asked_clip.ts, clip.ts[clip.observed])
        frames[unknown] = torch.rand(frames[unknown].shape)
        return frames

    monkeypatch.setattr(tuning, "reference_frames", with_noise)
    other = tune(dataclasses.replace(clip, ws=noise), tmp_path / "b.safetensors", settings)
    one, two = (load_file(tmp_path / name) for name in ("a.safetensors", "b.safetensors"))
    assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)
    assert torch.equal(first.clip.ws[clip.observed], other.clip.ws[clip.observed])


@pytest.mark.parametrize("stop", [1, 5, 8])
def test_a_tuning_that_was_stopped_ends_as_one_that_was_not(clip, tmp_path, monkeypatch, stop):
    settings = changed(QUICK, {"locality_every": 3, "codes_lr": 0.01})
    tune(clip, tmp_path / "whole.safetensors", settings)
    monkeypatch.setattr(tuning_steps, "CHECKPOINT_SECONDS", 0)
    step = tuning_steps.Tuner.step

    def stopped(self, share):
        if self.done == stop:
            raise KeyboardInterrupt
        step(self, share)

    with monkeypatch.context() as patched:
        patched.setattr(tuning_steps.Tuner, "step", stopped)
        with pytest.raises(KeyboardInterrupt) as caught:
            tune(clip, tmp_path / "parts.safetensors", settings)
    assert "goes on from there" in caught.value.__notes__[0]
    with pytest.raises(UserError, match="another tuning"):
        tune(clip, tmp_path / "parts.safetensors", changed(settings, {"lr": 0.1}))
    tune(clip, tmp_path / "parts.safetensors", settings)
    one, two = (load_file(tmp_path / name) for name in ("whole.safetensors", "parts.safetensors"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    curves = [tuned.read(tmp_path / name).card["curve"] for name in ("whole.safetensors", "parts.safetensors")]
    assert curves[0] == curves[1] and len(curves[0]) == 12
    assert not list(tmp_path.glob("*.checkpoint"))


CHANGES = [
    {"lambda_mse": 0.0},
    {"lambda_lpips": 0.0},
    {"locality_every": 2},
    {"locality_every": 2, "locality_distance": 1.0},
    {"codes_lr": 0.01},
    {"warmup": 0},
    {"seed": 1},
    {"update": "last-blocks"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_setting_counts(clip, tmp_path, change):
    tune(clip, tmp_path / "a.safetensors", QUICK)
    done = tune(clip, tmp_path / "b.safetensors", changed(QUICK, change))
    one, two = (load_file(tmp_path / name) for name in ("a.safetensors", "b.safetensors"))
    assert one.keys() != two.keys() or any(not torch.equal(one[key], two[key]) for key in one)
    moved = (done.clip.ws != clip.ws).flatten(1).any(1)
    assert torch.equal(moved, clip.observed if "codes_lr" in change else torch.zeros(6, dtype=torch.bool))


def test_it_stops_early_and_in_time(clip, tmp_path):
    card = tune(clip, tmp_path / "a.safetensors", changed(QUICK, {"stop_lpips": 10.0})).tuning.card
    assert card["steps"] == 4 and card["stopped_early"]  # after one round of the frames
    card = tune(clip, tmp_path / "b.safetensors", changed(QUICK, {"steps": 10_000}), minutes=0.01).tuning.card
    assert 1 < card["steps"] < 10_000 and not card["stopped_early"] and 0.6 <= card["seconds"] < 5


def test_the_learning_rate_is_warmed_up_and_falls_to_zero(clip, perceptual):
    settings = changed(QUICK, {"steps": 20, "warmup": 5, "lr": 1.0})
    loss = TuningLoss(perceptual, Weights(1.0, 0.0, 0.0, 1.0), enlarged=32)
    generator = generators.load(clip.meta["generator"])
    tuner = tuning_steps.Tuner(generator, clip.ws, reference_frames(clip, 16), settings, loss)
    rates = []
    while (share := tuner.share(float("inf"))) < 1:
        tuner.step(share)
        rates.append(tuner.optimiser.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(0.2) and rates[-1] == pytest.approx(1 / 20)
    assert max(rates) == rates[4] and all(a > b for a, b in zip(rates[4:], rates[5:], strict=False))


def test_all_frames_come_before_one_comes_again(clip, perceptual):
    loss = TuningLoss(perceptual, Weights(1.0, 0.0, 0.0, 1.0), enlarged=32)
    generator = generators.load(clip.meta["generator"])
    tuner = tuning_steps.Tuner(generator, clip.ws, reference_frames(clip, 16), QUICK, loss)
    order = []
    for tuner.done in range(12):
        order.append(tuner.frame())
    assert sorted(order[:6]) == sorted(order[6:]) == list(range(6)) and order[:6] != order[6:]


def test_low_rank_products_are_small_and_all_updates_begin_at_the_base(clip):
    generator = generators.load(clip.meta["generator"])
    sizes = {}
    for kind in UPDATES:
        update = update_of(generator, kind, share=0.45, rank=1, seed=0)
        sizes[kind] = sum(value.numel() for value in update.parameters.values())
        assert torch.equal(update.images(clip.ws[:1], 16), generator.synthesis(clip.ws[:1], 16))
    assert sizes["low-rank"] < sizes["all"] and sizes["last-blocks"] < sizes["all"]
    names = update_of(generator, "last-blocks", share=0.45, rank=1, seed=0).weights
    assert not any(name.startswith("mapping") for name in names)


def test_weights_of_pixels_move_the_loss_to_eyes_and_mouth(perceptual):
    image = torch.zeros(3, 64, 64)
    regions = mask_of_ellipses(torch.tensor([[0.25, 0.25, 0.2, 0.2]]), 64)[None, None]
    loss = TuningLoss(perceptual, Weights(1.0, 1.0, 0.0, 5.0), regions=lambda image: regions)
    target = loss.target(image)
    assert target.pixels is not None and target.pixels.mean() == pytest.approx(1)
    inside, outside = image.clone()[None], image.clone()[None]
    inside[..., 12:20, 12:20], outside[..., 44:52, 44:52] = 1, 1
    plain = Target(target.image, None, None, target.lpips)
    for term in range(3):
        weighted = loss(inside, target)[term] / loss(outside, target)[term]
        assert weighted > 1.3 * loss(inside, plain)[term] / loss(outside, plain)[term]
    features = loss.features(inside)
    ones = weighted_distance(perceptual, features, loss.features_of(target), torch.ones(1, 1, 64, 64))
    assert torch.allclose(ones, perceptual(inside, image[None]), atol=1e-6)


def test_regions_lie_on_the_landmarks():
    points = torch.full((68, 2), 0.5)
    points[36:42], points[42:48] = torch.tensor(EYES[0]), torch.tensor(EYES[1])
    points[48:68, 1] = 0.7
    points[48], points[54] = torch.tensor([0.4, 0.7]), torch.tensor([0.6, 0.7])
    mask = mask_of_ellipses(of_landmarks(points), 100)
    assert mask[70, 41] > 0.5 and mask[70, 58] > 0.5 and mask[70, 25] == 0 and mask[47, 37] == 1 and mask[57, 50] == 0


def test_a_code_near_a_pivot():
    pivot, random = torch.zeros(1, 4, 3), torch.ones(1, 4, 3) * 2
    assert near_pivot(pivot, random, 3.0).norm() == pytest.approx(3)
    assert torch.equal(near_pivot(pivot, random, 30.0), random)


BAD = [
    ({"update": "lora"}, "There is no kind of update"),
    ({"steps": 0}, "steps must be above 0"),
    ({"last_share": 2.0}, "last_share"),
    ({"resolution": 12}, "power of two"),
    ({"resolution": 64}, "16 pixels a side"),
]


@pytest.mark.parametrize("change, message", BAD)
def test_settings_that_cannot_be(clip, tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        tune(clip, tmp_path / "a.safetensors", changed(QUICK, change))


def test_clips_that_cannot_be_tuned(clip, tmp_path):
    with pytest.raises(UserError, match="latent space"):
        tune(dataclasses.replace(clip, meta=clip.meta | {"flows": {}}), tmp_path / "a.safetensors", QUICK)
    with pytest.raises(UserError, match="belongs to weights"):
        tune(dataclasses.replace(clip, meta=clip.meta | {"generator_hash": "other"}), tmp_path / "a.safetensors", QUICK)
    with pytest.raises(UserError, match="names no generator"):
        tune(dataclasses.replace(clip, meta={}), tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="minutes"):
        tune(clip, tmp_path / "a.safetensors", QUICK, minutes=0)


@pytest.mark.long
def test_the_face_generator_is_tuned(generator, tmp_path):
    from dynode import clips

    if not assets.cached_path(assets.registry()[1]["single-face-video"]).is_file():
        pytest.skip("the footage is not in the cache")
    clip = clips.load("single_face.warm").sampled("regular", 24)
    settings = TuningSettings(
        steps=3, warmup=1, lr=1e-4, update="low-rank", lpips_net="alex", stop_lpips=0.0, locality_every=2
    )
    done = tune(clip, tmp_path / "t.safetensors", settings)
    assert (tmp_path / "t.safetensors").stat().st_size < 1.2e6 and done.tuning.base == "mobilestylegan-ffhq"
    assert done.tuning.card["regions"] == {"landmarks": 3, "fixed": 0}
    assert json.dumps(done.tuning.card["curve"]).count("[") == 4
    images = [generators.render(generators.load(name), clip.ws[:1]) for name in (clip.meta["generator"], str(tmp_path / "t.safetensors"))]  # fmt: skip
    assert 0 < (images[0] - images[1]).abs().mean() < 0.02


def test_codes_of_one_row_are_tuned_as_others(clip, tmp_path):
    name = clip.meta["generator"]
    one_row = dataclasses.replace(clip, ws=clip.ws[:, :1], meta=clip.meta | {"generator": f"{name}@w"})
    done = tune(one_row, tmp_path / "t.safetensors", changed(QUICK, {"steps": 40, "lr": 0.01}))
    assert done.tuning.base == name
    chosen = registry.name_for(one_row.meta, "The clip", done.tuning.path)
    assert chosen == f"{tmp_path / 't.safetensors'}@w"
    before, after = (errors(one_row, each)[clip.observed].mean() for each in (f"{name}@w", chosen))
    assert after < 0.9 * before


def test_last_blocks_of_every_architecture():
    torch.manual_seed(0)
    networks = {"dcgan": DCGAN(DCGANSettings(resolution=16)), "face": MobileStyleGAN()}
    prefixes = {name: {key.rpartition(".")[0] for key in of_last_blocks(each, 0.45)} for name, each in networks.items()}
    assert prefixes["dcgan"] and all(len(prefixes[name]) < len(tuned.weights_of(networks[name])) for name in networks)
    assert {name.split(".")[1] for name in prefixes["face"] if name.startswith("blocks")} == {"4", "5", "6"}
    assert "to_img.conv" in prefixes["face"] and not any(name.startswith("conv1") for name in prefixes["face"])


def filmed(clip, path, frames) -> Clip:
    """A clip whose frames (T, 32, 32, 3) are in a lossless video, cut out whole."""
    video.write(path, frames, 6, crf=0)
    quads = torch.tensor([[0.0, 0.0], [0.0, 32.0], [32.0, 32.0], [32.0, 0.0]]).expand(len(clip), 4, 2)
    meta = {key: value for key, value in clip.meta.items() if key != "episode"}
    meta |= {"source": path.name, "source_sha256": assets.sha256_of(path)}
    ts = torch.tensor([time for time, _ in video.iterate(path)], dtype=torch.float64)
    return dataclasses.replace(clip, ts=ts, quads=quads, meta=meta)


def test_noise_in_held_out_frames_of_a_video_does_not_matter(clip, tmp_path):
    rng = np.random.default_rng(0)
    frames = np.kron(rng.integers(60, 190, (6, 4, 4, 3)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    noisy = frames.copy()
    noisy[~clip.observed.numpy()] = rng.integers(0, 256, (2, 32, 32, 3))
    files = []
    for name, each in (("a", frames), ("b", noisy)):
        film = tmp_path / f"{name}.mp4"
        output = tmp_path / f"{name}.safetensors"
        tune(filmed(clip, film, each), output, QUICK, footage=film)
        files.append(load_file(output))
    assert all(torch.equal(files[0][key], files[1][key]) for key in files[0])
    assert (tmp_path / "a.mp4").read_bytes() != (tmp_path / "b.mp4").read_bytes()


def test_locality_holds_the_images_of_other_codes(clip, tmp_path):
    plain = changed(QUICK, {"steps": 30, "lr": 0.01, "locality_distance": 1e6})
    held = changed(plain, {"locality_every": 1, "lambda_locality": 100.0})
    base = generators.load(clip.meta["generator"])
    ws = base.mapping(torch.randn(8, 9, generator=torch.Generator().manual_seed(5)))
    moved = []
    for name, settings in (("a", plain), ("b", held)):
        tune(clip, tmp_path / f"{name}.safetensors", settings)
        tuned_generator = generators.load(str(tmp_path / f"{name}.safetensors"))
        moved.append((tuned_generator.synthesis(ws) - base.synthesis(ws)).square().mean())
    assert moved[1] < 0.5 * moved[0]


def test_identity_is_a_term_of_faces(perceptual):
    def colour(images):
        return torch.nn.functional.normalize(images.mean((2, 3)), dim=1)

    weights = Weights(1.0, 1.0, 0.5, 1.0)
    loss = TuningLoss(perceptual, weights, identity=colour)
    wanted, made = torch.zeros(3, 64, 64), torch.zeros(1, 3, 64, 64)
    wanted[0], made[:, 1] = 0.5, 0.5
    with_it = loss(made, loss.target(wanted))[0]
    without = TuningLoss(perceptual, weights)(made, loss.target(wanted))[0]
    assert with_it - without == pytest.approx(0.5, abs=1e-5)  # 1 - the cosine of red and green
    assert TuningLoss(perceptual, dataclasses.replace(weights, identity=0.0), identity=colour).identity is None
