"""The frozen presets, step by step against what the paper says and what the authors' demo does."""

import math

import pytest
import torch

from dynode.clips import Clip
from dynode.dynamics.fields import MLPField
from dynode.dynamics.fitting import single, trainer
from dynode.dynamics.fitting.losses import ImageLoss, LossSettings
from dynode.dynamics.neural_ode import Clock
from dynode.dynamics.presets import PRESETS, latent_only, preset
from dynode.dynamics.state_spaces import fit_space
from dynode.errors import UserError
from dynode.settings import changed

SHAPE = (18, 512)  # the authors' codes


def noisy_clip(frames: int = 11, rows: int = 18, width: int = 512, seed: int = 0) -> Clip:
    ws = torch.randn(frames, rows, width, generator=torch.Generator().manual_seed(seed))
    return Clip(ws, torch.arange(frames) * 4 / 25)


def under_way(settings, clip, seed=0) -> trainer.Trainer:
    """A training that has not begun, in the state space of the codes themselves."""
    torch.manual_seed(seed)
    field = MLPField(tuple(clip.ws.shape[1:]), settings.field)
    taus = Clock.of(settings.clock, clip)(clip.ts).float()
    return trainer.Trainer(field, clip.ws, taus, settings, torch.Generator().manual_seed(seed))


def test_the_demo_field_has_the_published_size_and_constant_speed():
    field = MLPField(SHAPE, preset("demo").field)
    assert sum(p.numel() for p in field.parameters()) == 1_313_280
    u = 9 * torch.randn(1, *SHAPE)
    velocity = field(torch.tensor(0.0), u)
    assert velocity.norm().item() == pytest.approx(math.sqrt(512), rel=1e-5)
    assert torch.allclose(velocity[0].norm(dim=0), torch.ones(512), atol=1e-4)  # one unit per channel, over the rows
    assert torch.equal(velocity, field(torch.tensor(7.0), u))  # autonomous


@pytest.mark.parametrize("normalise, axis", [("layer", 0), ("feature", 1), ("global", (0, 1))])
def test_a_normalised_field_has_unit_speed_over_its_axes(normalise, axis):
    settings = changed(preset("demo").field, {"normalise": normalise, "hidden": 32})
    velocity = MLPField((6, 16), settings)(torch.tensor(0.0), torch.randn(6, 16))
    norms = velocity.norm(dim=axis)
    assert torch.allclose(norms, torch.ones_like(norms), atol=1e-3)


def test_a_learned_speed_scales_a_normalised_field():
    settings = changed(preset("demo").field, {"learned_speed": True, "normalise": "global", "hidden": 32})
    field = MLPField((6, 16), settings)
    field.speed.data.fill_(3.0)
    assert field(torch.tensor(0.0), torch.randn(6, 16)).norm().item() == pytest.approx(3, rel=1e-4)


def test_the_demo_optimiser_carries_the_lazy_regularisation_arithmetic():
    optimiser = under_way(preset("demo"), noisy_clip()).optimiser
    assert optimiser.defaults["lr"] == pytest.approx(1.6e-4)
    assert optimiser.defaults["betas"] == pytest.approx((0.0, 0.99**0.8))
    solver = preset("demo").solver
    assert (solver.solver, solver.rtol, solver.atol, solver.adjoint) == ("dopri5", 1e-7, 1e-9, False)


def test_the_demo_counts_codes_and_ignores_seconds():
    clip = Clip(torch.randn(4, 2, 3), torch.tensor([0.0, 0.1, 0.5, 0.6]))
    clock = Clock.of("index", clip)
    assert clock(clip.ts).tolist() == pytest.approx([0, 1, 2, 3])
    assert clock(torch.tensor([0.3, 0.7])).tolist() == pytest.approx([1.5, 4.0])  # between codes, and beyond
    assert clock.rate(torch.tensor([0.3])).item() == pytest.approx(2.5)


def test_the_demo_loss_is_the_mean_over_all_entries_with_the_start():
    clip = noisy_clip(6, 4, 8)
    run = under_way(changed(preset("demo"), {"field.hidden": 16}), clip)
    states, index = torch.zeros(4, 4, 8), torch.arange(1, 5)
    assert run.loss(states, index, 1).item() == pytest.approx((clip.ws[1:5].square().sum() / (5 * 32)).item(), rel=1e-5)


def test_the_demo_starts_each_draw_at_its_earliest_frame():
    run = under_way(changed(preset("demo"), {"field.hidden": 16}), noisy_clip(11, 4, 8))
    subsets = [run.subset() for _ in range(50)]
    assert all(len(d) == 5 and (d.diff() > 0).all() for d in subsets)
    assert len({int(d[0]) for d in subsets}) > 2


def test_the_demo_keeps_its_last_state_and_robust_its_best():
    assert (preset("demo").training.keep, preset("robust").training.keep) == ("last", "best")
    clip = noisy_clip(5, 2, 4)
    run = under_way(changed(preset("demo"), {"field.hidden": 8}), clip)
    run.best = -1.0
    run.evaluate_fit()
    assert run.best > 0 and run.best_state is not None


def test_one_demo_step_by_hand():
    """The first Adam step with beta1 = 0 moves every weight by lr, against the gradient's sign."""
    run = under_way(changed(preset("demo"), {"field.hidden": 16}), noisy_clip(6, 4, 8))
    weight = run.field.net[0].weight
    before = weight.detach().clone()
    loss = run.full_loss(torch.arange(5))
    gradient = torch.autograd.grad(loss, weight, retain_graph=True)[0]
    run.step(loss)
    expected = before - 1.6e-4 * gradient / (gradient.abs() + 1e-8)
    assert torch.allclose(weight, expected, atol=2e-7)


def test_paper_has_the_texts_own_choices():
    paper = preset("paper")
    t = paper.training
    assert (t.iterations, t.lr, t.betas, t.eps, t.schedule) == (5000, 0.01, (0.9, 0.999), 1e-8, "constant")
    assert paper.field.time_features == "raw" and paper.field.normalise == "none" and paper.solver.solver == "dopri5"
    assert paper.losses.latent and paper.losses.image and paper.losses.lpips and paper.losses.identity
    assert latent_only(paper).losses == LossSettings()


def test_paper_scaled_is_literal_where_the_text_speaks():
    paper, scaled = preset("paper"), preset("paper_scaled")
    assert scaled.training == paper.training and scaled.losses == paper.losses and scaled.solver == paper.solver
    assert scaled.field.time_features == "raw" and scaled.field.normalise == "none" and scaled.path == "rollout"
    assert latent_only(scaled).losses == LossSettings()


def test_paper_scaled_reads_the_silence_of_the_text_so_that_it_trains():
    scaled = preset("paper_scaled")
    assert (scaled.clock, scaled.space, scaled.field.zero_init, scaled.field.depth) == ("unit", "standardised", True, 0)
    clip = noisy_clip(6, 4, 8)
    space = fit_space(scaled.space, 9 * clip.ws)
    steps = space.encode(9 * clip.ws).diff(dim=0) / (9 * clip.ws).diff(dim=0)
    assert torch.allclose(steps, steps.mean(), rtol=1e-4)  # one number: directions are untouched


def test_the_paper_loss_is_a_sum_of_squares_without_the_start():
    clip = noisy_clip(6, 4, 8)
    run = under_way(changed(latent_only(preset("paper")), {"field.hidden": 16}), clip)
    assert run.loss(torch.zeros(4, 4, 8), torch.arange(1, 5), 1).item() == pytest.approx(
        clip.ws[1:5].square().sum().item(), rel=1e-5
    )


def test_robust_is_standardised_clipped_smooth_and_starts_at_rest():
    robust = preset("robust")
    assert robust.space == "standardised" and robust.field.zero_init and robust.training.grad_clip == 1.0
    assert robust.training.schedule == "cosine" and robust.field.activation == "silu"


@pytest.mark.parametrize("start", ["first", "subset", "mixed"])
def test_starts(start):
    run = under_way(changed(preset("robust"), {"training.start": start}), noisy_clip(9, 2, 4))
    firsts = []
    for _ in range(40):
        firsts.append(int(run.subset()[0]))
        run.iteration += 1
    assert {"first": set(firsts) == {0}, "subset": len(set(firsts)) > 1, "mixed": set(firsts[::2]) == {0}}[start]


class Squares:
    """A generator, a perceptual and an identity network small enough to differentiate by hand."""

    @staticmethod
    def synthesis(ws, resolution):
        return ws.flatten(1)[:, :12].reshape(-1, 3, 2, 2).tanh()

    @staticmethod
    def perceptual(a, b):
        return (a - b).abs().mean((1, 2, 3))

    @staticmethod
    def identity(images):
        return torch.nn.functional.normalize(images.flatten(1), dim=1)


def test_image_losses_have_the_gradient_of_their_plain_sum():
    ws = torch.randn(3, 2, 8, requires_grad=True)
    targets = torch.rand(5, 3, 2, 2) - 0.5
    settings, index = LossSettings(image=1.0, lpips=0.8, identity=0.1), torch.tensor([0, 2, 4])
    loss = ImageLoss(settings, targets, Squares.synthesis, Squares.perceptual, Squares.identity)
    total = loss(ws, index)
    images = Squares.synthesis(ws, 2)
    plain = (images - targets[index]).square().mean((1, 2, 3)).sum()
    plain = plain + 0.8 * Squares.perceptual(images, targets[index]).sum()
    plain = plain + 0.1 * (1 - (Squares.identity(images) * Squares.identity(targets[index])).sum(1)).sum()
    assert total.item() == pytest.approx(plain.item(), rel=1e-5)
    assert torch.allclose(torch.autograd.grad(total, ws)[0], torch.autograd.grad(plain, ws)[0], atol=1e-6)


def test_losses_in_images_join_the_latent_one_in_a_training():
    clip = noisy_clip(6, 2, 8)
    settings = changed(preset("paper"), {"field.hidden": 16})
    run = under_way(settings, clip)
    targets = Squares.synthesis(clip.ws, 2)
    run.images = ImageLoss(settings.losses, targets, Squares.synthesis, Squares.perceptual, Squares.identity)
    run.decode = lambda states: states
    index = torch.tensor([1, 3])
    states = clip.ws[index].clone().requires_grad_(True)
    assert run.loss(states, index, 1).item() == pytest.approx(0, abs=1e-4)
    shifted = run.loss(states + 0.1, index, 1)
    assert shifted.item() > 2 * 16 * 0.01  # more than the latent part alone


def test_losses_in_images_need_the_generator(circle):
    with pytest.raises(UserError, match="belongs to weights none of mobilestylegan-ffhq"):
        single.fit(circle, preset("paper"))


def test_every_preset_is_selectable():
    names = "paper, paper_scaled, demo, robust, subspace, exact, dynode, trend+mlp, dynode[no z], trend, calm, visible"
    assert set(PRESETS) == set(names.split(", "))
    assert all(PRESETS[name].preset == name for name in PRESETS)
