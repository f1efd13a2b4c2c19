"""Edits by a tuned generator beside the untuned one, and random samples that no tuning changes."""

import pytest
import torch

from dynode import generators
from dynode.clips import Clip
from dynode.editing import random_samples
from dynode.editing.random_samples import SampleSettings
from dynode.evaluation import tuned_edits
from dynode.evaluation.records import select
from dynode.generators import tuned
from dynode.io import assets

NAME, SAMPLES = "stylegan2-isaac3d-factors", SampleSettings(count=50)
EDITS = {"latent-transformer:wall_color": 1.0}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Scores of samples are kept among the tests' own files."""
    monkeypatch.setattr(assets, "own_dir", lambda: tmp_path / "cache")


@pytest.fixture
def base():
    return generators.load(NAME)


@pytest.fixture
def clip(base):
    ws = base.mapping(torch.randn(4, base.z_dim, generator=torch.Generator().manual_seed(0))).clone()
    meta = {"name": "four", "generator": NAME, "generator_hash": base.hash}
    return Clip(ws, torch.arange(4) / 4, meta=meta)


def tuning(base, folder, size: float):
    """The generator with random differences of that size, relative to each weight's."""
    torch.manual_seed(0)
    weights = tuned.weights_of(base)
    differences = {
        name: size * value.square().mean().sqrt() * torch.randn(value.shape) for name, value in weights.items()
    }
    tuned.write(folder / "t.tuning.safetensors", differences, NAME, base.hash, {"clip": {"name": "four"}})
    return generators.load(str(folder / "t.tuning.safetensors"))


def test_a_tuning_that_changes_nothing_leaves_edits_as_far_as_they_go(base, clip, tmp_path):
    rows = tuned_edits.edit_rows(clip, base, tuning(base, tmp_path, 0.0), EDITS, samples=SAMPLES)
    (reach,) = select(rows, metric="edit_reach")
    assert reach.value == pytest.approx(1, abs=1e-4) and reach.variant == "latent-transformer:wall_color +1"
    before, after = (select(rows, metric="own_change", method=method)[0] for method in ("untuned", "tuned"))
    assert before.value == pytest.approx(after.value, rel=1e-4) and before.n == 4
    assert tuned_edits.text_of(rows).endswith(", 100%")


def test_a_ruined_generator_shows_no_edit(base, clip, tmp_path):
    rows = tuned_edits.edit_rows(clip, base, tuning(base, tmp_path, 5.0), EDITS, samples=SAMPLES)
    assert abs(select(rows, metric="edit_reach")[0].value) < 0.9


def test_random_samples_of_a_tuned_generator_are_those_of_its_base(base, tmp_path, monkeypatch):
    changed = tuning(base, tmp_path, 5.0)
    assert changed.hash == base.hash, "they are kept under the same name"
    by_tuned = random_samples.scored(changed, SAMPLES)
    monkeypatch.setattr(assets, "own_dir", lambda: tmp_path / "another cache")
    assert torch.equal(by_tuned.scores, random_samples.scored(base, SAMPLES).scores)
    ws = base.mapping(torch.randn(1, base.z_dim))
    images = [generators.render(each, ws, 64) for each in (base, changed)]
    assert (images[0] - images[1]).abs().mean() > 0.1, "though its images are others"
