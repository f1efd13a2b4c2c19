"""A small shot for systems that tune the generator: six frames of 16 pixels whose face moves, and their codes."""

from dataclasses import dataclass
from functools import cache

import pytest
import torch
from conftest import built_lpips

from dynode.clips import Clip
from dynode.generators.stylegan2 import StyleGAN2, StyleGAN2Settings
from dynode.video_editing.keyframes import Edit, EditTrack
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.systems import clip_tuning, consistency_phases, stit, tcsve
from dynode.video_editing.systems.kept_stages import KeptStages
from dynode.video_editing.systems.scene import Scene, distances_of

FRAMES, SIZE = 6, 16


@dataclass(frozen=True)
class Push:
    """Moves every code along its own cosine: an edit that depends on the code."""

    name: str = "push"
    space: str = "w+"

    def edit(self, ws, strength, rows=0):
        return ws + torch.as_tensor(strength, dtype=ws.dtype).reshape(-1, 1, 1) * ws.cos()


@dataclass(frozen=True)
class Shot:
    """What a system is given of a shot."""

    scene: Scene
    clip: Clip
    edit: Edit

    @property
    def ts(self) -> torch.Tensor:
        return torch.arange(FRAMES, dtype=torch.float64) / 25


@pytest.fixture(autouse=True)
def built_once(monkeypatch):
    """LPIPS takes longer to build than to use, and to use on enlarged images than on small ones."""
    for module in (clip_tuning, consistency_phases):
        monkeypatch.setattr(module, "SMALLEST", 32)
    for module in (stit, tcsve):
        monkeypatch.setattr(module, "LPIPS", built_lpips)


@cache
def tiny() -> StyleGAN2:
    """A small random generator of 16 pixels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = StyleGAN2(StyleGAN2Settings(resolution=SIZE, z_dim=6, w_dim=8, channel_base=64, channel_max=8))
    network.name, network.hash = "tiny", "0"
    return network.eval().requires_grad_(False)


def shot_of(folder=None, inverted=None, track="push=1") -> Shot:
    """inverted (6,) bool: the frames whose codes the clip holds, all by default."""
    rng = torch.Generator().manual_seed(0)
    picture = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 5, generator=rng), size=(SIZE, SIZE), mode="bicubic")
    frames = torch.cat([picture.roll(k // 2, 3) for k in range(FRAMES)]) * 2 - 1
    inverted = torch.ones(FRAMES, dtype=torch.bool) if inverted is None else inverted
    angle = torch.linspace(0, 2, FRAMES)[:, None, None]
    ws = 0.5 * torch.cat([angle.sin(), angle.cos()], 2).repeat(1, tiny().num_ws, 4)
    distances = distances_of(frames, None, MaskSettings("ellipse"))
    scene = Scene(tiny(), frames, distances, inverted, KeptStages(folder))
    clip = Clip(ws, torch.arange(FRAMES, dtype=torch.float64) / 25, meta={"name": "small"}).where(inverted)
    return Shot(scene, clip, Edit((EditTrack.parsed(track),), (Push(),)))
