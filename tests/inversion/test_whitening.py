"""Steps along the axes of a curvature: the axes are the dense ones, a bowl is solved, files and settings are checked."""

import pytest
import torch
from conftest import tiny_weights

from dynode import cli, generators, runtime
from dynode.errors import UserError
from dynode.inversion import invert_frames, loss_curvature, whitening
from dynode.inversion.loss_curvature import lpips_features
from dynode.inversion.projection import Projector, ramped_rate
from dynode.inversion.projection_settings import ProjectionSettings, from_encoder, settings_for
from dynode.perception.lpips import LPIPS

SMALL = {"start": "w_avg", "resolution": 16, "lpips_net": "alex", "lpips_resolution": 64}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_weights(tmp_path_factory.mktemp("weights"), "scene")


def test_axes_are_those_of_the_curvature_with_lengths_of_its_power():
    draws = torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(0))
    curvature = draws @ draws.mT
    made = whitening.whitening_of(curvature)
    mean = torch.linalg.eigvalsh(curvature).mean()
    damped = curvature + whitening.DAMPING * mean * torch.eye(6)
    scaled = torch.einsum("lkd,lde,lme->lkm", made.axes, damped, made.axes)  # diagonal: value ** (1 + 2 POWER)
    values = torch.linalg.eigvalsh(damped)
    unit = (values**whitening.POWER).mean()
    wanted = torch.diag_embed(values ** (1 + 2 * whitening.POWER)) / unit**2
    assert torch.allclose(scaled, wanted, rtol=1e-3, atol=1e-3 * wanted.max())
    u = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(made(u)[2, 1], u[2, 1] @ made.axes[1], atol=1e-5)


def test_a_good_start_comes_closer_where_plain_adam_wastes_its_steps():
    """A bowl of 32 directions, two of which are a thousand times as steep, on known axes."""
    turns = torch.linalg.qr(torch.randn(2, 32, 32, generator=torch.Generator().manual_seed(0)))[0]
    curvature = turns @ torch.diag(torch.tensor([1.0] * 30 + [1000.0] * 2)) @ turns.mT
    start = 0.1 * torch.randn(3, 2, 32, generator=torch.Generator().manual_seed(2))

    def error(ws):
        return torch.einsum("bld,lde,ble->b", ws, curvature, ws)

    def part_left(change):
        """The error after eight steps over that before."""
        u = torch.zeros_like(start).requires_grad_(True)
        optimiser = torch.optim.Adam([u])
        for step in range(8):
            optimiser.param_groups[0]["lr"] = ramped_rate(0.1, (step + 1) / 9)
            optimiser.zero_grad()
            error(start + change(u)).sum().backward()
            optimiser.step()
        return error(start + change(u)).detach() / error(start)

    turned, plain = part_left(whitening.whitening_of(curvature)), part_left(lambda u: u)
    assert (turned < 0.6 * plain).all() and (turned < 0.2).all()


def test_the_curvature_is_that_of_the_loss_on_the_generator(path, monkeypatch):
    """Beside the dense Gauss-Newton matrix of the same codes, from the Jacobian of all features."""
    monkeypatch.setattr(loss_curvature, "CODES", 2)
    monkeypatch.setattr(loss_curvature, "PROBES", 300)
    network = generators.load(path)

    def features(images):
        return [3 * images[:, :, :4], images[:, :, 4:6].square()]

    measured = loss_curvature.loss_curvature(network, features, 16)
    z = torch.empty(2, network.z_dim).normal_(generator=torch.Generator().manual_seed(0))
    wanted = torch.zeros_like(measured)
    for ws in network.mapping(z, loss_curvature.TRUNCATION).detach():
        jacobian = torch.autograd.functional.jacobian(
            lambda s: torch.cat([part.flatten() for part in features(network.synthesis_from_style(s))]),
            network.to_style(ws[None]),
        )
        wanted += jacobian.square().sum((0, 1))  # the diagonal of 2 J^T J, the mean of two codes
    assert (measured - wanted).norm() < 0.2 * wanted.norm()


def test_the_curvature_of_a_row_is_its_styles(path):
    network = generators.load(path)
    of_styles = torch.rand(
        sum(layer.channels for layer in network.style_layers()), generator=torch.Generator().manual_seed(1)
    )
    blocks = whitening.row_curvature(network, of_styles)
    ws = network.w_avg.expand(1, 6, -1)
    jacobian = torch.autograd.functional.jacobian(network.to_style, ws)[0, :, 0]  # (S, L, D)
    wanted = torch.einsum("sld,s,sle->lde", jacobian, of_styles, jacobian)
    assert torch.allclose(blocks, wanted, rtol=1e-4, atol=1e-6)


def test_distances_of_the_features_are_the_lpips():
    network, images = LPIPS("alex"), torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3)) * 2 - 1
    one, other = (lpips_features(network, each[None]) for each in images)
    distance = sum((a - b).square().sum() for a, b in zip(one, other, strict=True))
    assert torch.allclose(distance, network(images[:1], images[1:])[0], rtol=1e-4)


def test_whitened_steps_come_closer_and_frames_do_not_influence_each_other(path):
    network = generators.load(path)
    targets = network(torch.randn(2, 9, generator=torch.Generator().manual_seed(4))).clamp(-1, 1).detach()
    settings = ProjectionSettings(**SMALL, first_steps=8, optimiser="whitened", batch=2)
    projector = Projector(network, LPIPS("alex"), settings)
    before = projector.project(targets, projector.starts(targets), 0, 0.05)
    together, alone = projector.frames(targets, None), projector.frames(targets[1:], None)
    assert all(new.mse + new.lpips < 0.9 * (old.mse + old.lpips) for old, new in zip(before, together, strict=True))
    assert torch.allclose(together[1].ws, alone[0].ws, atol=1e-3)
    moved = together[0].ws - before[0].ws  # a row of 12 acts by 8 or 16 channels: what they do not see stays
    unseen = [row for row in range(6) if torch.linalg.matrix_rank(projector.whitening.axes[row]) == 8]
    for row in unseen:
        axes = projector.whitening.axes[row]
        assert torch.allclose(torch.linalg.pinv(axes) @ (axes @ moved[row]), moved[row], atol=1e-4)
    assert unseen == [0, 2, 4, 5]


def test_the_lower_precision_of_lpips_changes_steps_and_not_what_is_reported(path, monkeypatch):
    monkeypatch.setattr(runtime, "fast_bfloat16", lambda device: True)
    network = generators.load(path)
    target = network(torch.randn(1, 9, generator=torch.Generator().manual_seed(5))).clamp(-1, 1).detach()
    low, full = (
        Projector(network, LPIPS("alex"), ProjectionSettings(**SMALL, lpips_precision=precision))
        for precision in ("bfloat16", "float32")
    )
    start = low.starts(target)
    assert low.project(target, start, 0, 0.05)[0].lpips == full.project(target, start, 0, 0.05)[0].lpips
    steps = full.project(target, start, 3, 0.05)[0].ws
    assert not torch.equal(low.project(target, start, 3, 0.05)[0].ws, steps)
    monkeypatch.setattr(runtime, "fast_bfloat16", lambda device: False)
    assert torch.equal(low.project(target, start, 3, 0.05)[0].ws, steps), "slower in bfloat16 than in float32"


def test_settings_name_what_is_legal():
    with pytest.raises(UserError, match="There is no optimiser 'whitend', did you mean 'whitened'"):
        ProjectionSettings(optimiser="whitend")
    with pytest.raises(UserError, match="There is no precision"):
        ProjectionSettings(lpips_precision="float8")
    with pytest.raises(UserError, match="beta1 must lie in"):
        ProjectionSettings(beta1=1.0)
    with pytest.raises(UserError, match="epsilon"):
        ProjectionSettings(epsilon=0.0)
    faces, worlds = (from_encoder(settings_for(size)) for size in (1024, 64))
    assert faces.optimiser == "whitened" and worlds.conjugate_steps == 10 and worlds.optimiser == "adam"
    assert faces.independent and worlds.independent


def test_a_generator_without_styles_is_refused(path):
    network = generators.load(path)

    class Plain:
        name, resolution, w_avg, synthesis = "plain", 16, network.w_avg, network.synthesis

    projector = Projector(Plain(), LPIPS("alex"), ProjectionSettings(**SMALL, optimiser="whitened"))
    with pytest.raises(UserError, match="plain has no style space"):
        projector.project(torch.zeros(1, 3, 16, 16), torch.zeros(1, 6, 12), 1, 0.1)


def test_the_command_writes_a_curvature_that_is_read_again(path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loss_curvature, "CODES", 2)
    output = tmp_path / "tiny.safetensors"
    arguments = ["train", "curvature", path, "-o", str(output), "--device", "cpu", "-p", "lpips_resolution=64"]
    assert cli.main(arguments) == 0
    assert "steepest_over_mean" in capsys.readouterr().out
    network = generators.load(path)
    monkeypatch.setattr(whitening.runtime, "shipped", lambda *folders: {network.name: output})
    assert torch.equal(whitening.shipped_for(network), whitening.load(output)[0])
    network.hash = "another"
    assert whitening.shipped_for(network) is None


def test_plain_adam_is_bit_for_bit_the_loop_of_karras(path):
    network = generators.load(path)
    target = network(torch.randn(1, 9, generator=torch.Generator().manual_seed(6))).clamp(-1, 1).detach()
    projector = Projector(network, LPIPS("alex"), ProjectionSettings(**SMALL))
    ws = projector.average().clone().requires_grad_(True)
    optimiser, features = torch.optim.Adam([ws], lr=0.05), projector.target(target)
    for step in range(5):
        optimiser.param_groups[0]["lr"] = ramped_rate(0.05, (step + 1) / 6)
        optimiser.zero_grad()
        mse, lpips, _ = projector.losses(ws, features, with_identity=False)
        (mse + lpips).sum().backward()
        optimiser.step()
    assert torch.equal(projector.project(target, projector.average(), 5, 0.05)[0].ws, ws[0].detach())


def test_codes_of_another_curvature_are_not_gone_on_from(path, tmp_path, monkeypatch):
    network = generators.load(path)
    file = tmp_path / f"{network.name.replace('/', '_')}.safetensors"
    channels = sum(layer.channels for layer in network.style_layers())
    whitened, adam = (ProjectionSettings(**SMALL, optimiser=each) for each in ("whitened", "adam"))
    assert invert_frames.hashes_of(network, whitened, "") == {}  # measured anew each time
    monkeypatch.setattr(whitening, "shipped", lambda: {network.name: file})
    hashes = []
    for value in (1.0, 2.0):
        whitening.save(torch.full((channels,), value), file, network, {})
        hashes.append(invert_frames.hashes_of(network, whitened, "")["curvature_hash"])
        assert invert_frames.hashes_of(network, adam, "") == {}
    assert hashes[0] != hashes[1] and len(hashes[0]) == 12
