"""The face generator: equal to its own graph, W+ consistent, differentiable."""

import numpy as np
import pytest
import torch
from record_generator_fixture import FIXTURE, SEEDS, brightness, crops, from_fixed_point, z_of

from dynode.generators.protocol import StyleLayer
from dynode.io.images import area_resize


@pytest.mark.parametrize("seed", SEEDS)
def test_it_equals_openvino_in_full_precision(generator, seed):
    recorded = np.load(FIXTURE)
    with torch.no_grad():
        w = generator.mapping_network(torch.from_numpy(z_of(seed)))
        image = generator.synthesis(w)[0].numpy()
    assert np.abs(w[0].numpy() - recorded[f"w{seed}"]).max() < 1e-4
    assert np.abs(crops(image) - recorded[f"crops{seed}"]).max() < 1e-4
    assert np.abs(brightness(image) - from_fixed_point(recorded[f"brightness{seed}"])).max() < 1e-4


def test_one_style_repeated_is_the_single_style_and_small_images_are_exact_reductions(generator):
    with torch.no_grad():
        ws = generator.mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(5)), 0.7)
        full = generator.synthesis(ws)
        assert ws.shape == (1, generator.num_ws, generator.w_dim)
        assert torch.equal(generator.synthesis(ws[:, 0]), full)
        assert torch.allclose(generator.synthesis(ws, 256), area_resize(full, 256), atol=1e-5)


def test_batches_agree_with_single_images_and_rows_matter(generator):
    with torch.no_grad():
        ws = generator.mapping(torch.randn(2, 512, generator=torch.Generator().manual_seed(6)), 0.7).clone()
        both = generator.synthesis(ws, 256)
        assert torch.allclose(both[1:], generator.synthesis(ws[1:], 256), atol=1e-4)
        coarse, fine = ws[:1].clone(), ws[:1].clone()
        coarse[:, :5], fine[:, 16:] = ws[1, :5], ws[1, 16:]
        moved = [(generator.synthesis(mixed, 256) - both[:1]).square().mean() for mixed in (coarse, fine)]
        assert moved[0] > moved[1] > 0


@pytest.mark.parametrize("resolution", [None, 256, 4])
def test_bands_without_gradients_are_the_image_with_them(generator, resolution):
    ws = generator.mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(8)), 0.7).detach()
    whole = generator.synthesis(ws.requires_grad_(True), resolution).detach()
    with torch.no_grad():
        assert torch.allclose(generator.synthesis(ws, resolution), whole, atol=5e-5)


def test_gradients_reach_every_row(generator):
    ws = generator.w_avg.expand(1, generator.num_ws, -1).clone().requires_grad_(True)
    generator.synthesis(ws, 64).square().mean().backward()
    assert (ws.grad.abs().amax(-1) > 0).all()


def test_truncation_ends_at_the_average(generator):
    z = torch.randn(1, 512, generator=torch.Generator().manual_seed(7))
    assert torch.allclose(generator.mapping(z, 0.0)[0, 0], generator.w_avg)
    assert 8 < generator.w_std < 12


@torch.no_grad()
def test_the_style_space_makes_the_same_picture(generator):
    ws = generator.mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(9)), 0.7).clone()
    ws[:, 11:] += 0.1
    s, layers = generator.to_style(ws), generator.style_layers()
    assert torch.allclose(generator.synthesis_from_style(s, 256), generator.synthesis(ws, 256), atol=1e-5)
    assert s.shape[1] == sum(layer.channels for layer in layers) and layers[-1] == StyleLayer(22, 64, 1024, True)
    assert [layer.resolution for layer in layers[:5]] == [4, 8, 8, 8, 16] and layers[-2].resolution == 512
