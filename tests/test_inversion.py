"""Projection on a real frame, and resuming an inversion that was interrupted."""

import pytest
import torch

from dynode import assets
from dynode.clips import Clip, load
from dynode.errors import UserError
from dynode.inversion import invert as inversion
from dynode.inversion import partial
from dynode.inversion.projection import ProjectionSettings, Projector, ramped
from dynode.perception.lpips import LPIPS
from dynode.perception.tracking import cut
from dynode.video import Stretch, read

TINY = ProjectionSettings(first_steps=2, steps=1)


def test_the_learning_rate_ramps_up_and_down():
    rates = [ramped(1.0, k / 100) for k in range(101)]
    assert rates[0] == 0 and max(rates) == 1 and rates[100] == pytest.approx(0)
    assert rates[5] == pytest.approx(1) and rates[75] == pytest.approx(1) and 0 < rates[90] < 0.5


def test_a_few_steps_on_a_real_frame_come_closer_to_it(generator):
    clip = load("single_face.warm")
    shots, _ = read(assets.fetch("single-face-video"), 1)
    target = torch.stack(list(cut(shots, clip.quads[:1].numpy())))
    projector, losses = Projector(generator, LPIPS("vgg"), ProjectionSettings()), []
    (found,) = projector.project(target, projector.average(), 6, 0.05, lambda _, mse, lpips: losses.append(mse + lpips))
    assert found.ws.shape == (23, 512) and len(losses) == 6
    assert found.mse + found.lpips < 0.9 * losses[0]


def test_an_interrupted_inversion_resumes_with_equal_results(tmp_path, monkeypatch):
    video = assets.fetch("single-face-video")
    whole = inversion.invert(video, tmp_path / "whole.safetensors", settings=TINY, stretch=Stretch(count=3))
    append = partial.Partial.append

    def interrupted(self, projections):
        append(self, projections)
        if len(self.done) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(partial.Partial, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inversion.invert(video, tmp_path / "cut.safetensors", settings=TINY, stretch=Stretch(count=3))
    assert len(list((tmp_path / "cut.partial").iterdir())) == 2
    other = ProjectionSettings(first_steps=3, steps=1)
    with pytest.raises(UserError, match="another inversion"):
        inversion.invert(video, tmp_path / "cut.safetensors", settings=other, stretch=Stretch(count=3))
    monkeypatch.setattr(partial.Partial, "append", append)
    resumed = inversion.invert(video, tmp_path / "cut.safetensors", settings=TINY, stretch=Stretch(count=3))
    assert torch.equal(resumed.ws, whole.ws) and torch.equal(resumed.quads, whole.quads)
    assert not (tmp_path / "cut.partial").exists()
    assert Clip.load(tmp_path / "cut.safetensors").meta["mse"] == whole.meta["mse"]
