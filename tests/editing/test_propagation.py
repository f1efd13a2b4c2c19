"""An edit of the first code propagated by learned dynamics: closed forms of linear fields, and the modes against each other."""

import dataclasses
import math
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from conftest import circle_codes
from torch import nn

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.fitting import batched, single
from dynode.dynamics.fitting.tube import Tube
from dynode.dynamics.neural_ode import Clock, NeuralODE
from dynode.dynamics.presets import preset
from dynode.dynamics.solvers.rollout import SolverSettings
from dynode.dynamics.state_spaces import WPlus
from dynode.dynamics.trajectory import Shots
from dynode.editing import propagation
from dynode.errors import UserError
from dynode.settings import changed


class Law(nn.Module):
    """A field given by its formula."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, t, u):
        return self.f(t, u)


def growth(t, u):
    return 0.5 * u


def bent(t, u):
    return u - u**2


def by_time(t, u):
    t = torch.as_tensor(t)
    return (torch.cos(3 * t).reshape(-1, 1, 1) if t.dim() else torch.cos(3 * t)) + 0 * u


def solved(f, path: str, ts: torch.Tensor, start: float = 0.5) -> NeuralODE:
    """A path of codes (1, 2) that solves the field, observed at times ts."""
    tight = SolverSettings(rtol=1e-7, atol=1e-8)
    settings = dataclasses.replace(preset("exact"), path=path, solver=tight)
    first = torch.tensor([[start, 0.4 * start]])
    clock, taus = Clock((float(ts[0]), float(ts[-1])), (0.0, 1.0)), torch.linspace(0, 1, len(ts))
    space = WPlus(torch.tensor([1, 2]))
    fit = NeuralODE(settings, Law(f), space, clock, first[None], taus[:1], (float(ts[0]), float(ts[-1])))
    fit = dataclasses.replace(fit, settings=dataclasses.replace(settings, path="rollout"))
    return fit if path == "rollout" else dataclasses.replace(fit, settings=settings, starts=fit(ts), taus=taus)


TIMES = torch.linspace(1.0, 3.0, 9, dtype=torch.float64)  # seconds; the field's time is 0 to 1
PATHS = ("rollout", "blended")


def edit_of(path) -> tuple[torch.Tensor, torch.Tensor]:
    first = path(TIMES[:1])[0]
    return first, first + torch.tensor([[0.1, -0.2]])


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("mode", ["flow", "tangent"])
def test_a_linear_field_grows_the_edit_as_it_grows_everything(kind, mode):
    path = solved(growth, kind, TIMES)
    propagated = propagation.propagate(path, *edit_of(path), mode)
    ts = torch.tensor([2.7, 1.0, 1.1, 3.0, 0.6, 3.4], dtype=torch.float64)  # in any order, beyond the span too
    grown = torch.exp(0.5 * (ts - 1) / 2)[:, None, None] * torch.tensor([[0.1, -0.2]])
    assert torch.allclose((propagated(ts) - path(ts)).double(), grown, atol=2e-5)
    assert torch.allclose(propagated.drift(ts), (torch.exp(0.25 * (ts - 1)) - 1).abs().float(), atol=2e-4)
    rate = propagated.derivative(ts) - path.derivative(ts)
    assert torch.allclose(rate.double(), 0.25 * grown, atol=1e-4)


@pytest.mark.parametrize("kind", PATHS)
def test_a_bent_field_is_followed_exactly_by_flow_and_to_first_order_by_tangent(kind):
    """The logistic equation: z(t) = 1 / (1 + (1 / z0 - 1) exp(-t)), dz/dz0 = (z / z0)^2 exp(-t)."""
    path = solved(bent, kind, TIMES)
    first, edited = edit_of(path)
    tau = ((TIMES - 1) / 2)[:, None, None]
    at = [1 / (1 + (1 / z0.double() - 1) * torch.exp(-tau)) for z0 in (first, edited)]
    flow, tangent = (propagation.propagate(path, first, edited, mode)(TIMES) for mode in ("flow", "tangent"))
    assert torch.allclose(flow.double(), at[1], atol=1e-4)
    slope = (at[0] / first.double()).square() * torch.exp(-tau)
    assert torch.allclose(tangent.double(), at[0] + slope * (edited - first), atol=1e-4)
    assert (flow - tangent).abs().max() > 1e-2


@pytest.mark.parametrize("kind", PATHS)
def test_all_modes_are_one_where_the_field_ignores_the_code(kind):
    path = solved(by_time, kind, TIMES)
    paths = [propagation.propagate(path, *edit_of(path), mode) for mode in propagation.MODES]
    for other in paths[1:]:
        assert torch.allclose(other(TIMES), paths[0](TIMES), atol=1e-6) and other.drift(TIMES).max() < 1e-5
    assert (path(TIMES[-1:]) - path(TIMES[:1])).abs().max() > 0.03  # it does move


@pytest.fixture(scope="module")
def fits():
    ts = torch.linspace(0, 0.5, 9, dtype=torch.float64)
    clip = Clip(circle_codes(ts), ts, meta={"name": "circle"})
    exact = methods.fit(clip, changed(preset("exact"), {"training.newton_steps": 10}))
    return clip, {"exact": exact, "dynode": methods.fit(clip)}


@pytest.mark.parametrize("name", ["exact", "dynode"])
def test_an_edit_of_nothing_gives_the_path_itself(fits, name):
    clip, path = fits[0], fits[1][name]
    for mode in propagation.MODES:
        propagated = propagation.propagate(path, clip.ws[0], clip.ws[0], mode)
        assert torch.equal(propagated(clip.ts), path(clip.ts)) and not propagated.drift(clip.ts).any()


@pytest.mark.parametrize("name", ["exact", "dynode"])
def test_what_the_field_does_not_see_stays_as_it_is(fits, name):
    clip, path = fits[0], fits[1][name]
    aside = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    basis = path.space.basis
    inside = (aside.flatten() @ basis.T @ basis).view(3, 8)
    assert propagation.fraction_in_field(path, clip.ws[0], clip.ws[0] + aside) == pytest.approx(
        float(inside.square().sum() / aside.square().sum()), rel=1e-4
    )
    assert propagation.fraction_in_field(path, clip.ws[0], clip.ws[0] + aside - inside) < 1e-6
    flow = propagation.propagate(path, clip.ws[0], clip.ws[0] + aside, "flow")
    outside = (flow(clip.ts) - path(clip.ts) - aside).flatten(1)
    assert (outside - outside @ basis.T @ basis).abs().max() < 1e-4 < outside.abs().max()
    assert torch.allclose(flow(clip.ts[:1])[0], clip.ws[0] + aside, atol=1e-3)


def test_a_roll_out_is_propagated_as_the_text_says(fits):
    """Literally: the solver started from the edited code."""
    clip, path = fits[0], fits[1]["exact"]
    edited = clip.ws[0] + 0.3 * path.space.basis[0].view(3, 8)
    literal = dataclasses.replace(path, starts=path.space.encode(edited[None]))
    assert torch.allclose(propagation.propagate(path, clip.ws[0], edited, "flow")(clip.ts), literal(clip.ts), atol=1e-3)


def test_a_moment_is_the_same_whatever_else_is_asked_for(fits):
    clip, path = fits[0], fits[1]["dynode"]
    edited = clip.ws[0] + 0.3 * path.space.basis[0].view(3, 8)
    paths = [propagation.propagate(path, clip.ws[0], edited, "flow") for _ in range(2)]
    alone, beyond = paths[0]([0.2]), paths[1]([0.9, 0.2, -0.3])
    assert torch.allclose(alone[0], beyond[1], atol=1e-6) and torch.isfinite(beyond).all()
    assert torch.allclose(torch.cat(list(paths[0].chunks(clip.ts, 4))), paths[0](clip.ts), atol=1e-6)


def test_strength_over_time_scales_what_is_propagated():
    path = solved(growth, "blended", TIMES)
    first, edited = edit_of(path)
    rising = propagation.rising(1.5, 1.0)
    assert rising(TIMES).tolist() == pytest.approx([0, 0, 0, 0.10351562, 0.5, 0.89648438, 1, 1, 1])
    for mode in propagation.MODES:
        whole, part = (propagation.propagate(path, first, edited, mode, s) for s in (None, rising))
        weight = rising(TIMES)[:, None, None].float()
        assert torch.allclose(part(TIMES) - path(TIMES), weight * (whole(TIMES) - path(TIMES)), atol=1e-6)
        slope = (part([2.2001]) - part([2.1999])) / 2e-4
        assert torch.allclose(part.derivative([2.2]), slope, atol=5e-3)


def test_every_shot_is_propagated_by_its_own_field():
    shots = [solved(growth, "rollout", TIMES), solved(by_time, "blended", TIMES + 3)]
    path = Shots(shots)
    first, edited = edit_of(shots[0])
    propagated = propagation.propagate(path, first, edited, "flow")
    ts = torch.tensor([1.0, 3.0, 4.0, 6.0], dtype=torch.float64)
    left = propagation.drift(propagated, ts)
    assert left.tolist() == pytest.approx([0, math.exp(0.5) - 1, 0, 0], abs=1e-4)
    assert torch.allclose(propagated(ts[2:]) - path(ts[2:]), (edited - first).expand(2, 1, 2), atol=1e-5)


def test_a_field_that_explodes_is_an_error():
    path = solved(growth, "blended", TIMES)
    steep = dataclasses.replace(path, field=Law(lambda t, u: u**3))
    with pytest.raises(UserError, match="too steep there; take mode offset"):
        propagation.propagate(steep, *(10 * code for code in edit_of(path)), "flow")(TIMES)


def test_nonsense_is_refused(fits):
    clip, path = fits[0], fits[1]["dynode"]
    with pytest.raises(UserError, match="did you mean 'tangent'"):
        propagation.propagate(path, clip.ws[0], clip.ws[1], "tangents")
    with pytest.raises(
        UserError, match=r"codes \(3, 8\) wants one code before and one after it, got \(3, 8\) and \(1, 3, 8\)"
    ):
        propagation.propagate(path, clip.ws[0], clip.ws[:1])
    linear = methods.fit(clip, "linear")
    with pytest.raises(UserError, match="take mode offset"):
        propagation.propagate(linear, clip.ws[0], clip.ws[1], "flow")
    assert torch.allclose(propagation.propagate(linear, clip.ws[0], clip.ws[1])(clip.ts[:1])[0], clip.ws[1], atol=1e-6)


@dataclass(frozen=True)
class Scaling:
    """An editor whose edit depends on the code."""

    factor: float
    name: str = "scaling"
    space: str = "w+"

    def edit(self, ws, strength, rows=0):
        moved = ws * self.factor**strength
        return moved if not rows else torch.cat([moved[:, :rows], ws[:, rows:]], 1)


def test_rivals_without_dynamics_and_edits_in_a_row(circle):
    edits = [(Scaling(2.0), 1.0), (Scaling(3.0), 2.0)]
    edited = propagation.composed(circle.ws[0], edits)
    assert torch.allclose(edited, 18 * circle.ws[0])
    assert torch.allclose(propagation.shifted(circle.ws, circle.ws[0], edited), circle.ws + 17 * circle.ws[0])
    assert torch.allclose(propagation.reedited(circle.ws, edits), 18 * circle.ws)
    rows = propagation.reedited(circle.ws, edits, rows=1)
    assert torch.equal(rows[:, 1:], circle.ws[:, 1:]) and torch.allclose(rows[:, :1], 18 * circle.ws[:, :1])


def test_codes_are_edited_where_a_learned_editor_lies_and_come_back(circle):
    class Elsewhere(nn.Linear):
        def edit(self, ws, strength, rows=0):
            devices.append(ws.device.type)
            return torch.ones_like(ws, device="cpu")

    devices = []
    edited = propagation.reedited(circle.ws, [(Elsewhere(1, 1, device="meta"), 1.0), (Scaling(2.0), 1.0)])
    assert devices == ["meta"] and torch.equal(edited, torch.full_like(circle.ws, 2.0))


def test_a_tangent_warns_of_nothing_that_users_cannot_help():
    script = "from dynode.editing.propagation import linearised; import torch; one = torch.ones(1)"
    script += "; linearised(lambda t, u: u.sin(), 0, one, one)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not done.stderr


FREE = {"field.drift": "none", "training.segment_iterations": 100, "training.lr": 1e-2, "field.hidden": 32}


def propagated_drift(clip, path, edited) -> float:
    return float(propagation.drift(propagation.propagate(path, clip.ws[0], edited, "flow"), clip.ts).max())


@pytest.mark.parametrize("lessons", ["segments", "roll-outs"])
def test_a_tube_makes_the_flow_of_an_edit_its_offset(lessons):
    """A field without a trend, so that it learns all of the motion itself."""
    ts = torch.linspace(0, 0.5, 9, dtype=torch.float64)
    clip = Clip(circle_codes(ts), ts, meta={"name": "circle"})
    whole = {"training.segment_iterations": 0, "training.iterations": 100, "path": "rollout"}
    settings = changed(preset("trend+mlp"), FREE | (whole if lessons == "roll-outs" else {}))
    basis = methods.fit(clip).space.basis
    edited = clip.ws[0] + 4 * basis[:2].sum(0).view(3, 8)
    plain, tube = (single.fit(clip, changed(settings, {"training.tube": scale})) for scale in (0.0, 0.5))
    left = {name: propagated_drift(clip, fit, edited) for name, fit in (("plain", plain), ("tube", tube))}
    assert left["tube"] < 0.7 * left["plain"]
    assert tube.log["looks"][-1] < 0.5 * tube.log["looks"][0]  # and it still learns the motion


def test_a_tube_of_given_edits_learns_them(fits):
    clip, path = fits[0], fits[1]["dynode"]
    edits = 4 * path.space.basis[:1].view(1, 3, 8)
    settings = changed(preset("trend+mlp"), FREE)
    plain = single.fit(clip, settings)
    tube = single.fit(clip, changed(settings, {"training.tube": 1.0}), edits=edits)
    assert propagated_drift(clip, tube, clip.ws[0] + edits[0]) < 0.6 * propagated_drift(
        clip, plain, clip.ws[0] + edits[0]
    )


def test_a_tube_draws_as_far_as_its_scale():
    u = torch.tensor([[[0.0, 0.0]], [[2.0, 2.0]]])
    rng = torch.Generator().manual_seed(0)
    noise = Tube.around(u, 0.5).draw(u[:1].expand(4000, 1, 2), rng)
    assert noise.std() == pytest.approx(0.5, rel=0.05) and noise.mean().abs() < 0.02
    edits = torch.tensor([[[3.0, 0.0]], [[0.0, 1.0]]])
    drawn = Tube.around(u, 2.0, edits).draw(u[:1].expand(4000, 1, 2), rng)
    assert ((drawn != 0).sum(-1) == 1).all()  # one edit at a time
    assert drawn[..., 0].max() == pytest.approx(6, rel=0.01) and drawn[..., 1].min() == pytest.approx(-2, rel=0.01)


def test_tubes_that_cannot_be_are_refused(fits):
    clip = fits[0]
    with pytest.raises(UserError, match="training.newton_steps=0"):
        single.fit(clip, changed(preset("exact"), {"training.tube": 0.5}))
    with pytest.raises(UserError, match="needs training.tube > 0"):
        single.fit(clip, edits=clip.ws[:1])
    with pytest.raises(UserError, match=r"codes \(3, 8\) were wanted, got \(1, 2, 8\)"):
        single.fit(clip, changed(preset("trend+mlp"), {"training.tube": 0.5}), edits=clip.ws[:1, :2])
    assert not batched.can_batch(changed(preset("trend+mlp"), {"training.tube": 0.5})) and batched.can_batch(
        preset("trend+mlp")
    )
