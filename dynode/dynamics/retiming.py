"""Reuse of a motion: time warps (speed, direction, loops) and transfer to another code.

Every class is a trajectory made of another one, without a fit.  `retime` is what `dynode render` offers.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import torch

from dynode.border import numbers, ordinary_modes, public
from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.trajectory import Codes, Times, Trajectory, double
from dynode.errors import UserError
from dynode.settings import choose

SPEEDS = (1e-3, 1e3)  # slowest and fastest
BLEND = 0.25  # fraction of a path that a loop blends with its beginning
Warp: TypeAlias = Callable[[torch.Tensor], torch.Tensor]  # times (T,) -> times, or their rates (T,), double


def smooth(x: torch.Tensor) -> torch.Tensor:
    """From 0 to 1 over [0, 1], first and second derivative 0 at both ends: 6 x^5 - 15 x^4 + 10 x^3 (Perlin 2002)."""
    x = x.clamp(0, 1)
    return x**3 * (x * (6 * x - 15) + 10)


def smooth_rate(x: torch.Tensor) -> torch.Tensor:
    """The derivative of `smooth`; 0 outside [0, 1]."""
    x = x.clamp(0, 1)
    return 30 * x**2 * (1 - x) ** 2


@dataclass(repr=False)
class Retimed(Trajectory):
    """A path with warped time: its code at tau(t), where `rate` is d tau / dt."""

    path: Trajectory
    tau: Warp
    rate: Warp
    span: tuple[float, float]
    closed: bool = False

    def __post_init__(self):
        self.label, self.meta = self.path.label, self.path.meta

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.path(self.tau(double(ts)))

    def derivative(self, ts: Times) -> torch.Tensor:
        ts = double(ts)
        return self.path.derivative(self.tau(ts)) * self.rate(ts).float()[:, None, None]

    def chunks(self, ts: Times, size: int) -> Iterator[torch.Tensor]:
        return self.path.chunks(self.tau(double(ts)), size)


# Warps are functions of modules, not of functions, so that a path can be pickled and sent to another process.


def linear_warp(ts: torch.Tensor, start: float, speed: float) -> torch.Tensor:
    return start + (ts - start) * speed


def backward_warp(ts: torch.Tensor, start: float, end: float) -> torch.Tensor:
    return start + end - ts


def constant_rate(ts: torch.Tensor, speed: float) -> torch.Tensor:
    return torch.full_like(ts, speed)


def eased_warp(ts: torch.Tensor, start: float, seconds: float) -> torch.Tensor:
    return start + seconds * smooth((ts - start) / seconds)


def eased_rate(ts: torch.Tensor, start: float, seconds: float) -> torch.Tensor:
    return smooth_rate((ts - start) / seconds)


def pendulum_warp(ts: torch.Tensor, start: float, seconds: float) -> torch.Tensor:
    return start + seconds / 2 * (1 - (math.pi / seconds * (ts - start)).cos())


def pendulum_rate(ts: torch.Tensor, start: float, seconds: float) -> torch.Tensor:
    turn = math.pi / seconds
    return seconds / 2 * turn * (turn * (ts - start)).sin()


def duration(path: Trajectory) -> float:
    """Seconds from the beginning to the end of a path; at least a microsecond."""
    return max(path.span[1] - path.span[0], 1e-6)


def speed_up(path: Trajectory, speed: float) -> Retimed:
    """The path `speed` times as fast, from the same beginning.  Raises UserError for a speed outside SPEEDS."""
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise UserError(
            f"The speed must lie between {SPEEDS[0]:g} and {SPEEDS[1]:g}, got {speed:g}: 2 is twice as fast."
        )
    start = path.span[0]
    span = (start, start + (path.span[1] - start) / speed)
    return Retimed(path, partial(linear_warp, start=start, speed=speed), partial(constant_rate, speed=speed), span)


def reverse(path: Trajectory) -> Retimed:
    """The path from its end to its beginning."""
    start, end = path.span
    return Retimed(path, partial(backward_warp, start=start, end=end), partial(constant_rate, speed=-1.0), path.span)


def ease_in_out(path: Trajectory) -> Retimed:
    """The path in the same time, with velocity 0 at its beginning and end; constant outside its span."""
    (start, _), seconds = path.span, duration(path)
    clock = {"start": start, "seconds": seconds}
    return Retimed(path, partial(eased_warp, **clock), partial(eased_rate, **clock), path.span)


def ping_pong(path: Trajectory) -> Retimed:
    """Forward and backward in twice the time, like a pendulum: tau = t0 + (1 - cos(2 pi t / P)) L / 2."""
    (start, _), seconds = path.span, duration(path)
    clock = {"start": start, "seconds": seconds}
    span = (start, start + 2 * seconds)
    return Retimed(path, partial(pendulum_warp, **clock), partial(pendulum_rate, **clock), span, closed=True)


class Looped(Trajectory):
    """A periodic path: before its end it is blended, code by code, into its own beginning.

    For a fraction b of a path of L seconds the period is P = (1 - b) L, and for s = t mod P

        z(s) = h(s / bL) x(s) + (1 - h(s / bL)) x(P + s)   while s < bL,   x(s) after,

    where h is `smooth`: at s = 0 and at P the value, the velocity and the acceleration are those of x at P.
    """

    closed = True

    def __init__(self, path: Trajectory, blend: float = BLEND):
        if not 0 < blend <= 0.5:
            raise UserError(f"The fraction that a loop blends must be above 0 and at most 0.5, got {blend:g}.")
        self.path, self.start, self.blended = path, path.span[0], blend * duration(path)
        self.label, self.meta = path.label, path.meta
        self.period = duration(path) - self.blended
        self.span = (self.start, self.start + self.period)

    def phase(self, ts: Times) -> torch.Tensor:
        """Seconds (T,) since the period began."""
        return torch.remainder(double(ts) - self.start, self.period)

    def blend_terms(self, evaluate: Codes, ts: Times) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """evaluate(times) at each phase and one period later, (T, ...) both, and the weight (T, 1, 1) of the former."""
        s = self.phase(ts)
        later = torch.where(s < self.blended, s + self.period, s)
        weight = torch.where(s < self.blended, smooth(s / self.blended), 1.0)
        return evaluate(self.start + s), evaluate(self.start + later), weight.float()[:, None, None]

    def __call__(self, ts: Times) -> torch.Tensor:
        now, later, weight = self.blend_terms(self.path, ts)
        return torch.lerp(later, now, weight)

    def derivative(self, ts: Times) -> torch.Tensor:
        velocity, later_velocity, weight = self.blend_terms(self.path.derivative, ts)
        now, later, _ = self.blend_terms(self.path, ts)
        weight_rate = smooth_rate(self.phase(ts) / self.blended) / self.blended
        return torch.lerp(later_velocity, velocity, weight) + weight_rate.float()[:, None, None] * (now - later)


class Shifted(Trajectory):
    """A path with the same offset (L, D) added to all of its codes."""

    def __init__(self, path: Trajectory, offset: torch.Tensor):
        self.path, self.offset, self.span = path, offset, path.span
        self.label, self.meta = path.label, path.meta

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.path(ts) + self.offset

    def derivative(self, ts: Times) -> torch.Tensor:
        return self.path.derivative(ts)

    def chunks(self, ts: Times, size: int) -> Iterator[torch.Tensor]:
        for part in self.path.chunks(ts, size):
            yield part + self.offset


class Transferred(Shifted):
    """The motion of one clip on another code, start (L, D) instead of z(t0): w(t) = start + (z(t) - z(t0)).

    Raises UserError for a code of another shape.
    """

    def __init__(self, path: Trajectory, start: torch.Tensor):
        first = path(double([path.span[0]]))[0]
        start = numbers(start, "The code to start from").to(first)
        if start.shape != first.shape:
            raise UserError(
                f"A motion of codes {tuple(first.shape)} cannot move a code {tuple(start.shape)}: both must belong to "
                "one generator."
            )
        super().__init__(path, start - first)


class Restarted(Shifted):
    """The learned field solved forward and backward from another code at another time: z' = f(z, t), z(t) = start.

    The part of the code (L, D) outside the field's state space stays constant.  From a clip's own last code it solves the
    clip backward; from the first frame of another clip it is that frame's motion under this clip's field, which was not
    trained there.  Raises UserError for paths that have no field, or one for each shot.
    """

    def __init__(self, fit: Trajectory, start: torch.Tensor, t: float):
        if not isinstance(fit, NeuralODE):
            raise UserError("Only a neural ODE of one shot has a field to follow from another code.")
        start = numbers(start, "The code to start from").float()
        u = fit.space.encode(start[None])
        settings, taus = replace(fit.settings, path="rollout", meets="codes"), fit.clock([t]).to(u)
        solved = replace(fit, settings=settings, starts=u, taus=taus)
        super().__init__(solved, start - fit.space.decode(u)[0])


LOOPS: dict[str, Callable[[Trajectory], Trajectory]] = {"blend": Looped, "swing": ping_pong}


@public
def retime(path: Trajectory, speed: float = 1.0, backward: bool = False, loop: str = "") -> Trajectory:
    """The path at another speed, backward, and in a loop: "blend" into its beginning, or "swing" forward and backward.

    Raises UserError for a speed or a loop that cannot be.
    """
    path = path if speed == 1 else speed_up(path, speed)
    path = reverse(path) if backward else path
    return choose("loop", loop, LOOPS)(path) if loop else path


@ordinary_modes
def frame_times(path: Trajectory, fps: float) -> torch.Tensor:
    """Times (T,) of a video of the path: its span at that rate, without the end of a closed path, which is its start."""
    if path.closed:
        frames = max(1, round((path.span[1] - path.span[0]) * fps))
        return path.span[0] + (path.span[1] - path.span[0]) * torch.arange(frames, dtype=torch.float64) / frames
    return torch.arange(path.span[0], path.span[1] + 1e-9, 1 / fps, dtype=torch.float64)


@dataclass(frozen=True)
class Seam:
    """The discontinuity of a repeated video between its end and its start.

    value: distance between the codes at the end and at the start, in mean steps of 1 / fps; velocity: that between the
    velocities, in mean speeds.  0 is seamless; an ordinary step has value 1 and velocity near 0.
    """

    value: float
    velocity: float

    @classmethod
    def of(cls, path: Trajectory, fps: float) -> "Seam":
        """The seam of a path over its span."""
        (start, end), inset = path.span, 1e-6 * duration(path)  # at its very end a closed path is at its start
        dense = torch.linspace(start, end, max(3, round((end - start) * fps) + 1), dtype=torch.float64)
        steps = path(dense).double().diff(dim=0).flatten(1).norm(dim=1).mean().clamp(min=1e-12)
        speeds = path.derivative(dense).double().flatten(1).norm(dim=1).mean().clamp(min=1e-12)
        ends = double([start + inset, end - inset])
        value, velocity = (each(ends).double().diff(dim=0).norm() for each in (path, path.derivative))
        return cls(float(value / steps), float(velocity / speeds))
