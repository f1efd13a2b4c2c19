"""Retiming and transfer of a motion, rendering, and the storage of fits and clips."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import circle_codes

from dynode import cli, generators
from dynode.clips import Clip
from dynode.dynamics import fit_files, methods, retiming
from dynode.dynamics.presets import preset
from dynode.dynamics.trajectory import Shots, Trajectory
from dynode.errors import UserError
from dynode.experiments.reuse import compression
from dynode.io import video
from dynode.settings import changed


class Parabola(Trajectory):
    """z(t) = (t^2, t) between 1 and 3 seconds: everything about it is known."""

    span = (1.0, 3.0)

    def __call__(self, ts):
        ts = retiming.double(ts)
        return torch.stack([ts**2, ts], -1)[:, None].float()

    def derivative(self, ts):
        ts = retiming.double(ts)
        return torch.stack([2 * ts, torch.ones_like(ts)], -1)[:, None].float()


VARIANTS = {
    "sped": lambda path: retiming.speed_up(path, 2.5),
    "reversed": retiming.reverse,
    "eased": retiming.ease_in_out,
    "swung": retiming.ping_pong,
    "looped": retiming.Looped,
    "transferred": lambda path: retiming.Transferred(path, torch.tensor([[5.0, -1.0]])),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_a_trajectory_with_its_own_derivative(variant):
    path = VARIANTS[variant](Parabola())
    ts = torch.linspace(path.span[0] + 0.01, path.span[1] - 0.01, 37, dtype=torch.float64)
    numeric = (path(ts + 1e-3) - path(ts - 1e-3)) / 2e-3
    assert torch.allclose(path.derivative(ts), numeric, atol=0.02)
    assert torch.equal(torch.cat(list(path.chunks(ts, 5))), path(ts))


def test_time_warps_are_what_their_names_say():
    path = Parabola()
    assert retiming.speed_up(path, 2.0).span == (1.0, 2.0)
    assert torch.allclose(retiming.speed_up(path, 2.0)([1.5])[0, 0], torch.tensor([4.0, 2.0]))
    assert torch.allclose(retiming.reverse(path)([1.0, 2.5])[:, 0, 1], torch.tensor([3.0, 1.5]))
    eased = retiming.ease_in_out(path)
    assert torch.allclose(eased([1.0, 2.0, 3.0])[:, 0, 1], torch.tensor([1.0, 2.0, 3.0]))
    assert eased.derivative([1.0, 3.0]).abs().max() < 1e-6 < eased.derivative([2.0]).abs().max()
    swung = retiming.ping_pong(path)
    assert swung.span == (1.0, 5.0) and torch.allclose(swung([1.0, 3.0, 5.0])[:, 0, 1], torch.tensor([1.0, 3.0, 1.0]))


def test_a_loop_is_the_path_itself_where_nothing_is_blended_and_closes_without_a_seam():
    path, loop = Parabola(), retiming.Looped(Parabola(), 0.25)
    assert loop.span == (1.0, 2.5)
    assert torch.allclose(loop([1.6, 2.4, 2.4 + 1.5, 2.4 - 3.0])[:, 0, 1], torch.tensor([1.6, 2.4, 2.4, 2.4]))
    aside, end = 1e-5, path([2.5])
    assert torch.allclose(loop([1.0 + aside]), end, atol=1e-3) and torch.allclose(loop([2.5 - aside]), end, atol=1e-3)
    velocities = loop.derivative([1.0 + aside, 2.5 - aside])
    assert torch.allclose(velocities[0], velocities[1], atol=1e-2)


def test_seams_are_measured():
    plain, loop, swing = (
        retiming.Seam.of(variant(Parabola()), 24) for variant in (lambda p: p, retiming.Looped, retiming.ping_pong)
    )
    steps = Parabola()(torch.linspace(1, 3, 49)).diff(dim=0).flatten(1).norm(dim=1).mean()
    assert plain.value == pytest.approx(float(math.hypot(8, 2) / steps), rel=1e-3)
    assert plain.velocity > 0.5 and max(loop.value, loop.velocity, swing.value, swing.velocity) < 1e-3


def test_a_closed_path_is_rendered_once_around():
    assert len(retiming.frame_times(Parabola(), 10)) == 21
    ts = retiming.frame_times(retiming.Looped(Parabola()), 10)
    assert len(ts) == 15 and ts[0] == 1.0 and ts[-1] == pytest.approx(2.4)
    assert len(retiming.frame_times(retiming.ping_pong(Parabola()), 0.01)) == 1


@pytest.mark.parametrize("speed", [0.0, -1.0, 1e-4, 1e4, math.nan, math.inf])
def test_impossible_speeds_are_refused(speed):
    with pytest.raises(UserError, match="speed must lie between 0.001 and 1000"):
        retiming.retime(Parabola(), speed)


def test_other_nonsense_is_refused():
    with pytest.raises(UserError, match="did you mean 'swing'"):
        retiming.retime(Parabola(), loop="swung")
    with pytest.raises(UserError, match="at most 0.5, got 0.9"):
        retiming.Looped(Parabola(), 0.9)
    with pytest.raises(UserError, match=r"codes \(1, 2\) cannot move a code \(3, 4\)"):
        retiming.Transferred(Parabola(), torch.zeros(3, 4))
    with pytest.raises(UserError, match="a field to follow"):
        retiming.Restarted(Parabola(), torch.zeros(1, 2), 1.0)


def test_speed_comes_before_direction_and_loop():
    path = retiming.retime(Parabola(), speed=2.0, backward=True, loop="swing")
    assert path.span == (1.0, 3.0) and torch.allclose(path([1.0, 2.0])[:, 0, 1], torch.tensor([3.0, 1.0]))


@pytest.fixture(scope="module")
def exact():
    """A roll-out that meets half a turn of a circle."""
    ts = torch.linspace(0, 0.5, 9, dtype=torch.float64)
    clip = Clip(circle_codes(ts), ts, meta={"name": "circle"})
    return clip, methods.fit(clip, changed(preset("exact"), {"training.newton_steps": 10}))


def test_solving_backward_undoes_solving_forward(exact):
    clip, fit = exact
    back = retiming.Restarted(fit, fit([0.5])[0], 0.5)
    assert torch.allclose(back(clip.ts), fit(clip.ts), atol=2e-3)
    assert torch.allclose(torch.cat(list(back.chunks(clip.ts, 4))), back(clip.ts))
    assert torch.allclose(back.derivative([0.2]), fit.derivative([0.2]), atol=0.05)


def test_a_field_solved_from_another_code_keeps_the_part_outside_its_space(exact):
    clip, fit = exact
    aside = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    flow, offset = retiming.Restarted(fit, clip.ws[0] + aside, 0.0), retiming.Transferred(fit, clip.ws[0] + aside)
    assert torch.allclose(flow([0.0])[0], clip.ws[0] + aside, atol=1e-5)
    outside = (flow.offset - offset.offset).flatten() @ fit.space.basis.T
    assert flow.offset.norm() > 0.1 and torch.isfinite(outside).all()
    assert (flow.offset.flatten() @ fit.space.basis.T).abs().max() < 1e-4


def test_paths_of_several_shots_run_backward_too():
    ts = torch.tensor([0.0, 0.1, 0.2, 0.3, 1.0, 1.1, 1.2])
    codes = torch.arange(7.0)[:, None, None]
    clip = Clip(codes, ts, shots=torch.tensor([0, 0, 0, 0, 1, 1, 1]), meta={"name": "cut"})
    fit = methods.fit(clip, changed(preset("trend+mlp"), {"training.segment_iterations": 2}))
    assert isinstance(fit, Shots)
    times = retiming.frame_times(retiming.reverse(fit), 20)
    backward = retiming.reverse(fit)
    assert torch.allclose(torch.cat(list(backward.chunks(times, 4))), backward(times), atol=1e-6)


def test_fits_are_counted_and_survive_half_precision(exact):
    clip, fit = exact
    numbers = fit_files.numbers(fit)
    assert numbers["field"] == fit.log["parameters"]
    assert numbers["space"] == 24 + 2 * 24 + 1 and numbers["start"] == 2 + 1  # mean, basis, scale; state, time
    half = fit_files.halved(fit)
    gap = (half(clip.ts) - fit(clip.ts)).abs().max()
    assert 0 < gap < 0.02 and all(torch.equal(p, p.half().float()) for p in half.field.parameters())


def test_representations_of_a_clip_have_sizes_and_give_codes_back():
    ts = torch.linspace(0, 0.5, 9, dtype=torch.float64)
    clip = Clip(circle_codes(ts), ts, meta={"name": "circle"}).sampled("regular", 4)
    whole, lines, few = (
        compression.all_codes(clip),
        compression.linear_interpolation(clip),
        compression.components(clip, 2),
    )
    assert whole.bytes("float32") == 4 * (9 * 24 + 9) and whole.bytes("float16") == 2 * (9 * 24 + 9)
    assert torch.equal(whole.codes("float32"), clip.ws) and lines.bytes("float16") == 2 * (3 * 24 + 9)
    assert torch.allclose(lines.codes("float32"), methods.fit(clip, "linear")(ts))
    assert torch.allclose(few.codes("float32"), clip.ws, atol=1e-5)  # a circle has two dimensions
    assert 0 < (few.codes("float16") - clip.ws).abs().max() < 0.01
    assert compression.demo_numbers((18, 512)) == {"field": 1_313_280, "start": 18 * 512}


def test_a_video_of_images_tells_its_size_and_its_loss():
    images = torch.linspace(-1, 1, 32).expand(4, 3, 32, 32).clone()
    (small, rough), (large, fine) = (compression.as_video(images, 10, crf) for crf in (40, 5))
    assert small < large and (fine - images).abs().mean() < (rough - images).abs().mean() < 0.2


def test_render_takes_speed_direction_and_loop(tmp_path, exact, capsys):
    clip, _ = exact
    name = "stylegan2-isaac3d-factors"
    meta = {"name": "robot", "generator": name, "generator_hash": generators.hash_of(name)}
    shape, rng = (10, 128), torch.Generator().manual_seed(0)
    robot = replace(clip, ws=circle_codes(clip.ts, *shape) + torch.randn(shape, generator=rng), meta=meta)
    fit = methods.fit(robot, changed(preset("trend+mlp"), {"training.segment_iterations": 1}))
    file = fit.save(tmp_path / "fit.safetensors")

    def frames(*options):
        target = tmp_path / "out.mp4"
        command = ["render", str(file), "-o", str(target), "--fps", "12", "--resolution", "16", *options]
        assert cli.main(command) == 0
        return video.read(target)[0].astype(float)

    plain, slow, back = frames(), frames("--speed", "0.5"), frames("--reverse")
    assert (len(plain), len(slow), len(back)) == (7, 13, 7)
    assert np.abs(back[::-1] - plain).mean() < 4 < np.abs(back - plain).mean()
    assert len(frames("--loop", "swing")) == 12 and len(frames("--loop", "blend", "--speed", "0.5")) == 9
    capsys.readouterr()
    for options, message in (
        (("--speed", "0"), "between 0.001 and 1000, got 0"),
        (("--loop", "round"), "no loop 'round'"),
    ):
        assert cli.main(["render", str(file), "-o", str(tmp_path / "no.mp4"), *options]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "no.mp4").exists()
