"""Partial inversions: resumed from their whole beginning, and no reason for an inversion to end."""

import dataclasses
import os
from pathlib import Path

import pytest
import torch

from dynode.inversion.partial_results import Partial
from dynode.inversion.projection import Projection

JOB = {"video": "one"}


def projection(k: int) -> Projection:
    return Projection(torch.full((2, 3), float(k)), k, 0.0, 0.0)


def begun(output: Path, frames: int) -> Partial:
    partial = Partial(output, JOB)
    for k in range(frames):
        partial.append([projection(k)], steps=10)
    return partial


def test_what_lies_behind_a_gap_is_not_resumed_from(tmp_path):
    folder = begun(tmp_path / "talk.safetensors", 4).folder
    (folder / "000002.safetensors").unlink()
    resumed = Partial(tmp_path / "talk.safetensors", JOB)
    assert [p.mse for p in resumed.done] == [0, 1] and resumed.steps == 20
    resumed.append([projection(2)], steps=10)
    assert len(Partial(tmp_path / "talk.safetensors", JOB).done) == 4
    resumed.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_encoders_code_that_the_next_start_counts_on_is_kept(tmp_path):
    code = torch.arange(6.0).view(2, 3)
    begun(tmp_path / "talk.safetensors", 0).append([dataclasses.replace(projection(0), encoded=code)])
    (resumed,) = Partial(tmp_path / "talk.safetensors", JOB).done
    assert resumed.encoded is not None and torch.equal(resumed.encoded, code)
    assert projection(0).encoded is None


def test_similar_outputs_have_partial_results_of_their_own(tmp_path):
    folders = {begun(tmp_path / name, 1).folder for name in ("talk.safetensors", "talk.a.safetensors", "talk")}
    assert len(folders) == 3


def test_an_inversion_goes_on_where_its_partial_result_cannot_be_written(tmp_path, capsys):
    (tmp_path / "talk.safetensors.partial").touch()
    assert [p.mse for p in begun(tmp_path / "talk.safetensors", 3).done] == [0, 1, 2]
    assert "The work goes on" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_codes_of_faces_are_as_private_as_the_umask_wants(tmp_path):
    before = os.umask(0o077)
    try:
        folder = begun(tmp_path / "talk.safetensors", 1).folder
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
