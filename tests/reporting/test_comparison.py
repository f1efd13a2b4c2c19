"""`dynode.evaluate`: trajectories of any method and fits of files, beside baselines, as an object that prints as a table."""

import dataclasses

import pytest
import torch

import dynode
from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.evaluation import select


@pytest.mark.parametrize("method", ["linear", "gp", "slerp"])
def test_a_trajectory_of_any_method_is_compared_on_the_frames_it_was_fitted_to(tiny_clip, method):
    every = dataclasses.replace(tiny_clip, observed=None)
    result = dynode.evaluate(dynode.fit(tiny_clip, method), every, device="cpu")
    assert {row.split for row in result.rows} == {"observed", "unobserved", ""}
    assert {row.method for row in result.rows} == {"linear", "hold", "cubic", method}
    assert str(result) == repr(result) == result._repr_markdown_() and f"| unobserved | {method} |" in str(result)


class Still(Trajectory):
    """Stays at the first code, and has no record of what it was made of."""

    def __init__(self, clip: Clip):
        self.w0, self.span = clip.ws[0], (float(clip.ts[0]), float(clip.ts[-1]))

    def __call__(self, ts) -> torch.Tensor:
        return self.w0.expand(len(ts), -1, -1)


def test_a_path_without_a_record_is_compared_on_the_frames_that_the_clip_marks(tiny_clip):
    result = dynode.evaluate(Still(tiny_clip), tiny_clip, device="cpu")
    assert {row.split for row in select(result.rows, method="Still")} == {"observed", "unobserved", ""}


def test_several_fits_and_files_stand_in_one_table(tiny_clip, tmp_path):
    pchip = dynode.fit(tiny_clip, "pchip")
    file = pchip.save(tmp_path / "kept.safetensors")
    result = dynode.evaluate([pchip, file, pchip], tiny_clip, device="cpu")
    assert {row.variant for row in select(result.rows, method="pchip")} == {"pchip 1", "kept", "pchip 2"}
    assert str(result).startswith("| fit | split | method | MSE x 1e3 |")
    assert "latent MSE" in result.full_table.header


def test_what_cannot_be_compared_is_refused(tiny_clip):
    path = dynode.fit(tiny_clip, "linear")
    late = dataclasses.replace(tiny_clip, ts=tiny_clip.ts + 0.01)
    with pytest.raises(UserError, match="times differ"):
        dynode.evaluate(path, late, device="cpu")
    with pytest.raises(UserError, match="nothing to evaluate"):
        dynode.evaluate([], tiny_clip)
    other = dataclasses.replace(tiny_clip, meta=tiny_clip.meta | {"generator_hash": "another"})
    with pytest.raises(UserError, match="belongs to weights another"):
        dynode.evaluate(path, other, device="cpu")
