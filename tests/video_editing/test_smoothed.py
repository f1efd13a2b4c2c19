"""Latent Transformer on smoothed codes: nothing learned, less jitter, every frame inverted and edited."""

import pytest
import torch

from dynode.clips import Clip
from dynode.errors import UserError
from dynode.inversion.observer import NoObserver
from dynode.video_editing.keyframes import Edit, EditTrack
from dynode.video_editing.registry import load_system
from dynode.video_editing.smoothed import FILTERS, Smoothing

FRAMES = 16


class Push:
    """Adds the strength to every number of a code."""

    name, space = "push", "w+"

    def edit(self, ws, strength, rows=0):
        return ws + torch.as_tensor(strength, dtype=ws.dtype).reshape(-1, 1, 1)


@pytest.fixture
def jagged():
    """A path that rises, and jitter; and the path without it."""
    ts = torch.arange(FRAMES, dtype=torch.float64) / 25
    path = ts[:, None, None].float() * torch.linspace(1, 2, 6).reshape(1, 2, 3)
    jitter = 0.05 * torch.randn(FRAMES, 2, 3, generator=torch.Generator().manual_seed(0))
    return Clip(path + jitter, ts), path


@pytest.mark.parametrize("name", FILTERS)
def test_codes_are_nearer_to_the_path_and_every_frame_is_edited(jagged, name):
    clip, path = jagged
    system = load_system("smoothed+latent-transformer", chosen=Smoothing(name))
    edit = Edit((EditTrack("push", ((0.0, 2.0),)),), (Push(),))
    shot = system.edit_shot(clip, clip.ts, edit, 0.0, NoObserver())
    inner = slice(3, -3)
    errors = [(codes - path)[inner].square().mean() for codes in (shot.ws, clip.ws)]
    assert errors[0] < (0.7 if name == "gaussian" else 1.01) * errors[1]  # `trend` judges by itself what is noise
    assert torch.allclose(shot.edited - shot.ws, torch.full_like(shot.ws, 2.0), atol=1e-5)
    assert system.settings["filter"] == name and shot.ws.dtype == clip.ws.dtype


def test_an_unknown_filter_is_named_with_the_legal_ones():
    with pytest.raises(UserError, match="gaussian"):
        Smoothing("median")
