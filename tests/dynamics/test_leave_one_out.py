"""The method `auto`: chosen by observed frames left out, never by hidden ones."""

import dataclasses
import json
import math

import pytest
import torch

import dynode
from dynode.cli.dynamics import fit_summary
from dynode.clips import Clip
from dynode.dynamics import methods, retime, through_codes
from dynode.dynamics.fitting.store import FitStore, key_of
from dynode.dynamics.leave_one_out import AUTO, AutoSettings, Comparison, compare, evenly
from dynode.dynamics.registry import METHODS, Method
from dynode.dynamics.solvers.rollout import SolverError
from dynode.errors import UserError

QUICK = AutoSettings(candidates="linear,pchip,cubic,gp")


@pytest.fixture
def sparse(circle):
    return circle.sampled("regular", 2)


@pytest.fixture
def wander():
    """Codes of a random walk, between whose steps no method knows more than linear interpolation."""
    steps = torch.randn(16, 3, 8, generator=torch.Generator().manual_seed(1))
    return Clip(steps.cumsum(0), torch.arange(16, dtype=torch.float64) / 24, meta={"name": "wander"})


def compared(**errors) -> Comparison:
    return Comparison(torch.arange(4).double(), {name: torch.tensor(each).double() for name, each in errors.items()})


def test_the_lowest_error_decides_unless_a_simpler_candidate_is_level():
    clear = compared(linear=[4.0, 4.1, 3.9, 4.0], cubic=[1.0, 1.1, 0.9, 1.0], gp=[1.5, 1.6, 1.4, 1.5])
    assert clear.best == clear.chosen == "cubic"
    level = compared(linear=[1.0, 2.0, 3.0, 4.0], cubic=[1.5, 1.0, 3.5, 3.6], gp=[9.0, 9.0, 9.0, 9.0])
    assert level.best == "cubic" and level.chosen == "linear"
    assert compared(linear=[1.0] * 4, cubic=[1.0] * 4).chosen == "linear"
    assert compared(linear=[2.0] * 4, cubic=[1.0] * 4).chosen == "cubic", (
        "a difference without any spread is none by chance"
    )
    assert Comparison(torch.zeros(0), {}).chosen == "linear"


def test_a_candidate_that_failed_is_chosen_only_where_all_did():
    failed = compared(linear=[1.0] * 4, cubic=[0.0, 0.0, 0.0, math.inf])
    assert failed.chosen == "linear" and failed.log()["left_out_errors"] == {"linear": 1.0, "cubic": None}
    assert compared(linear=[math.inf] * 4, cubic=[math.inf] * 4).chosen == "linear"


@pytest.mark.parametrize("count, most", [(1, 12), (12, 12), (13, 12), (40, 3), (100, 12)])
def test_frames_are_chosen_evenly(count, most):
    frames = evenly(count, most)
    assert len(frames) == min(count, most) and frames.min() >= 0 and frames.max() < count
    assert (frames.diff() >= 1).all() and (len(frames) < 3 or frames.diff().max() - frames.diff().min() <= 1)


def test_errors_are_those_of_fits_without_the_frame(sparse):
    observed, result = sparse.observations(), compare(sparse, QUICK)
    assert list(result.errors) == QUICK.names and torch.equal(result.ts, observed.ts[1:-1])
    for name in QUICK.names:
        path = methods.fit(observed.where(torch.arange(len(observed)) != 3), name)
        error = (path(observed.ts[3:4])[0] - observed.ws[3]).square().mean()
        assert result.errors[name][2] == pytest.approx(float(error), rel=1e-4)
    assert result.chosen in ("cubic", "gp"), "the circle is smooth"
    few = compare(sparse, AutoSettings(candidates="linear,cubic", left_out=3))
    assert few.ts.tolist() == observed.ts[1:-1][[1, 3, 5]].tolist()


def test_what_is_hidden_has_no_part_in_the_choice(circle):
    sparse, settings = circle.sampled("irregular", 3), dataclasses.replace(AUTO, left_out=1)
    ws = sparse.ws.clone()
    ws[~sparse.observed] += 100
    paths = [methods.fit(clip, settings, seed=3) for clip in (sparse, dataclasses.replace(sparse, ws=ws))]
    assert torch.equal(*(path(sparse.ts) for path in paths))
    assert paths[0].log["left_out_errors"] == paths[1].log["left_out_errors"]
    assert set(paths[0].log["left_out_errors"]) == set(AUTO.names)
    assert set(paths[0].log["left_out"]) < set(sparse.ts[sparse.observed].tolist())


def test_the_path_is_that_of_the_chosen_method_and_its_file_says_so(sparse, tmp_path):
    path = methods.fit(sparse, QUICK)
    chosen = path.log["chosen"]
    assert path.label == "auto[changed]" and chosen in ("cubic", "gp")
    assert torch.equal(path(sparse.ts), methods.fit(sparse, chosen)(sparse.ts))
    assert torch.equal(path.derivative(sparse.ts), methods.fit(sparse, chosen).derivative(sparse.ts))
    back = dynode.load_fit(path.save(tmp_path / "one.fit"))
    assert (back.label, back.log, back.meta) == (path.label, path.log, path.meta)
    assert torch.allclose(back(sparse.ts), path(sparse.ts), atol=1e-6)
    assert retime(back, speed=2.0).label == path.label and f"{chosen} chosen" in fit_summary(back, sparse)
    assert json.loads(json.dumps(path.log, allow_nan=False)) == path.log


def test_few_observed_frames_are_interpolated_linearly(circle):
    path = methods.fit(circle.sampled("regular", 8), "auto")
    assert path.label == "auto" and path.log["chosen"] == "linear" and path.log["left_out_errors"] == {}


def test_each_shot_has_its_own_choice(sparse, wander):
    ts = torch.cat([sparse.ts, sparse.ts[-1] + 1 + wander.ts])
    both = Clip(torch.cat([sparse.ws, wander.ws]), ts, shots=[0] * 16 + [1] * 16).sampled("regular", 2)
    path = methods.fit(both, QUICK)
    assert [shot.log["chosen"] for shot in path.shots][1] == "linear" != path.shots[0].log["chosen"]
    assert path.label == "auto[changed]" and path(ts).shape == both.ws.shape


def test_a_candidate_whose_solver_gives_up_is_none(sparse, monkeypatch):
    def refuse(clip, settings, seed, how):
        raise SolverError("too steep.")

    METHODS.load()
    monkeypatch.setitem(METHODS.held, "stiff", Method("stiff", None, refuse, through_codes.ThroughCodes))
    path = methods.fit(sparse, AutoSettings(candidates="stiff,cubic"))
    assert path.log["chosen"] == "cubic" and path.log["left_out_errors"]["stiff"] is None


@pytest.mark.parametrize(
    "names, message",
    [("linear,cubix", "did you mean 'cubic'"), ("linear,auto", "cannot choose itself"), ("", "no method")],
)
def test_candidates_are_other_methods(names, message, sparse):
    with pytest.raises(UserError, match=message):
        methods.fit(sparse, AutoSettings(candidates=names))


def test_a_store_keeps_the_choice(sparse, tmp_path):
    store = FitStore(tmp_path)
    first, again = store.fit(sparse, QUICK), store.fit(sparse, QUICK)
    assert again.log == first.log and len(list(tmp_path.glob("*.auto.*"))) == 1
    assert key_of(sparse, QUICK, 0) != key_of(sparse, AUTO, 0)
