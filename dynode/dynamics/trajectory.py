"""What every method returns: a path in W+ that gives codes at any time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, TypeAlias

import torch

from dynode.border import Times as Times
from dynode.border import numbers, ordinary_modes, public
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.io import outputs
from dynode.io.code_files import digest
from dynode.io.tensor_files import write_safetensors

FORMAT = "dynode-fit-5"  # of fit files
Codes: TypeAlias = Callable[[Times], torch.Tensor]  # times (T,) -> (T, ...)
COMPUTED = ("__call__", "derivative", "chunks", "std", "samples")  # methods of paths that return numbers


class Trajectory(ABC):
    """trajectory(ts) -> codes (T, L, D) at times ts (T,) in seconds, in any order.

    span: first and last observed time.  label: the method's name in records.  log: what was measured while fitting, such
    as observed_error, seconds, parameters.  meta: clip, seed, times and observed frames of the fit.
    closed: value and velocity at the end are those at the beginning, so that the path can be repeated.
    kind: names the class in fit files; "" for a path that is not stored.
    """

    kind: ClassVar[str] = ""
    span: tuple[float, float]
    label: str = ""
    log: Mapping = MappingProxyType({})
    meta: Mapping = MappingProxyType({})
    closed: bool = False

    def __init_subclass__(cls, **choices) -> None:
        """Whoever calls a path, and under whichever modes of torch: its numbers are the same."""
        super().__init_subclass__(**choices)
        for name in COMPUTED:
            if name in cls.__dict__:
                setattr(cls, name, ordinary_modes(cls.__dict__[name]))

    def __repr__(self):
        name = self.meta.get("clip", {}).get("name", "")
        return (
            f"<{type(self).__name__} {self.label or '-'} of {name or 'a clip'}: {self.span[0]:g} to {self.span[1]:g} s>"
        )

    @abstractmethod
    def __call__(self, ts: Times) -> torch.Tensor:
        """Codes (T, L, D) at times ts (T,) in seconds, in any order, also outside of the observed span."""
        ...

    @ordinary_modes
    def derivative(self, ts: Times) -> torch.Tensor:
        """dw/dt at times ts, per second, (T, L, D); by default central differences."""
        return numeric_derivative(self, self.span, ts)

    @ordinary_modes
    def chunks(self, ts: Times, size: int) -> Iterator[torch.Tensor]:
        """The codes at times ts, in their order, in parts of at most `size` frames: never all codes in memory."""
        for times in double(ts).split(size):
            yield self(times)

    @property
    def shots(self) -> Sequence[Trajectory]:
        """One trajectory for each shot of the clip: itself, unless the clip has cuts."""
        return [self]

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        """Tensors, and everything else as JSON text, of a path that can be stored; `unpacked` makes it again.

        Raises UserError for a path that is made of other paths.
        """
        raise UserError(
            f"A {type(self).__name__} is made of another path and has no file of its own: save the fit it was made of, "
            "and make it again."
        )

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> Trajectory:
        """The path of what `packed` returned, the JSON text parsed."""
        raise NotImplementedError(f"{cls.__name__} is not stored")

    @public
    def save(self, path: Path | str) -> Path:
        """Write the tensors and texts of all shots as a fit file, atomically; `dynode.load_fit` reads it.

        Raises UserError as `packed` does.
        """
        outputs.require_suffix(path, outputs.FIT)
        tensors, metadata = {}, {}
        for k, shot in enumerate(self.shots):
            parts, metadata[f"shot{k}"] = shot.packed()
            tensors |= {f"shot{k}.{name}": tensor.contiguous() for name, tensor in parts.items()}
        write_safetensors(path, tensors, FORMAT, **metadata)
        return Path(path)


def double(ts: Times) -> torch.Tensor:
    """Times (T,) as a tensor in double precision.  Raises UserError for what is no row of finite numbers."""
    times = numbers(ts, "Times are a row of finite seconds such as [0.0, 0.5]: they").double()
    if times.dim() != 1 or not torch.isfinite(times).all():
        raise UserError(f"Times are a row of finite seconds such as [0.0, 0.5], got {shown(times)}.")
    return times


def shown(times: torch.Tensor) -> str:
    """Times that are refused, for a message: the first that is no number, or their shape."""
    wrong = times[~torch.isfinite(times)]
    return f"{float(wrong[0])}" if times.dim() == 1 and len(wrong) else f"numbers of shape {tuple(times.shape)}"


def numeric_derivative(path: Codes, span: tuple[float, float], ts: Times) -> torch.Tensor:
    """dw/dt at times ts (T,), per second, by central differences over a thousandth of the span."""
    ts, half = double(ts), 5e-4 * (span[1] - span[0])
    return (path(ts + half) - path(ts - half)) / (2 * half)


def joined(shots: Sequence[Trajectory]) -> Trajectory:
    """The trajectory of a clip from those of its shots, of which there is at least one."""
    return shots[0] if len(shots) == 1 else Shots(shots)


class Shots(Trajectory):
    """One trajectory for each shot of a clip; half-way between two shots the next one takes over."""

    def __init__(self, shots: Sequence[Trajectory]):
        self.each_shot = list(shots)
        self.label, self.meta = shots[0].label, shots[0].meta
        self.span = (shots[0].span[0], shots[-1].span[1])
        gaps = [(a.span[1] + b.span[0]) / 2 for a, b in zip(shots, shots[1:], strict=False)]
        self.cuts = torch.tensor(gaps, dtype=torch.float64)

    @property
    def shots(self) -> list[Trajectory]:
        return self.each_shot

    def __call__(self, ts: Times) -> torch.Tensor:
        return self.each(ts, lambda shot, times: shot(times))

    def chunks(self, ts: Times, size: int) -> Iterator[torch.Tensor]:
        ts = double(ts)
        shot, runs = self.shot_of(ts).unique_consecutive(return_counts=True)
        for k, times in zip(shot, ts.split(runs.tolist()), strict=True):
            yield from self.shots[int(k)].chunks(times, size)

    def derivative(self, ts: Times) -> torch.Tensor:
        return self.each(ts, lambda shot, times: shot.derivative(times))

    def shot_of(self, ts: torch.Tensor) -> torch.Tensor:
        """The index of the shot (T,) that every time belongs to."""
        return torch.bucketize(ts, self.cuts, right=True)

    def each(self, ts: Times, evaluate: Callable[[Trajectory, torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """evaluate(shot, times) at the times that belong to each shot, put together in the order of ts."""
        ts = double(ts)
        shot = self.shot_of(ts)
        parts = {int(k): evaluate(self.shots[k], ts[shot == k]) for k in shot.unique()}
        first = next(iter(parts.values()), None)
        if first is None:  # no times at all
            return evaluate(self.shots[0], ts)
        result = first.new_empty(len(ts), *first.shape[1:])
        for k, part in parts.items():
            result[shot == k] = part
        return result


def described(clip: Clip, seed: int) -> dict:
    """The metadata of a fit: seed, clip with its tuning and a hash of its observed codes, times, observed frames."""
    keys = ("name", "generator", "generator_hash", "source_sha256")
    tuning = {"tuning": clip.meta["tuning"]} if "tuning" in clip.meta else {}
    return {
        "seed": seed,
        "clip": {key: clip.meta.get(key, "") for key in keys} | {"codes": digest(clip.observations().ws)} | tuning,
        "ts": clip.ts.tolist(),
        "observed": clip.observed.tolist(),
    }
