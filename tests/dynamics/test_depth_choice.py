"""DEPTH chosen inside a fit: by observed frames left out, never by hidden ones."""

import dataclasses

import pytest
import torch

from dynode.dynamics import fit_files, methods
from dynode.dynamics.fields import MLPField
from dynode.dynamics.fitting import batched, depth_choice, single
from dynode.dynamics.presets import latent_only, preset
from dynode.dynamics.solvers.rollout import SolverError
from dynode.settings import changed

FEW = {"training.iterations": 4, "training.check_every": 2, "field.hidden": 8, "solver.rtol": 1e-2}
SCALED = changed(latent_only(preset("paper_scaled")), FEW)


class Off:
    """A path off the true codes by a constant, with the log of a fit."""

    def __init__(self, clip, offset, stopped=""):
        self.clip, self.offset, self.log = clip, offset, {"stopped": stopped, "nfe": 7}

    def __call__(self, ts):
        return self.clip.ws[torch.searchsorted(self.clip.ts, ts)] + self.offset


def choice_of(circle, offsets, stopped=()):
    """The choice among fits that miss by offsets[depth], and the clips that they were given."""
    given = []

    def fit(kept, settings):
        depth = settings.field.depth
        given.append(kept)
        if offsets[depth] is None:
            raise SolverError("too steep.")
        return Off(circle, offsets[depth], "stopped" if depth in stopped else "")

    return depth_choice.choose_depth(circle, SCALED, fit), given


def test_every_second_frame_between_the_first_and_the_last_is_left_out():
    assert depth_choice.between(7).tolist() == [False, True, False, True, False, True, False]
    assert depth_choice.between(6).tolist() == [False, True, False, True, False, False]
    assert not depth_choice.between(2).any()


def test_the_depth_of_the_lowest_error_is_taken_and_the_smaller_of_equals(circle):
    choice, given = choice_of(circle.sampled("regular", 3), {1: 0.5, 2: 0.2, 3: 0.1, 4: 0.1, 5: 0.3})
    assert choice.depth == 3 and choice.nfe == 5 * 7 and set(choice.errors) == {1, 2, 3, 4, 5}
    assert choice.errors[1] == pytest.approx(25 * choice.errors[3], rel=1e-3)
    observed = circle.sampled("regular", 3).observations()
    assert all(torch.equal(kept.observations().ts, observed.ts[~depth_choice.between(len(observed))]) for kept in given)


def test_a_trial_that_breaks_off_is_not_taken(circle):
    choice, _ = choice_of(circle, {1: 0.5, 2: None, 3: 0.0, 4: 0.4, 5: 0.9}, stopped={3})
    assert choice.depth == 4 and choice.errors[2] is None and choice.errors[3] is None
    assert choice_of(circle, dict.fromkeys(range(1, 6)))[0].depth == 1


def test_with_two_observed_frames_nothing_is_tried(circle):
    choice, given = choice_of(circle.sampled("regular", len(circle)), {})
    assert choice.depth == 1 and not given and not any(choice.errors.values())


def test_trials_are_short_and_without_images():
    trial = depth_choice.trial_settings(preset("paper_scaled"), 4)
    assert trial.field.depth == 4 and not trial.losses.in_images
    assert trial.training.iterations == depth_choice.TRIAL_ITERATIONS and trial.training.lr == 0.01


def test_the_log_and_the_label_name_the_depth_and_its_errors(circle, tmp_path):
    fit = single.fit(circle.sampled("regular", 3), SCALED)
    depth = fit.log["depth"]
    assert fit.settings.field.depth == depth and set(fit.log["depth_errors"]) == set("12345")
    assert fit.log["depth_errors"][str(depth)] == min(fit.log["depth_errors"].values())
    assert fit.label.endswith(f"depth {depth}]") or fit.label.endswith("changed]")
    back = fit_files.load(fit.save(tmp_path / "a.fit"))
    assert torch.equal(back(circle.ts), fit(circle.ts)) and back.log == fit.log
    given = single.fit(circle.sampled("regular", 3), changed(SCALED, {"field.depth": depth}))
    assert torch.equal(given(circle.ts), fit(circle.ts)) and "depth_errors" not in given.log
    assert given.log["nfe"] < fit.log["nfe"]


def test_hidden_frames_have_no_part_in_the_choice(circle):
    sparse = circle.sampled("regular", 3)
    spoiled = dataclasses.replace(sparse, ws=sparse.ws + 100 * ~sparse.observed[:, None, None])
    one, other = (single.fit(clip, SCALED) for clip in (sparse, spoiled))
    assert one.log["depth_errors"] == other.log["depth_errors"]
    assert torch.equal(one(circle.ts), other(circle.ts))


def test_fits_that_choose_their_depth_are_not_batched():
    assert batched.can_batch(preset("trend+mlp")) and not batched.can_batch(
        changed(preset("trend+mlp"), {"field.depth": 0})
    )


def test_a_choice_belongs_to_every_preset(circle):
    chosen = changed(preset("trend+mlp"), {"field.depth": 0, "training.segment_iterations": 3, "field.hidden": 8})
    (fit,) = methods.fit_many([circle.sampled("regular", 3)], chosen)
    assert fit.settings.field.depth == fit.log["depth"]


def test_a_field_without_a_depth_is_refused():
    with pytest.raises(ValueError, match="chosen by the fit"):
        MLPField((2, 3), preset("paper_scaled").field)
