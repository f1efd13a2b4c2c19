"""Projection on a real frame, and resuming an inversion that was interrupted."""

import numpy as np
import pytest
import torch

from dynode import cli, generators
from dynode.clips import Clip, load
from dynode.dynamics import methods
from dynode.errors import UserError
from dynode.evaluation import Evaluator
from dynode.evaluation.trajectories import method_rows
from dynode.generators import weights
from dynode.generators.stylegan2 import StyleGAN2, StyleGAN2Settings
from dynode.inversion import encoder_files as encoders
from dynode.inversion import frame_sources, partial_results
from dynode.inversion import invert_frames as inversion
from dynode.inversion.encoder import Encoder, EncoderSettings
from dynode.inversion.projection import Projection, Projector, ramped_rate
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.io import assets
from dynode.io.video import Stretch, read
from dynode.perception import alignment, face_tracking
from dynode.perception.face_tracking import aligned_crops
from dynode.perception.lpips import LPIPS
from dynode.worlds import WORLDS
from dynode.worlds.film import film

TINY = ProjectionSettings(first_steps=2, steps=1)


def test_the_learning_rate_ramps_up_and_down():
    rates = [ramped_rate(1.0, k / 100) for k in range(101)]
    assert rates[0] == 0 and max(rates) == 1 and rates[100] == pytest.approx(0)
    assert rates[5] == pytest.approx(1) and rates[75] == pytest.approx(1) and 0 < rates[90] < 0.5


def test_a_few_steps_on_a_real_frame_come_closer_to_it(generator):
    clip = load("single_face.warm")
    shots, _ = read(assets.fetch("single-face-video"), 1)
    target = torch.stack(list(aligned_crops(shots, clip.quads[:1].numpy())))
    projector, losses = Projector(generator, LPIPS("vgg"), ProjectionSettings()), []
    (result,) = projector.project(
        target, projector.average(), 6, 0.05, lambda _, mse, lpips: losses.append(mse + lpips)
    )
    assert result.ws.shape == (23, 512) and len(losses) == 6
    assert result.mse + result.lpips < 0.9 * losses[0]


def test_an_interrupted_inversion_resumes_with_equal_results(tmp_path, monkeypatch):
    video = assets.fetch("single-face-video")
    whole = inversion.invert(video, tmp_path / "whole.safetensors", settings=TINY, stretch=Stretch(count=3))
    append = partial_results.Partial.append

    def interrupted(self, projections, steps):
        append(self, projections, steps)
        if len(self.done) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(partial_results.Partial, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inversion.invert(video, tmp_path / "cut.safetensors", settings=TINY, stretch=Stretch(count=3))
    assert len(list((tmp_path / "cut.safetensors.partial").iterdir())) == 2
    other = ProjectionSettings(first_steps=3, steps=1)
    with pytest.raises(UserError, match="another inversion"):
        inversion.invert(video, tmp_path / "cut.safetensors", settings=other, stretch=Stretch(count=3))
    monkeypatch.setattr(partial_results.Partial, "append", append)
    resumed = inversion.invert(video, tmp_path / "cut.safetensors", settings=TINY, stretch=Stretch(count=3))
    assert resumed.optimiser_steps == whole.optimiser_steps == resumed.meta["optimiser_steps"] > 0
    assert torch.equal(resumed.ws, whole.ws) and torch.equal(resumed.quads, whole.quads)
    assert not (tmp_path / "cut.safetensors.partial").exists()
    assert Clip.load(tmp_path / "cut.safetensors").meta["mse"] == whole.meta["mse"]


@pytest.mark.parametrize("candidates", [0, 40])
def test_a_frame_without_a_predecessor_starts_from_the_nearest_candidate(small, candidates):
    network = generators.load(small)
    projector = Projector(network, LPIPS("alex"), ProjectionSettings(resolution=32, candidates=candidates))
    if not candidates:
        assert torch.equal(projector.starts(torch.zeros(2, 3, 32, 32)), projector.average(2))
        return
    ws, images = projector.candidates
    assert torch.equal(projector.starts(images[[7, 31]] + 0.01), ws[[7, 31]])


def test_a_moved_start_is_the_code_before_plus_what_the_encoder_sees_change(small, monkeypatch):
    network = generators.load(small)
    encoder = lambda images: images.mean((1, 2, 3))[:, None, None].expand(-1, network.num_ws, network.w_dim)  # noqa: E731
    settings = ProjectionSettings(resolution=32, start="moved", first_steps=7, steps=3)
    projector, started = Projector(network, LPIPS("alex"), settings, encoder=encoder), []

    def project(images, starts, steps, lr, callback):
        started.append((starts.mean().item(), steps))
        return [Projection(starts[0] + 10, 0.0, 0.0, 0.0)]

    monkeypatch.setattr(projector, "project", project)
    dark, light = (torch.full((1, 3, 32, 32), value) for value in (0.25, 0.5))
    (first,) = projector.frames(dark, None)
    (second,) = projector.frames(light, first)
    assert started == [(0.25, 7), (10.5, 3)]
    assert first.encoded is not None and second.encoded is not None and second.encoded.mean() == 0.5
    assert settings.encoded and not settings.independent


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A file of weights of a generator of 32 pixels, of a world."""
    torch.manual_seed(0)
    shape = StyleGAN2Settings(resolution=32, z_dim=9, w_dim=12, depth=2, channel_base=256, channel_max=8)
    network, path = StyleGAN2(shape), tmp_path_factory.mktemp("weights") / "small.safetensors"
    network.measure(200)
    weights.save(network, path, {"world": "scene"})
    return str(path)


def test_an_encoder_gives_the_codes_or_where_to_start(small, tmp_path, capsys):
    network = generators.load(small)
    encoder = Encoder(EncoderSettings(channel_base=256, channel_max=8, hidden=8, passes=2), network).eval()
    encoders.save(encoder, tmp_path / "e.safetensors", "small", {})
    base = ["world", "invert", "scene", "day", "--seconds", "0.2", "--fps", "15", "--generator", small]
    base += ["--device", "cpu", "-p", "start=encoder", "-p", "batch=2"]
    encoded, further = tmp_path / "encoded.safetensors", tmp_path / "further.safetensors"
    chosen = [*base, "--encoder", str(tmp_path / "e.safetensors")]
    assert cli.main([*chosen, "-o", str(encoded), "-p", "first_steps=0"]) == 0
    assert cli.main([*chosen, "-o", str(further), "-p", "first_steps=40"]) == 0
    clip, images = (
        Clip.load(encoded),
        frame_sources.from_episode(WORLDS["scene"].episode("day", 0, 0.2), np.arange(3) / 15),
    )
    wanted = encoders.load(tmp_path / "e.safetensors", network)(torch.stack(list(images.images([0, 1, 2], 32))))
    assert torch.allclose(clip.ws, wanted, rtol=1e-3, atol=1e-4) and "encoder_hash" in clip.meta
    assert sum(Clip.load(further).meta["mse"]) < sum(clip.meta["mse"])
    assert cli.main([*base, "-o", str(tmp_path / "none.safetensors")]) == 2
    assert "dynode train encoder" in capsys.readouterr().err


def test_an_episode_is_inverted_and_knows_its_truth(small, tmp_path, capsys):
    path = tmp_path / "day.safetensors"
    arguments = ["world", "invert", "scene", "day", "-o", str(path), "--seconds", "0.2", "--fps", "15", "--seed", "3"]
    assert cli.main([*arguments, "--generator", small, "-p", "first_steps=4", "-p", "steps=2", "--device", "cpu"]) == 0
    assert "3 frames, mean MSE" in capsys.readouterr().out
    clip = Clip.load(path)
    assert clip.ws.shape == (3, 8, 12) and clip.quads is None and "identity" not in clip.meta
    assert list(frame_sources.reference_images(clip, 32)) == ["truth"] and len(clip.meta["lpips_alex"]) == 3
    truth = frame_sources.reference_frames(clip, 32)
    world = WORLDS["scene"]
    wanted = world.images(world.episode("day", 3, 0.2).factors(clip.ts.numpy()), 32)
    assert torch.equal(truth, wanted)
    evaluator = Evaluator(clip, generators.load(small), others={"truth": truth})
    assert evaluator.category == "scene" and evaluator.resolution == 32
    shown = clip.sampled("regular", 2)
    linear = evaluator.evaluate(shown, methods.fit(shown, "linear"))
    result = list(method_rows(linear, linear, category=evaluator.category, method="linear"))
    assert {row.reference for row in result if row.metric == "mse"} == {"code", "truth"}
    assert {row.metric for row in result if row.space == "image"} == {"mse", "psnr", "ssim", "lpips_alex", "skill"}
    assert {row.reference for row in result if row.metric == "skill"} == {"truth"}


def test_a_generator_of_anything_but_faces_gets_the_middle_of_a_video(small, tmp_path, capsys):
    film(WORLDS["scene"].episode("day", 0, 0.2), tmp_path / "day.mp4", fps=15, resolution=48)
    arguments = ["invert", str(tmp_path / "day.mp4"), "-o", str(tmp_path / "c.safetensors"), "--generator", small]
    for space in ("", "@w", "@z"):
        changes = ["-p", "first_steps=2", "-p", "steps=1", "--device", "cpu"]
        assert cli.main([*arguments[:-1], small + space, *changes]) == 0
        clip = Clip.load(tmp_path / "c.safetensors")
        assert clip.ws.shape == (3, *{"": (8, 12), "@w": (1, 12), "@z": (1, 9)}[space])
    capsys.readouterr()
    assert cli.main([*arguments, "--frames", "1", "--device", "cpu"]) == 2
    assert "at least 2" in capsys.readouterr().err


def test_the_middle_square_covers_a_square_frame_exactly():
    frame = torch.rand(3, 64, 64)
    quad = face_tracking.centre_square(64, 64)
    assert torch.allclose(alignment.crop(frame, quad, size=64), frame, atol=1e-5)
    assert face_tracking.centre_square(40, 60).tolist() == [[9.5, -0.5], [9.5, 39.5], [49.5, 39.5], [49.5, -0.5]]
