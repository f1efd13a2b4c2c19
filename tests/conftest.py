"""Shared pieces of the tests: the real generator once, and small synthetic clips."""

import dataclasses
import math
import os
from functools import cache
from pathlib import Path

import pytest
import torch
from plugins import plugin  # noqa: F401, a fixture

from dynode import generators
from dynode.clips import Clip
from dynode.generators import weights
from dynode.generators.stylegan2 import StyleGAN2, StyleGAN2Settings
from dynode.video_editing import inverted_codes


@pytest.fixture(scope="session", autouse=True)
def codes_apart(tmp_path_factory):
    """Codes that an edit inverts are kept among the tests' own files, not in the user's cache."""
    folder = tmp_path_factory.mktemp("codes")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inverted_codes, "kept_folder", lambda: folder)
        yield


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The folder of kept codes and stages, empty."""
    monkeypatch.setattr(inverted_codes, "kept_folder", lambda: tmp_path / "kept")
    return tmp_path / "kept"


@pytest.fixture(scope="session", autouse=True)
def evaluations_apart():
    """What tests evaluate is measured every time: a number that an earlier run has kept would hide a mistake."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DYNODE_EVALUATIONS", "0")
        yield


@pytest.fixture(autouse=True)
def devices_apart(monkeypatch):
    """What a command sets for its own process, the next test does not see."""
    for name in ("DYNODE_DEVICE", "DYNODE_DETERMINISTIC", "CUDA_VISIBLE_DEVICES"):
        value = os.environ.get(name)
        monkeypatch.setenv(name, value or "")  # which is undone afterwards
        if value is None:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def generator():
    return generators.load()


def circle_codes(ts: torch.Tensor, rows: int = 3, width: int = 8, seed: int = 0) -> torch.Tensor:
    """Codes (T, rows, width) on a circle of period 1 in a random plane, off the origin."""
    plane = torch.randn(2, rows, width, generator=torch.Generator().manual_seed(seed))
    angle = 2 * math.pi * ts
    return 1 + angle.cos()[:, None, None] * plane[0] + angle.sin()[:, None, None] * plane[1]


@pytest.fixture
def circle() -> Clip:
    """Half a turn at 16 frames."""
    ts = torch.linspace(0, 0.5, 16, dtype=torch.float64)
    meta = {
        "name": "circle",
        "generator": "mobilestylegan-ffhq",
        "generator_hash": "none",
        "settings": {"start": "known"},
    }
    return Clip(circle_codes(ts), ts, meta=meta)


def tiny_weights(folder: Path, world: str, z_dim: int = 9) -> str:
    """The file of a small random generator of a world: 16 pixels, 6 rows of 12 numbers."""
    torch.manual_seed(0)
    shape = {"resolution": 16, "z_dim": z_dim, "w_dim": 12, "depth": 2, "channel_base": 128, "channel_max": 8}
    network = StyleGAN2(StyleGAN2Settings(**shape))
    network.measure(200)
    weights.save(network, folder / "tiny.safetensors", {"world": world})
    return str(folder / "tiny.safetensors")


@pytest.fixture
def tiny_clip(tmp_path) -> Clip:
    """Six frames of a small generator's codes, every second one observed."""
    name = tiny_weights(tmp_path, "scene")
    ends = generators.load(name).mapping(torch.randn(2, 9, generator=torch.Generator().manual_seed(0)))
    ws = torch.stack([torch.lerp(*ends, t).cos() for t in torch.linspace(0, 1, 6)])
    meta = {"name": "tiny", "generator": name, "generator_hash": generators.hash_of(name)}
    return Clip(ws, torch.arange(6) / 6, meta=meta).sampled("regular", 2)


@pytest.fixture
def judged_small(monkeypatch):
    """Tunings and what judges them see small images by networks that are built once: to build LPIPS takes longer than to use it."""
    from dynode.evaluation import tuning_quality
    from dynode.inversion import tuning

    monkeypatch.setattr(tuning_quality, "LPIPS_RESOLUTION", 32)
    for module in (tuning, tuning_quality):
        monkeypatch.setattr(module, "LPIPS", built_lpips)


@cache
def built_lpips(*arguments, **options):
    from dynode.perception.lpips import LPIPS

    return LPIPS(*arguments, **options)


@pytest.fixture
def talk(tiny_clip, tmp_path, monkeypatch):
    """Makes the file talk.safetensors in the current folder: six frames of an episode, codes of a small generator."""

    def made(**meta):
        episode = {"world": "scene", "kind": "day", "seed": 0, "seconds": 1.0}
        whole = dataclasses.replace(tiny_clip, observed=None, meta=tiny_clip.meta | {"episode": episode} | meta)
        monkeypatch.chdir(tmp_path)
        whole.save(tmp_path / "talk.safetensors")
        return whole

    return made
