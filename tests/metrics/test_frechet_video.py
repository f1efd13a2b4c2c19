"""The Fréchet distance of videos: the formula, few clips, names of stand-ins, and what its networks see."""

import numpy as np
import pytest
import torch
from scipy import linalg

from dynode.errors import UserError
from dynode.io import assets, images, video
from dynode.metrics.frechet import frechet
from dynode.metrics.frechet_video import distance, fvd, windows
from dynode.perception import video_features


class Means:
    """Mean colour of a clip, and how much it changes: a network that can be worked out by hand."""

    name, least_frames = "means", 2

    def __call__(self, clips):
        return torch.cat([clips.mean((1, 3, 4)), clips.diff(dim=1).abs().mean((1, 2, 3, 4))[:, None]], 1)


def footage(frames: int, level: float = 0.0, seed: int = 0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return level + 0.1 * torch.randn(frames, 3, 4, 6, generator=draws).clamp(-3, 3)


def test_the_distance_is_the_textbook_formula():
    draws = torch.Generator().manual_seed(0)
    a, b = torch.randn(60, 5, generator=draws).double(), 1 + 2 * torch.randn(40, 5, generator=draws).double()
    of_a, of_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    gap = (a.mean(0) - b.mean(0)).square().sum()
    wanted = gap + np.trace(of_a + of_b - 2 * linalg.sqrtm(of_a @ of_b).real)
    assert frechet(a, b) == pytest.approx(float(wanted), rel=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)
    means = [np.trace(each) / 5 for each in (of_a, of_b)]  # shrunk wholly, both are multiples of the identity
    assert frechet(a, b, 1.0) == pytest.approx(float(gap + 5 * (means[0] ** 0.5 - means[1] ** 0.5) ** 2), rel=1e-9)


def test_fewer_clips_than_dimensions_are_no_trouble_but_for_a_warning():
    draws = torch.Generator().manual_seed(1)
    few = torch.randn(4, 50, generator=draws).double()
    assert frechet(few, few) == pytest.approx(0, abs=1e-9)
    assert frechet(few, few + 1) == pytest.approx(50, rel=1e-6)
    result = fvd([footage(19)], [footage(19, 0.5)], Means())
    assert result.n_clips == (4, 4) and result.dims == 4
    assert "biased upward" in result.warnings[0] and "overlap" in result.warnings[1]
    many = fvd([footage(120)], [footage(120, 0.5, seed=1)], Means(), clip_len=4, stride=4)
    assert many.warnings == () and many.n_clips == (30, 30)
    assert many.value == pytest.approx(3 * 0.25, rel=0.05)  # the mean colours are 0.5 apart


def test_one_clip_is_refused_and_short_videos_are_left_out_and_told():
    with pytest.raises(UserError, match="got 1 fake"):
        fvd([footage(20)], [footage(16)], Means())
    result = fvd([footage(20), footage(7)], [footage(20)], Means())
    assert result.warnings[0] == "1 real videos are shorter than 16 frames and left out."
    with pytest.raises(UserError, match="at least 6 clips"):
        fvd([footage(20)], [footage(20)], Means(), min_clips=6)
    with pytest.raises(UserError, match="at least 2 frames"):
        fvd([footage(20)], [footage(20)], Means(), clip_len=1)


def test_only_the_real_network_makes_an_fvd():
    result = fvd([footage(18)], [footage(18)], Means())
    assert result.name == "frechet_video_distance[means]" and result.value == pytest.approx(0, abs=1e-9)
    assert "shrunk by 0.1" in fvd([footage(18)], [footage(18)], Means(), shrink=0.1).name


def test_transnet_sees_noise_blur_and_stillness():
    network = video_features.load("transnetv2")
    frames, _ = video.read(assets.fetch("single-face-video"), 10)
    real = images.from_uint8(frames)
    real = torch.nn.functional.interpolate(real, size=(90, 160), mode="area")
    draws = torch.Generator().manual_seed(0)
    changes = {
        "itself": real,
        "hardly darker": real - 0.01,
        "in another order": real[torch.randperm(10, generator=draws)],
        "frozen": real[:1].expand_as(real),
        "noisy": real + 0.4 * torch.randn(real.shape, generator=draws),
    }
    features = {name: windows([fake], network, clip_len=8, stride=2)[0] for name, fake in changes.items()}
    value = {name: distance(features["itself"], fake, network.name, 8, 2).value for name, fake in features.items()}
    assert value["itself"] == pytest.approx(0, abs=1e-9)
    assert 0 < value["hardly darker"] < min(value["in another order"], value["frozen"])
    assert value["noisy"] > 5 * max(value["in another order"], value["frozen"])


def test_transnet_has_the_weights_it_was_trained_with():
    """Natural footage gives each layer the statistics that training left in its batch norm: the layers are in order."""
    network, result = video_features.load("transnetv2"), []
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm3d):
            layer.register_forward_hook(lambda layer, x, y: result.append((layer, x[0])))
    frames, _ = video.read(assets.fetch("carphone-video"), 16)
    assert network(images.from_uint8(frames)[None]).shape == (1, 448)
    assert len(result) == 6
    for layer, x in result:
        assert np.corrcoef(x.mean((0, 2, 3, 4)), layer.running_mean)[0, 1] > 0.7


class Scripted(torch.nn.Module):
    """The interface of StyleGAN-V's I3D file."""

    def forward(self, x, rescale: bool, resize: bool, return_features: bool):
        return (x.float() / 127.5 - 1).mean([2, 3, 4]) if rescale else x.float().mean([2, 3, 4])


def test_i3d_is_used_where_the_user_has_it(tmp_path, monkeypatch):
    torch.jit.script(Scripted()).save(str(tmp_path / "i3d.pt"))
    monkeypatch.setenv("DYNODE_I3D", str(tmp_path / "i3d.pt"))
    network = video_features.load()
    clip = torch.stack([torch.full((12, 4, 6), level) for level in (-1.0, 0.0, 1.0)], 1)[None]
    assert network(clip)[0].tolist() == pytest.approx([-1, 0, 1], abs=0.01)
    assert fvd([footage(20)], [footage(20)], network).name == "fvd"
    with pytest.raises(UserError, match="at least 10 frames"):
        fvd([footage(20)], [footage(20)], network, clip_len=8)


def test_what_is_no_i3d_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("DYNODE_I3D", raising=False)
    assert video_features.load().name == "transnetv2"
    with pytest.raises(UserError, match="DYNODE_I3D"):
        video_features.load("i3d")
    with pytest.raises(UserError, match="no file"):
        video_features.load(path=tmp_path / "gone.pt")
    (tmp_path / "text.pt").write_text("nothing")
    with pytest.raises(UserError, match="no TorchScript"):
        video_features.load(path=tmp_path / "text.pt")
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "other.pt"))
    with pytest.raises(UserError, match="cannot be used as I3D"):
        video_features.load(path=tmp_path / "other.pt")(torch.zeros(1, 10, 3, 4, 4))
