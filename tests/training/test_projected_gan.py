"""GANs that learn from pictures alone: nothing else goes in, gradients, augmentation, resuming, weights with their card."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from dynode import generators
from dynode.errors import UserError
from dynode.generators import weights
from dynode.io import assets
from dynode.settings import changed
from dynode.training.adversarial import augmentation, pictures, projected_gan, train_projected_gan
from dynode.training.adversarial.augmentation import AUGMENTATIONS, augmented
from dynode.training.adversarial.discriminator import SCALES, Heads, SpectralConv
from dynode.training.adversarial.projected_gan import ProjectedGANSettings, ProjectedGANTrainer
from dynode.worlds import world

TINY = {
    **{"generator.resolution": 16, "generator.w_dim": 12, "generator.channel_base": 128, "generator.channel_max": 8},
    **{"batch": 4, "pictures": 32, "width": 4, "widths": [4, 4, 4, 4, 4], "judged_every": 8, "coarse": 0.0},
}


class Backbone(torch.nn.Module):
    """Five slices of the shapes of VGG16's, of one small random convolution each."""

    def __init__(self):
        super().__init__()
        for k, (a, b) in enumerate(zip((3, *SCALES[:-1]), SCALES, strict=True)):
            down = [torch.nn.MaxPool2d(2)] if k else []
            setattr(self, f"slice{k + 1}", torch.nn.Sequential(*down, torch.nn.Conv2d(a, b, 1), torch.nn.ReLU()))


class Perceptual(torch.nn.Module):
    """What is used of `dynode.perception.lpips.LPIPS`."""

    def __init__(self):
        super().__init__()
        self.model = torch.nn.Module()
        self.model.net, self.model.scaling_layer = Backbone(), torch.nn.Identity()


def trainer_of(changes: dict | None = None, **choices) -> ProjectedGANTrainer:
    torch.manual_seed(0)
    pictures = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    settings = changed(ProjectedGANSettings(), TINY | (changes or {}))
    return ProjectedGANTrainer(settings, pictures, Perceptual(), **choices)


def judge(generator, resolution: int) -> dict[str, float]:
    image = generator(torch.zeros(1, generator.z_dim), resolution)
    return dict.fromkeys(projected_gan.MEASURES, float(image.mean()))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_pictures_are_kept_without_their_factors(tmp_path):
    made = pictures.pictures_alone(world("scene"), 20, 8, folder=tmp_path)
    assert made.shape == (256, 3, 8, 8) and made.dtype == torch.uint8 and len(made.unique(dim=0)) == 256
    (file,) = tmp_path.rglob("*.*safetensors")
    kept = load_file(file)
    assert [*kept] == ["images"] and torch.equal(kept["images"], made)
    file.write_bytes(file.read_bytes()[:-1] + bytes([kept["images"].flatten()[-1].item() ^ 1]))
    again = pictures.pictures_alone(world("scene"), 20, 8, folder=tmp_path)
    assert (again != made).sum() == 1, "a finished file is read, not drawn again"
    with pytest.raises(UserError, match="At least one picture"):
        pictures.pictures_alone(world("scene"), 0, 8, folder=tmp_path)


def test_a_training_holds_pictures_and_noise_and_no_factor():
    trainer = trainer_of()
    tensors = {name for name, value in vars(trainer).items() if isinstance(value, torch.Tensor)}
    assert tensors == {"pictures", "curve"} and trainer.pictures.dtype == torch.uint8
    z = torch.cat([trainer.latents() for _ in range(100)])
    assert z.shape == (400, 64) and abs(z.mean()) < 0.03 and abs(z.std() - 1) < 0.03
    with pytest.raises(UserError, match="64 numbers of noise, got 64 and 14"):
        ProjectedGANSettings(changed(ProjectedGANSettings().generator, {"z_dim": 14}))


def test_every_batch_changes_generator_and_heads_and_nothing_fixed():
    trainer = trainer_of()
    before = {name: {k: v.clone() for k, v in each.state_dict().items()} for name, each in trainer.networks().items()}
    trainer.train_batches(4)
    assert all(loss == loss and loss > 0 for loss in trainer.losses) and len(trainer.losses) == 4

    def moved(name: str) -> set[str]:
        return {k for k, v in trainer.networks()[name].state_dict().items() if not torch.equal(v, before[name][k])}

    assert {name for name, _ in trainer.generator.named_parameters()} == moved("generator")
    assert {name for name, _ in trainer.heads.named_parameters()} <= moved("heads")
    assert moved("mixing") == set() and moved("average")


def test_gradients_reach_the_pixels_through_every_head():
    trainer = trainer_of({"augmentations": "colour,translation"})
    images = torch.zeros(2, 3, 16, 16, requires_grad=True)
    for logits in trainer.heads(trainer.projected(images)):
        (gradient,) = torch.autograd.grad(logits.sum(), images, retain_graph=True)
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("side", [16, 32, 64, 128])
def test_heads_work_at_the_whole_resolution_and_at_half_of_it(side):
    heads = Heads(side, (4, 4, 4, 4, 4), 4)
    for size in (side, max(side // 2, 16)):
        maps = [torch.randn(2, 4, size // 2**k, size // 2**k) for k in range(5)]
        assert all(each.isfinite().all() and each.numel() for each in heads(maps))


def test_kernels_have_spectral_norm_one():
    conv = SpectralConv(6, 5, 3)
    for _ in range(50):
        conv.iterate()
    image = torch.zeros(6, 6, 3, 3).index_put((torch.arange(6), torch.arange(6)), torch.ones(3, 3))
    kernel = conv.weight / torch.linalg.matrix_norm(conv.weight.flatten(1), 2)
    wanted = torch.nn.functional.conv2d(image, kernel, conv.bias)
    assert torch.allclose(conv(image), wanted, atol=1e-5)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_follows_its_draws_and_is_differentiable(name, images):
    images.requires_grad_(True)
    once, again, other = (augmented(images, name, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other) and once.shape == images.shape
    assert torch.equal(augmented(images, f"{name}, ", torch.Generator().manual_seed(1)), once)
    (gradient,) = torch.autograd.grad(once.square().sum(), images)
    assert gradient.isfinite().all() and (gradient.flatten(1).abs().sum(1) > 0).all()
    assert augmented(images, "", torch.Generator()) is images


def test_what_augmentations_change(images):
    rng = torch.Generator().manual_seed(3)
    moved = augmentation.translation(images, rng)
    shifts = [
        [(d, r) for d in range(-2, 3) for r in range(-2, 3) if torch.equal(moved[k], shifted(images[k], d, r))]
        for k in range(len(images))
    ]
    assert all(len(each) == 1 for each in shifts) and len({each[0] for each in shifts}) > 1
    cut = augmentation.cutout(images, rng)
    assert ((cut == 0) | (cut == images)).all() and 0 < (cut[:, 0] == 0).float().mean() <= 0.25
    with pytest.raises(UserError, match="did you mean 'colour'"):
        ProjectedGANSettings(augmentations="translation,color")


def shifted(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """An image that is moved up and left, zeros coming in."""
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2))
    return padded[:, 2 + down : 18 + down, 2 + right : 18 + right]


def test_an_interrupted_training_equals_an_uninterrupted_one(tmp_path):
    whole = trainer_of(judge=judge)
    whole.train_batches(8)
    first = trainer_of(judge=judge)
    first.train_batches(3)
    first.save(tmp_path / "checkpoint")
    second = trainer_of({}, judge=judge)
    second.resume(tmp_path / "checkpoint")
    assert second.shown == 12
    second.train_batches(5)
    for name, network in whole.networks().items():
        ours = second.networks()[name].state_dict()
        assert all(torch.equal(value, ours[key]) for key, value in network.state_dict().items()), name
    steady = [0, *range(2, 7)]  # hours differ
    assert torch.equal(whole.curve[:, steady], second.curve[:, steady]) and whole.losses[3:] == second.losses[3:]
    with pytest.raises(UserError, match="another training"):
        trainer_of({"lr": 0.5}).resume(tmp_path / "checkpoint")


def test_the_curve_has_a_point_every_so_many_pictures():
    trainer = trainer_of(judge=judge)
    trainer.train_batches(5)
    assert [point["pictures_shown"] for point in trainer.quality_curve()] == [8, 16]
    assert set(trainer.quality_curve()[0]) == {"pictures_shown", "hours", "resolution", *projected_gan.MEASURES}
    assert trainer.quality_curve()[0]["resolution"] == 16


def test_training_begins_at_half_the_resolution_warms_up_and_ends_cooler():
    trainer = trainer_of({"generator.resolution": 32, "coarse": 0.5, "pictures": 8000})
    trainer.pictures = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    assert trainer.size() == 16 and trainer.real(trainer.size()).shape == (4, 3, 16, 16)
    rates = []
    for trainer.shown in (0, 396, 4000, 7200):
        trainer.ramp()
        rates.append((trainer.g_optimiser.param_groups[0]["lr"], trainer.d_optimiser.param_groups[0]["lr"]))
    assert trainer.size() == 32
    assert torch.allclose(torch.tensor(rates), torch.tensor([[2e-5, 2e-3], [2e-3, 2e-3], [2e-3, 2e-3], [1e-3, 1e-3]]))


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Drawings among the test's own files, and a small stand-in for VGG16 and AlexNet."""
    monkeypatch.setattr(assets, "own_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(train_projected_gan, "LPIPS", lambda net, checked: Perceptual())
    monkeypatch.setattr(
        train_projected_gan.generator_quality, "features", lambda images, network: images.double()[:, :, ::4].flatten(1)
    )
    return tmp_path


def test_the_command_writes_weights_with_a_whole_card_and_a_sheet(own):
    settings = changed(ProjectedGANSettings(), TINY)
    output = own / "g.safetensors"
    choices = {"distinct": 256, "measured": 256, "curve": 20}
    train_projected_gan.train_adversarially(world("scene"), output, settings, minutes=1e-6, **choices)
    assert (own / "g.safetensors.checkpoint").is_file()
    train_projected_gan.train_adversarially(world("scene"), output, settings, **choices)
    assert not (own / "g.safetensors.checkpoint").exists()
    card = weights.card(output)
    assert (card["world"], card["method"], card["distinct_pictures"]) == ("scene", "adversarial", 256)
    assert card["pictures_shown"] == 32 and json.loads(card["settings"])["augmentations"]
    assert [point["pictures_shown"] for point in card["curve"]] == [8, 16, 24, 32] and card["curve_measured_on"] == 20
    assert {"precision", "recall", "told_apart", "frechet", "frechet_of_the_world"} <= set(card["quality"])
    generator = generators.load(str(output))
    assert generators.category_of(str(output)) == "scene" and generator.z_dim == 64
    assert (generator.w_std > 0).all() and generator.w_avg.abs().sum() > 0
    assert Image.open(own / "g-sheet.png").size == (1024, 1024)


def test_too_few_pictures_are_refused(own):
    settings = changed(ProjectedGANSettings(), TINY)
    for few in ({"distinct": 10}, {"measured": 8}, {"curve": 4000}):
        with pytest.raises(UserError, match="learns from at least"):
            train_projected_gan.train_adversarially(world("scene"), own / "g.safetensors", settings, **few)
