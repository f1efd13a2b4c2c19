"""Batched fits are equal to single ones."""

import math

import pytest
import torch

from dynode.clips import Clip
from dynode.dynamics import fit_files
from dynode.dynamics.fitting import batched, single
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.presets import preset
from dynode.settings import changed

QUICK = changed(preset("trend+mlp"), {"training.segment_iterations": 12, "field.hidden": 8})


def spiral(frames=16, speed=7.0, name="spiral", shots=None):
    ts = torch.arange(frames, dtype=torch.float64) / 10
    angle = speed * ts
    ws = torch.stack([angle.cos(), ts * angle.sin(), ts, (2 * angle).sin()], -1).float()[:, None]
    return Clip(ws, ts, shots=shots, meta={"name": name})


def test_batched_fits_are_those_made_alone():
    """Of two lengths, one with a cut, from several seeds; also where not all draw equally many frames."""
    cut = torch.tensor([0] * 8 + [1] * 8)
    clips = [spiral(), spiral(speed=3.0), spiral(22), spiral(shots=cut)]
    clips = [clip.sampled("irregular", 2, seed) for seed, clip in enumerate(clips)]
    settings, seeds = changed(QUICK, {"training.batch": 4}), [0, 5, 2, 7]
    for clip, seed, fit in zip(clips, seeds, batched.fit_batched(clips, seeds, settings), strict=True):
        alone, ts = single.fit(clip, settings, seed), torch.linspace(-0.1, 1.7, 23)
        assert torch.allclose(fit(ts), alone(ts), atol=1e-4)
        for one, other in zip(fit.shots, alone.shots, strict=True):
            assert one.meta == other.meta and one.log["iterations"] == other.log["iterations"]
            assert one.log["looks"] == pytest.approx(other.log["looks"], rel=1e-3)
            assert math.isclose(one.log["observed_error"], other.log["observed_error"], rel_tol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"training.iterations": 3},
        {"training.tolerance": 1e-3},
        {"segment_solver.solver": "dopri5"},
        {"losses.image": 1.0},
        {"training.keep": "best"},
    ],
)
def test_what_cannot_be_batched_is_refused(changes):
    settings = changed(QUICK, changes)
    assert batched.can_batch(QUICK) and not batched.can_batch(settings)
    with pytest.raises(ValueError, match="cannot be batched"):
        batched.fit_batched([spiral()], [0], settings)


def test_a_store_batches_missing_fits_and_reads_them_again(tmp_path, monkeypatch):
    store, made = FitStore(tmp_path), []
    whole = batched.fit_batched
    monkeypatch.setattr(
        batched, "fit_batched", lambda clips, *rest, **named: made.append(len(clips)) or whole(clips, *rest, **named)
    )
    sparse = [(spiral().sampled("irregular", 2, seed), seed) for seed in range(3)]
    store.fit_many(sparse[:2], QUICK)
    store.fit_many(sparse, QUICK)
    store.fit_many(sparse, QUICK)
    assert made == [2, 1] and len(list(tmp_path.glob("spiral.trend+mlp.*"))) == 3
    monkeypatch.setattr("dynode.dynamics.fitting.store.fit_to_file", lambda *_, **__: pytest.fail("fitted again"))
    assert store.fit(sparse[1][0], QUICK, sparse[1][1]).meta["seed"] == 1
    assert len(store.fit_many(sparse, "linear")) == 3  # nothing to learn


def test_a_new_fit_is_returned_as_its_file_has_it(circle, tmp_path, monkeypatch):
    """Tensors of a file lie otherwise in memory and round otherwise: a run that went on would give other numbers."""
    read, load = [], fit_files.load
    monkeypatch.setattr(fit_files, "load", lambda path: read.append(load(path)) or read[-1])
    store = FitStore(tmp_path)
    new, kept = (store.fit(circle, "trend") for _ in range(2))
    assert new is read[0] and kept is read[1] and torch.equal(new(circle.ts), kept(circle.ts))
