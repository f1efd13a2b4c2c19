"""Metrics against values known by hand or by another implementation."""

import math
import pkgutil

import pytest
import torch
from skimage.metrics import structural_similarity

from dynode.metrics import METRICS
from dynode.metrics.latent import latent_mse, skill
from dynode.perception.lpips import LPIPS


def picture(seed=0, size=64):
    x = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool2d(x, 5, 1, padding=2) * 2 - 1


def test_mse_and_psnr_of_a_constant_shift():
    a = torch.zeros(2, 3, 32, 32)
    b = a + torch.tensor([0.2, 0.0]).view(2, 1, 1, 1)
    assert METRICS["mse"](b, a).tolist() == pytest.approx([0.04, 0.0])
    assert METRICS["psnr"](b, a)[0].item() == pytest.approx(10 * math.log10(4 / 0.04))


def test_ssim_by_its_own_formula_on_constants_and_one_on_equals():
    a, b = torch.full((1, 3, 32, 32), 0.5), torch.full((1, 3, 32, 32), 0.1)
    c1 = (0.01 * 2) ** 2
    assert METRICS["ssim"](a, b).item() == pytest.approx((2 * 0.05 + c1) / (0.25 + 0.01 + c1), rel=1e-4)
    assert METRICS["ssim"](picture(), picture()).item() == pytest.approx(1)


@pytest.mark.parametrize("size", [16, 64])
def test_ssim_agrees_with_scikit_images(size):
    a = picture(size=size)
    b = a + 0.1 * torch.randn(a.shape, generator=torch.Generator().manual_seed(1))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    theirs = structural_similarity(a[0].numpy(), b[0].numpy(), data_range=2, channel_axis=0, **window)
    assert 0.3 < theirs < 0.99
    assert METRICS["ssim"](a, b).item() == pytest.approx(theirs, abs=1e-6)


def test_latent_mse_and_skill():
    a = torch.zeros(3, 2, 4)
    assert latent_mse(a + 2, a).tolist() == [4, 4, 4]
    assert skill(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 2.0])) == pytest.approx(0.5)
    assert skill(torch.tensor([3.0]), torch.tensor([2.0])) < 0
    assert math.isnan(skill(torch.tensor([0.0]), torch.tensor([0.0])))


@pytest.mark.parametrize("net, noisy, blurred", [("alex", 0.282, 0.201), ("vgg", 0.375, 0.249)])
def test_lpips_on_a_real_face_has_known_values(net, noisy, blurred, generator):
    """The reference face differs from the one the values were measured on, so they hold within a factor."""
    perceptual = LPIPS(net)
    with torch.no_grad():
        face = generator.synthesis(generator.w_avg[None], 256).clamp(-1, 1)
        noise = 0.1 * torch.randn(face.shape, generator=torch.Generator().manual_seed(0))
        blur = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(face, (2,) * 4, mode="reflect"), 5, 1)
        assert perceptual(face, face).item() == 0
        for other, known in ((face + noise, noisy), (blur, blurred)):
            ours = perceptual(other, face).item()
            assert ours == pytest.approx(perceptual.model(other, face).item(), rel=1e-3)
            assert known / 3 < ours < known * 3


def test_lpips_carries_the_real_alexnet():
    first = LPIPS("alex").model.net.slice1[0].weight.flatten()[:3]
    assert first.tolist() == pytest.approx([0.1186, 0.0941, 0.0954], abs=1e-4)


def test_lpips_refuses_images_that_are_not_in_range():
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        LPIPS("alex")(picture() * 255, picture())
    with pytest.raises(ValueError, match="B, 3, H, W"):
        LPIPS("alex")(picture()[0], picture()[0])


def test_the_networks_that_metrics_name_are_there():
    names = {each.network for each in METRICS.values() if each.network}
    assert names == {"dynode.perception.lpips:LPIPS", "dynode.perception.identity:Identity"}
    assert all(callable(pkgutil.resolve_name(name)) for name in names)
