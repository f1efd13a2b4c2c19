"""An edit of the first code, propagated through a clip by its learned dynamics (paper Sec. 3).

The edited path is z'(t) = z(t) + s(t) d(t), where z is the learned path, d(t0) = z'_0 - z_0 is what the edit added to the
first code and s is the edit's strength over time, 1 unless given.  The three modes differ in d:

offset   d is constant: "identical dynamics".
flow     dd/dt = f(z + d, t) - f(z, t): the field followed from the edited code.  z' then solves dz'/dt = f(z', t), which is
         what the paper's text says, where z itself is one roll-out.  A blended path (preset `dynode`) is no single solution
         of its field; with d solved beside it, an edit of nothing still gives the path itself, exactly.
tangent  dd/dt = J_f(z, t) d: the same to first order in d.

All three are one where f does not depend on z.  A field knows only the space it was fitted in: the part of the edit outside,
for preset `dynode` outside the affine span of the observed codes, is constant in every mode (`fraction_in_field`: how much
lies inside).  In each shot of a clip with cuts the shot's own field propagates the edit, from the same d at its beginning.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import cast

import torch
from scipy.interpolate import CubicHermiteSpline
from torch import nn
from torch.func import jvp

from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.retiming import smooth
from dynode.dynamics.solvers.rollout import SolverError
from dynode.dynamics.trajectory import Shots, Times, Trajectory, double, numeric_derivative
from dynode.editing.editors import Editor
from dynode.errors import UserError
from dynode.settings import choose

MODES = ("offset", "flow", "tangent")
STEPS = 4  # of the Runge-Kutta solver between two observations of a blended path
OVERFLOW = "An edit propagated by {} left the range of numbers: its field is too steep there; take mode offset."

Strength = Callable[[Times], torch.Tensor]  # times (T,) in seconds -> (T,)
Edits = Iterable[tuple[Editor, float | torch.Tensor]]  # editors with their strengths, in the order they are applied
Law = Callable[..., tuple[torch.Tensor, torch.Tensor]]  # (field, t, u, d) -> du/dt, dd/dt


class ConstantOffset:
    """An offset (L, D) that does not change."""

    def __init__(self, start: torch.Tensor):
        self.start = start

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.start.expand(len(ts), *self.start.shape)

    def derivative(self, ts: Times) -> torch.Tensor:
        return torch.zeros(len(ts), *self.start.shape)


class SolvedOffset:
    """An offset (L, D) that the field of a fit changes with time, by one of `LAWS`."""

    def __init__(self, fit: NeuralODE, start: torch.Tensor, law: Law):
        self.fit, self.start = fit, start
        first = fit.space.decode(fit.starts[:1])[0]
        self.inside = fit.space.encode((first + start)[None])[0] - fit.space.encode(first[None])[0]
        self.field = OffsetField(fit.field, law)
        self.solved: dict[
            int, tuple[float, CubicHermiteSpline]
        ] = {}  # direction in time -> how far, the curve to there

    def __call__(self, ts: Times) -> torch.Tensor:
        """Offsets (T, L, D); the part outside the field's space is constant."""
        changed = self.states(self.fit.clock(ts).to(self.fit.starts)) - self.inside
        return self.start + self.fit.space.decode_velocity(changed)

    @torch.no_grad()
    def derivative(self, ts: Times) -> torch.Tensor:
        taus = self.fit.clock(ts).to(self.fit.starts)
        rates = self.field(taus, torch.stack([self.fit.states(taus), self.states(taus)]))[1]
        return self.fit.space.decode_velocity(rates) * self.fit.clock.rate(ts).to(rates)[:, None, None]

    @torch.no_grad()
    def states(self, taus: torch.Tensor) -> torch.Tensor:
        """Offsets (T, R, K) in the field's space at its times (T,), in any order."""
        return self.rolled(taus) if self.fit.settings.path == "rollout" else self.stepped(taus)

    def rolled(self, taus: torch.Tensor) -> torch.Tensor:
        """Solved together with the path, so that both take the same steps."""
        both = torch.stack([self.fit.starts[0], self.inside])[None]
        return replace(self.fit, field=self.field, starts=both).rolled_out(taus)[:, 1]

    def stepped(self, taus: torch.Tensor) -> torch.Tensor:
        """Beside a blended path, by fourth-order Runge-Kutta from the first observation, in both directions."""
        offsets = self.inside.expand(len(taus), *self.inside.shape).clone()
        for sign in (1, -1):
            side = (taus - self.fit.taus[0]) * sign > 0
            if side.any():
                values = self.curve(taus[side], sign)(taus[side].double().numpy())
                offsets[side] = torch.from_numpy(values).to(offsets)
        return offsets

    def curve(self, taus: torch.Tensor, sign: int) -> CubicHermiteSpline:
        """Cubics through the offsets at the grid's times, with their rates; solved once, and again where `taus` go farther."""
        reach = float((taus * sign).max())
        if sign not in self.solved or self.solved[sign][0] < reach:
            grid = self.grid(taus, sign)
            states, rates = self.runge_kutta(grid.to(taus))
            if not torch.isfinite(rates).all():
                raise SolverError(OVERFLOW.format(self.fit.settings.label))
            ascending = grid.argsort()
            knots, values, slopes = (each[ascending].double().numpy() for each in (grid, states, rates))
            self.solved[sign] = float(grid[-1] * sign), CubicHermiteSpline(knots, values, slopes)
        return self.solved[sign][1]

    def grid(self, taus: torch.Tensor, sign: int) -> torch.Tensor:
        """Times from the first observation on (sign 1) or back (-1), beyond all of `taus`; more of them change no other."""
        known, fractions = self.fit.taus.double(), torch.arange(STEPS, dtype=torch.float64) / STEPS
        inner = (known[:-1, None] + fractions * known.diff()[:, None]).flatten()
        begin, step = (known[-1], inner.diff()[-1]) if sign > 0 else (known[0], -inner.diff()[0])
        beyond = begin + step * torch.arange(2 + max(0, int((taus.double() - begin).div(step).max())))
        return torch.cat([inner, beyond]) if sign > 0 else beyond

    def runge_kutta(self, grid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Offsets and their rates (n, R, K) at the grid's times (n,), from the edit at the first of them on."""
        at, between = self.fit.blended(torch.cat([grid, (grid[1:] + grid[:-1]) / 2])).split([len(grid), len(grid) - 1])
        states, rates = [self.inside], [self.rate(grid[0], at[0], self.inside)]
        for k, step in enumerate(grid.diff()):
            d, first, middle = states[-1], rates[-1], grid[k] + step / 2
            second = self.rate(middle, between[k], d + step / 2 * first)
            third = self.rate(middle, between[k], d + step / 2 * second)
            fourth = self.rate(grid[k + 1], at[k + 1], d + step * third)
            states.append(d + step / 6 * (first + 2 * second + 2 * third + fourth))
            rates.append(self.rate(grid[k + 1], at[k + 1], states[-1]))
        return torch.stack(states), torch.stack(rates)

    def rate(self, t: torch.Tensor, u: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        return self.field(t, torch.stack([u, d]))[1]


def difference(field: nn.Module, t, u: torch.Tensor, d: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    velocity = field(t, u)
    return velocity, field(t, u + d) - velocity


def linearised(field: nn.Module, t, u: torch.Tensor, d: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    load_forward_rules()
    return cast(tuple[torch.Tensor, torch.Tensor], jvp(lambda u: field(t, u), (u,), (d,)))


@cache
def load_forward_rules() -> None:
    """Let torch load its rules of forward differentiation, which it does at the first use, with a warning about its own code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
        jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))


LAWS: dict[str, Law] = {"flow": difference, "tangent": linearised}


class OffsetField(nn.Module):
    """The field of a state and of an offset beside it: states (2, ..., R, K)."""

    def __init__(self, field: nn.Module, law: Law):
        super().__init__()
        self.field, self.law = field, law

    def forward(self, t, both: torch.Tensor) -> torch.Tensor:
        return torch.stack(self.law(self.field, t, *both))


class PropagatedPath(Trajectory):
    """A path with an edit beside it: z(t) + s(t) d(t)."""

    def __init__(self, path: Trajectory, offset: ConstantOffset | SolvedOffset, strength: Strength | None = None):
        self.path, self.offset, self.strength, self.span = path, offset, strength, path.span

    def weight(self, ts: Times) -> torch.Tensor:
        """s(t) at times ts, (T,)."""
        ts = double(ts)
        return torch.ones_like(ts) if self.strength is None else self.strength(ts)

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.path(ts) + self.weight(ts).float()[:, None, None] * self.offset(ts)

    def derivative(self, ts: Times) -> torch.Tensor:
        velocity = self.path.derivative(ts) + self.weight(ts).float()[:, None, None] * self.offset.derivative(ts)
        if self.strength is None:
            return velocity
        return velocity + numeric_derivative(self.strength, self.span, ts).float()[:, None, None] * self.offset(ts)

    def drift(self, ts: Times) -> torch.Tensor:
        """`relative_drift` of d from d(t0) at times ts, (T,): 0 for mode offset, and for an edit of nothing."""
        return relative_drift(self.offset(ts), self.offset.start)


def propagate(
    path: Trajectory, w0: torch.Tensor, edited: torch.Tensor, mode: str = "offset", strength: Strength | None = None
) -> PropagatedPath | Shots:
    """The edit that made `edited` (L, D) of the first code w0 (L, D), propagated along a path; modes as in the module's text.

    strength: s(t), such as `rising(0.5, 1)`, of the edit over time.  Mode offset takes any trajectory; the others a neural ODE.
    Raises UserError for an unknown mode, codes of another shape, and a path without a field in modes that want one.
    """
    choose("mode of propagation", mode, list(MODES))
    if isinstance(path, Shots):
        return Shots([propagate(shot, w0, edited, mode, strength) for shot in path.shots])
    shape = path(double([path.span[0]])).shape[1:]
    if not w0.shape == edited.shape == shape:
        raise UserError(
            f"An edit of a path of codes {tuple(shape)} wants one code before and one after it, got {tuple(w0.shape)} and "
            f"{tuple(edited.shape)}."
        )
    return PropagatedPath(path, offset_of(path, (edited - w0).detach().cpu().float(), mode), strength)


def offset_of(path: Trajectory, start: torch.Tensor, mode: str) -> ConstantOffset | SolvedOffset:
    if mode == "offset":
        return ConstantOffset(start)
    if not isinstance(path, NeuralODE):
        raise UserError(f"Only a neural ODE has a field that can propagate an edit in mode {mode}: take mode offset.")
    return SolvedOffset(path, start, LAWS[mode])


def relative_drift(offsets: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
    """|d(t) - d(t0)| / |d(t0)|, (T,), of offsets d (T, L, D) from the first one, d(t0) (L, D)."""
    return (offsets - first).flatten(1).norm(dim=1) / first.norm().clamp(min=1e-12)


def drift(path: Trajectory, ts: Times) -> torch.Tensor:
    """`relative_drift` of what `propagate` returned from the edit of the first code, at times ts (T,)."""
    return path.each(ts, drift) if isinstance(path, Shots) else cast(PropagatedPath, path).drift(ts)


def fraction_in_field(path: Trajectory, w0: torch.Tensor, edited: torch.Tensor) -> float:
    """How much of an edit's squared length lies in the space of the path's field; modes flow and tangent leave the rest.

    Of the first shot where there are several; 0 for a path without a field.
    """
    fit, offset = path.shots[0], (edited - w0).detach().cpu().float()
    if not isinstance(fit, NeuralODE) or not offset.any():
        return 0.0
    inside = fit.space.decode_velocity(SolvedOffset(fit, offset, difference).inside[None])[0]
    return float(inside.square().sum() / offset.square().sum())


def rising(start: float, seconds: float) -> Strength:
    """A strength that goes smoothly from 0 to 1 within `seconds` from `start` on."""
    return lambda ts: smooth((double(ts) - start) / seconds)


def shifted(ws: torch.Tensor, w0: torch.Tensor, edited: torch.Tensor) -> torch.Tensor:
    """The same offset on every code (T, L, D) by itself: an edit of all frames without dynamics."""
    return ws + (edited - w0)


@torch.no_grad()
def reedited(ws: torch.Tensor, edits: Edits, rows: int = 0) -> torch.Tensor:
    """Every code (T, L, D) edited by itself, by editors one after the other.

    Codes may lie on another device than a learned editor's parameters; they are returned on their own.
    """
    for editor, strength in edits:
        ws = editor.edit(ws.to(device_of(editor, ws)), strength, rows).to(ws)
    return ws


def device_of(editor: Editor, ws: torch.Tensor) -> torch.device:
    """The device of a learned editor's parameters; that of the codes for one without any."""
    parameters = getattr(editor, "parameters", tuple)()
    return next((each.device for each in parameters), ws.device)


def composed(w0: torch.Tensor, edits: Sequence[tuple[Editor, float]], rows: int = 0) -> torch.Tensor:
    """One code (L, D) edited by editors one after the other: `propagate` propagates all of them as one edit."""
    return reedited(w0[None], edits, rows)[0]
