"""Joint inversion of windows of frames: each term counts, every frame gets a code, a stopped run goes on."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import built_lpips

from dynode.errors import UserError
from dynode.generators.stylegan2 import StyleGAN2, StyleGAN2Settings
from dynode.inversion.frame_sources import FrameSource
from dynode.inversion.joint import invert_windows as module
from dynode.inversion.joint.image_flow import flow_between, visibility
from dynode.inversion.joint.window_losses import WindowLoss, vgg_features
from dynode.inversion.joint.window_settings import EMBEDDED, WindowSettings, fitted_to
from dynode.inversion.joint.windows import WindowInverter
from dynode.inversion.observer import NoObserver, observed_generator
from dynode.inversion.partial_results import Partial
from dynode.video_editing.cost_counters import Counters

SETTINGS = WindowSettings(window=3, start="w_avg", first_steps=3, steps=2, lr=0.05, resolution=16, flow_resolution=16)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    network = StyleGAN2(StyleGAN2Settings(resolution=16, z_dim=6, w_dim=8, channel_base=64, channel_max=8))
    network.name = "tiny"
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def frames():
    """Seven frames of a picture that moves to the right by a pixel a frame."""
    rng = np.random.default_rng(0)
    ground = torch.from_numpy(np.kron(rng.uniform(-1, 1, (3, 8, 12)), np.ones((1, 2, 2)))).float()
    return torch.stack([ground[:, :, 7 - k : 23 - k] for k in range(7)])


def inverter(tiny, settings, observer=None):
    observer = observer or NoObserver()
    loss = WindowLoss(settings, built_lpips("vgg"), observer)
    return WindowInverter(observed_generator(tiny, observer), loss, settings)


def inverted(tiny, images, observer=None, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    start = torch.zeros(tiny.num_ws, tiny.w_dim)
    return inverter(tiny, settings, observer).invert(images, start, settings.first_steps)


def test_increments_are_cumulative_and_the_same_in_all_rows(tiny, frames):
    ws = inverted(tiny, frames[:3])
    increments = ws.diff(dim=0)
    assert ws.shape == (3, tiny.num_ws, 8) and increments.abs().amin() > 0
    assert torch.allclose(increments, increments[:, :1].expand_as(increments), atol=1e-6)
    assert not torch.allclose(ws[0, 0], ws[0, 1]), "the base has rows of its own"


@pytest.mark.parametrize(
    "off",
    [
        {"lambda_mse": 0.0},
        {"lambda_features": 0.0},
        {"lambda_flow": 0.0},
        {"shared": False},
        {"cumulative": False},
    ],
    ids=lambda off: next(iter(off)),
)
def test_each_defining_term_counts(tiny, frames, off):
    assert not torch.allclose(inverted(tiny, frames[:3]), inverted(tiny, frames[:3], **off), atol=1e-4)


def test_frames_of_a_window_decide_the_code_of_its_first(tiny, frames):
    alone, joint = inverted(tiny, frames[:1]), inverted(tiny, frames[:3])
    assert not torch.allclose(alone[0], joint[0], atol=1e-4)


def test_the_gradient_frame_by_frame_is_that_of_the_published_loss(tiny, frames):
    """Against the loss written down as it stands, for all frames at once."""
    settings = dataclasses.replace(SETTINGS, lambda_features=0.0)
    work, images = inverter(tiny, settings), frames[:3]
    target, ws = work.loss.target(images), 0.1 * torch.randn(3, tiny.num_ws, 8).requires_grad_(True)
    made = tiny.synthesis(ws, 16)
    loss = (made - images).square().mean()
    for k in (1, 2):
        away, back = flow_between(images[0], images[k], 16)
        loss = loss + 0.5 * (sampled(made[0], back) - sampled(images[0], back)).square().mean()
        loss = loss + 0.5 * (sampled(made[k], away) - sampled(images[k], away)).square().mean()
    (wanted,) = torch.autograd.grad(loss, ws)
    assert torch.allclose(work.gradient(ws.detach(), target), wanted, atol=1e-6)


def sampled(image, flow):
    from dynode.metrics.warping import warped

    return warped(image[None], flow[None])[0]


def test_a_window_counts_its_steps_passes_and_flows(tiny, frames):
    counters = Counters()
    inverted(tiny, frames[:3], counters)
    assert (counters.generator_forward, counters.generator_backward) == (9, 9)  # 3 frames, 3 steps
    assert counters.flow_calls == 4


def test_flow_of_a_moving_picture_is_its_motion_at_any_size(frames):
    enlarged = torch.nn.functional.interpolate(frames, scale_factor=4, mode="bilinear")
    there, back = flow_between(enlarged[0], enlarged[1], 32)
    inside = (slice(None), slice(16, 48), slice(16, 48))
    assert there[inside][0].median() == pytest.approx(4, abs=0.7)
    assert back[inside][0].median() == pytest.approx(-4, abs=0.7)
    assert visibility(there, back)[16:48, 16:48].mean() > 0.6


def test_features_are_those_of_vgg16s_four_layers():
    lpips = built_lpips("vgg")
    features = vgg_features(lpips, torch.zeros(1, 3, 64, 64), 32)
    assert [tuple(each.shape[1:]) for each in features] == [(64, 32, 32), (64, 32, 32), (256, 8, 8), (512, 4, 4)]
    assert torch.equal(features[1], lpips.model.net(lpips.model.scaling_layer(torch.zeros(1, 3, 32, 32)))[0])


# all frames of a source


def source_of(frames, shots=None, detected=None):
    count = len(frames)
    detected = np.ones(count, dtype=bool) if detected is None else np.array(detected)
    shots = np.zeros(count, dtype=np.int64) if shots is None else np.array(shots)

    def images(indices, size):
        yield from frames[indices]

    return FrameSource(np.arange(count) / 25, detected, shots, None, detected, images)


@pytest.mark.parametrize("shots", [[0] * 7, [0] * 5 + [1] * 2, [0] * 6 + [1]])
def test_every_frame_is_kept_once_in_order(frames, shots):
    source = source_of(frames, shots)
    windows = module.windows_of(source, SETTINGS)
    kept = [window.frames[k] for window in windows for k in window.order]
    assert kept == list(range(7))
    assert all(len({shots[k] for k in window.frames}) == 1 for window in windows), "a window lies in one shot"


def test_a_window_slides_and_the_last_one_is_reversed(frames):
    windows = module.windows_of(source_of(frames), dataclasses.replace(SETTINGS, start="previous"))
    assert [window.frames for window in windows] == [(0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 6), (6, 5, 4)]
    assert [window.follows for window in windows] == [False, True, True, True, True, False]
    assert [window.steps for window in windows] == [3, 2, 2, 2, 2, 3] and windows[-1].kept == 2


@pytest.fixture
def sources(tiny, frames, monkeypatch):
    """Inversions of sources by the tiny generator."""
    monkeypatch.setattr(module.generators, "load", lambda name, device: tiny)
    monkeypatch.setattr(module.generators, "category_of", lambda name: "scene")
    monkeypatch.setattr(module.registry, "base_of", lambda name: name)
    monkeypatch.setattr(module.registry, "tuning_of", lambda name: None)
    monkeypatch.setattr(module, "LPIPS", built_lpips)
    tiny.hash = "0" * 12
    return lambda output, settings=SETTINGS, observer=None, **known: module.invert_windows(
        source_of(frames, **known), output, {"source": "film"}, settings, "tiny", observer=observer
    )


def test_the_tail_is_that_of_a_reversed_window(tiny, frames, sources, tmp_path):
    clip = sources(tmp_path / "whole.safetensors")
    tail = inverter(tiny, SETTINGS).invert(frames[[6, 5, 4]], tiny.w_avg.expand(tiny.num_ws, -1), 3)
    assert torch.allclose(clip.ws[[6, 5]], tail[:2], atol=2e-3) and len(clip) == 7
    first = inverter(tiny, SETTINGS).invert(frames[:3], tiny.w_avg.expand(tiny.num_ws, -1), 3)
    assert torch.allclose(clip.ws[0], first[0], atol=2e-3)


def test_a_clip_says_how_it_was_made_and_what_it_cost(sources, tmp_path):
    counters = Counters()
    clip = sources(tmp_path / "whole.safetensors", observer=counters)
    meta = clip.meta
    assert (meta["inversion"], meta["flow"], meta["protocol"]) == ("igci", "optical_flow[tvl1]", "chain")
    assert meta["settings"]["window"] == 3 and len(meta["mse"]) == 7
    assert counters.optimiser_steps == clip.optimiser_steps == 18  # six windows of three steps
    assert counters.flow_calls == 6 * 4 and counters.generator_backward == 6 * 3 * 3


def test_a_stopped_inversion_goes_on_with_equal_results_and_another_one_is_refused(sources, tmp_path, monkeypatch):
    settings = dataclasses.replace(SETTINGS, start="previous")
    whole, append = sources(tmp_path / "whole.safetensors", settings), Partial.append

    def interrupted(self, projections, steps):
        append(self, projections, steps)
        if len(self.done) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Partial, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sources(tmp_path / "again.safetensors", settings)
    monkeypatch.setattr(Partial, "append", append)
    with pytest.raises(UserError, match="belongs to another inversion"):
        sources(tmp_path / "again.safetensors", SETTINGS)
    again = sources(tmp_path / "again.safetensors", settings)
    assert torch.equal(again.ws, whole.ws) and again.optimiser_steps == whole.optimiser_steps


def test_frames_without_the_face_are_interpolated_and_marked(sources, tmp_path):
    clip = sources(tmp_path / "c.safetensors", detected=[True] * 3 + [False] + [True] * 3)
    assert clip.detected.tolist() == [True] * 3 + [False] + [True] * 3
    assert torch.allclose(clip.ws[3], (clip.ws[2] + clip.ws[4]) / 2, atol=2e-3)


def test_the_defaults_are_the_published_ones_and_the_embedded_ones_name_what_they_change():
    published = WindowSettings()
    assert (published.window, published.steps, published.lr, published.start) == (5, 5000, 0.01, "zero")
    changed = {f.name for f in dataclasses.fields(published) if getattr(published, f.name) != getattr(EMBEDDED, f.name)}
    assert changed == {"start", "first_steps", "steps", "resolution", "flow_resolution", "precision"}
    assert fitted_to(published, 64).resolution == 64
    with pytest.raises(UserError, match="did you mean 'zero'"):
        WindowSettings(start="zeros")
