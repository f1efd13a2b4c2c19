"""RIGID's recurrent encoder: what it reads and remembers, its losses, its training, its file."""

import dataclasses

import pytest
import torch
from conftest import built_lpips

from dynode import generators
from dynode.errors import UserError
from dynode.inversion.joint import recurrent_files as files
from dynode.inversion.joint.face_masks import FaceMasks
from dynode.inversion.joint.recurrence import Recurrence
from dynode.inversion.joint.recurrent_encoder import (
    EMBEDDED,
    ConvLSTM,
    RecurrentEncoder,
    RecurrentSettings,
    base_codes,
    coarse_rows,
)
from dynode.metrics.warping import warped
from dynode.training.rigid import footage_windows, train_rigid
from dynode.training.rigid.footage_windows import RandomEdits, Shot, random_edits, random_window, runs
from dynode.training.rigid.rigid_losses import Neighbours, WindowLosses, neighbours
from dynode.training.rigid.rigid_settings import RIGIDTrainingSettings
from dynode.training.rigid.train_rigid import RIGIDTrainer, save_recurrent_encoder
from dynode.video_editing.cost_counters import Counters

SHAPE = RecurrentSettings(widths=(8, 8, 8, 8, 8, 8), hidden=8)
SETTINGS = RIGIDTrainingSettings(encoder=SHAPE, window=3, windows=4, lr=1e-2, editor="flow", flow_resolution=16)


@pytest.fixture(scope="module")
def scene():
    return generators.load("stylegan2-scene-factors")


@pytest.fixture(scope="module")
def shot(scene):
    """Five frames of a path of codes, and codes near them as an encoder gives them."""
    rng = torch.Generator().manual_seed(0)
    ends = scene.mapping(torch.randn(2, scene.z_dim, generator=rng))
    ws = torch.stack([torch.lerp(*ends, t) for t in torch.linspace(0, 0.4, 5)])
    frames = generators.render(scene, ws, 64)
    encoded = ws + 0.1 * scene.w_std * torch.randn(ws.shape, generator=rng)
    return Shot(frames, encoded, neighbours(frames, 32))


@pytest.fixture
def training(scene, shot, monkeypatch):
    monkeypatch.setattr(train_rigid, "LPIPS", built_lpips)
    return lambda **changes: RIGIDTrainer(dataclasses.replace(SETTINGS, **changes), scene, [shot])


def changed(encoder):
    """An encoder whose offsets are not zero."""
    torch.nn.init.normal_(encoder.offsets.weight, generator=torch.Generator().manual_seed(0))
    return encoder.requires_grad_(False)


def test_an_untrained_one_leaves_the_base_codes(scene, shot):
    encoder = RecurrentEncoder(SHAPE, scene)
    step = Recurrence(encoder, scene).step(shot.frames[:1], shot.encoded[:1], lambda ws: ws + 1)
    assert torch.equal(step.ws, shot.encoded[:1]) and torch.equal(step.edited, step.ws + 1)
    assert step.state[0].shape == (1, 8, 4, 4)


def test_coarse_rows_are_those_of_layers_up_to_64_pixels(generator, scene):
    assert coarse_rows(generator, 64) == 13
    assert 1 <= coarse_rows(scene, 64) < scene.num_ws, "of smaller images up to a quarter of their side"
    encoded = torch.randn(4, 23, 512)
    base = base_codes(encoded, 13)
    assert torch.equal(base[:, :13], encoded[:, :13]) and torch.equal(base[:, 13:], encoded[:1, 13:].expand(4, -1, -1))
    assert torch.equal(base_codes(encoded, 13, fine=False), encoded)


@pytest.mark.parametrize("changes", ["source before", "source", "reconstruction before", "edited before", "state"])
def test_offsets_depend_on_all_that_is_read(scene, changes):
    encoder = changed(RecurrentEncoder(SHAPE, scene))
    images = [torch.rand(1, 3, 64, 64) for _ in range(4)]
    state = encoder(tuple(images), None)[1]
    before = encoder(tuple(images), state)[0]
    if changes == "state":
        after = encoder(tuple(images), None)[0]
    else:
        at = ["source before", "source", "reconstruction before", "edited before"].index(changes)
        after = encoder((*images[:at], -images[at], *images[at + 1 :]), state)[0]
    rows = encoder.rows
    assert not torch.allclose(before[:, :rows], after[:, :rows]) and not before[:, rows:].any()


def test_the_memory_is_a_convolutional_lstm():
    cell = ConvLSTM(2).requires_grad_(False)
    x = torch.randn(1, 2, 4, 4)
    hidden, inside = cell(x, cell(x, None))
    gates = cell.gates(torch.cat([x, cell(x, None)[0]], 1)).chunk(4, 1)
    wanted = gates[1].sigmoid() * cell(x, None)[1] + gates[0].sigmoid() * gates[3].tanh()
    assert torch.allclose(inside, wanted) and torch.allclose(hidden, gates[2].sigmoid() * wanted.tanh())


def test_images_are_pasted_within_the_mask(scene, shot):
    left = torch.zeros(1, 1, 64, 64)
    left[..., :32] = 1
    step = Recurrence(RecurrentEncoder(SHAPE, scene), scene, lambda image: left).step(
        shot.frames[:1], shot.encoded[:1], lambda ws: ws + 0.5
    )
    assert torch.equal(step.reconstruction[..., 32:], shot.frames[:1, ..., 32:])
    assert not torch.equal(step.reconstruction[..., :32], step.edited_image[..., :32])


def test_the_mask_of_a_face_is_the_hull_of_jaw_and_brows():
    points = torch.full((1, 68, 2), 0.5)
    points[0, :27] = torch.tensor([[0.3, 0.3], [0.7, 0.3], [0.5, 0.8]]).repeat(9, 1)
    counters = Counters()
    mask = FaceMasks(lambda image: points, counters)(torch.zeros(1, 3, 128, 128))[0, 0]
    assert mask[60, 64] == 1 and mask[10, 64] == 0 and mask[120, 10] == 0 and counters.segmentations == 1


# losses


def losses(**changes):
    return WindowLosses(dataclasses.replace(SETTINGS, **changes), built_lpips("alex"))


def test_a_perfect_reconstruction_that_moves_as_its_source_costs_nothing(shot):
    window = shot.window(0, 3)
    terms = losses()(window.frames, window.frames, window.frames, window.flows)
    assert terms["reconstruction"] < 1e-6 and terms["short_term"] == 0
    assert terms["in_between"] < losses().in_between(
        window.frames * torch.tensor([1.0, -1, 1])[:, None, None, None], window.flows
    )


def test_the_in_between_term_is_the_published_one():
    torch.manual_seed(0)
    edited, flows = torch.rand(3, 3, 8, 8), torch.randn(4, 1, 2, 8, 8)
    before, after = torch.cat([flows[0], flows[1]]), torch.cat([flows[2], flows[3]])
    visible = torch.tensor([[1.0, 0.0, 1.0, 0.0]] * 2)[:, None].repeat(1, 8, 2)  # (2, 8, 8): from frame 1 back, columns
    there = torch.tensor([[1.0, 1.0, 0.0, 0.0]] * 2)[:, None].repeat(1, 8, 2)
    near = Neighbours(before, after, visible, there)
    share = near.share(1)
    assert share[0, :4].tolist() == [0.5, 0.0, 1.0, 0.5]
    wanted = share * warped(edited[:1], flows[0]) + (1 - share) * warped(edited[2:], flows[3])
    expected = 5 * (edited[1:2] - wanted).abs().mean()
    assert torch.allclose(losses().in_between(edited, near), expected)


@pytest.mark.parametrize(
    "off",
    [
        {"mse": 0.0},
        {"lpips": 0.0},
        {"short_term": 0.0},
        {"in_between": 0.0},
        {"fine_of_first": False},
        {"remembers": False},
    ],
    ids=lambda off: next(iter(off)),
)
def test_each_defining_term_counts(training, off):
    with_it, without = training(), training(**off)
    for each in (with_it, without):
        each.train_batches(3)
    assert not torch.allclose(with_it.encoder.offsets.weight, without.encoder.offsets.weight, atol=1e-5)


# what is drawn


def test_a_window_has_neighbouring_frames_of_one_shot(shot):
    shots, rng = [shot.window(0, 3), shot], torch.Generator().manual_seed(0)
    firsts = {tuple(random_window(shots, 3, rng).encoded[0, 0, :2].tolist()) for _ in range(40)}
    assert firsts == {tuple(shot.encoded[k, 0, :2].tolist()) for k in range(3)}
    window = shot.window(1, 3)
    assert torch.equal(window.frames, shot.frames[1:4]) and torch.equal(window.flows.before, shot.flows.before[1:3])


def test_cuts_and_frames_without_the_face_end_a_stretch():
    detected = torch.tensor([True, True, False, True, True, True])
    assert runs(torch.tensor([0, 0, 0, 0, 1, 1]), detected) == [[0, 1], [3], [4, 5]]


def test_edits_are_drawn_within_their_ranges(scene):
    edits, rng = random_edits("flow", scene, 0.5), torch.Generator().manual_seed(0)
    drawn = [edits.draw(rng) for _ in range(30)]
    assert isinstance(edits, RandomEdits) and len({id(editor) for editor, _ in drawn}) == len(edits.editors) == 3
    assert all(-4 <= strength <= 4 for _, strength in drawn) and len({strength for _, strength in drawn}) == 30
    with pytest.raises(UserError, match="choose another by -p editor=NAME, of flow, ganspace, styleclip"):
        random_edits("latent-transformer", scene, 1.0)


# training


def test_it_learns_what_the_encoder_missed(training):
    trainer = training(windows=20, lr=3e-3, short_term=0.0, in_between=0.0, lpips=0.0)
    trainer.loop()
    curve = trainer.curve_rows()
    assert sum(row["reconstruction"] for row in curve[-6:]) < 0.9 * sum(row["reconstruction"] for row in curve[:6])
    assert curve[-1]["windows"] == 20 and trainer.uses.counts()["optimiser_steps"] == 20
    assert trainer.uses.counts()["generator_forward"] == 2 * trainer.uses.counts()["generator_backward"] == 20 * 3 * 2


def test_a_stopped_training_goes_on_and_another_one_is_refused(training, tmp_path):
    whole = training()
    whole.train_batches(4)
    first = training()
    first.train_batches(2)
    first.save(tmp_path / "c.checkpoint")
    second = training()
    second.resume(tmp_path / "c.checkpoint")
    assert second.shown == 6 and second.uses.counts()["optimiser_steps"] == 2
    second.train_batches(2)
    assert torch.equal(second.encoder.offsets.weight, whole.encoder.offsets.weight)
    assert second.curve_rows() == whole.curve_rows()
    with pytest.raises(UserError, match="another training"):
        training(lr=1e-3).resume(tmp_path / "c.checkpoint")


def test_files(training, scene, generator, tmp_path, monkeypatch):
    trainer = training()
    trainer.train_batches(1)
    card = save_recurrent_encoder(trainer, tmp_path / files.file_name(scene.name))
    assert (
        "re-implementation" in card["method"]
        and card["windows_shown"] == 1
        and "optical_flow[tvl1]" in card["stand_ins"]
    )
    assert (card["counts"]["optimiser_steps"], card["counts"]["flow_calls"]) == (1, 2 * 4)
    monkeypatch.chdir(tmp_path)
    path = files.located("", scene)
    loaded, images = files.load(path, scene), tuple(torch.rand(1, 3, 64, 64) for _ in range(4))
    assert torch.allclose(loaded(images, None)[0], trainer.encoder(images, None)[0], atol=1e-2)
    assert files.card(path) == card
    with pytest.raises(UserError, match="train a recurrent encoder for them"):
        files.load(path, generator)
    with pytest.raises(
        UserError, match="has no trained weights for mobilestylegan-ffhq: train them by `dynode train rigid"
    ):
        files.located("", generator)


def test_the_defaults_are_the_published_ones_and_the_embedded_ones_name_what_they_change(generator, tmp_path):
    published = RIGIDTrainingSettings()
    assert (published.mse, published.lpips, published.short_term, published.in_between) == (1, 0.8, 2, 5)
    assert (published.window, published.lr, published.encoder.widths[-1]) == (5, 1e-4, 512)
    files.save(RecurrentEncoder(EMBEDDED, generator), tmp_path / "e.safetensors", generator, {})
    assert (tmp_path / "e.safetensors").stat().st_size < 2e6


def test_clips_of_several_generators_are_refused(circle):
    other = dataclasses.replace(circle, meta=circle.meta | {"generator": "stylegan2-scene-factors"})
    with pytest.raises(UserError, match="clips of one generator, got mobilestylegan-ffhq and stylegan2-scene-factors"):
        train_rigid.generator_of([circle, other])


def test_shots_come_of_a_clips_frames_and_its_generators_encoder(scene, shot, monkeypatch, circle):
    clip = dataclasses.replace(circle.head(5), shots=torch.tensor([0, 0, 0, 1, 1]))
    monkeypatch.setattr(footage_windows, "reference_frames", lambda clip, size, footage: shot.frames)
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 4)).requires_grad_(False)
    (only,) = footage_windows.shots_of(clip, encoder, 64, 32, 3)
    assert len(only.frames) == 3 and only.flows.before.shape == (2, 2, 64, 64) and only.encoded.shape == (3, 4)
