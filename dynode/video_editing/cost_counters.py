"""What an edited video cost, counted where it happens: the parts are wrapped, nothing comes from a formula."""

import contextlib
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch

from dynode.evaluation.records import Row

OTHERS = ("seconds", "peak_memory", "entered", "since")  # what a Counters holds beside counts
STATUS, RESET = "/proc/self/status", "/proc/self/clear_refs"


@dataclass
class Counters:
    """How often each part was used, seconds by stage, and the process's peak memory in bytes.

    frames_inverted: whose codes were needed.  steps_before: the optimiser steps that a clip's settings tell of codes that
    came inverted, counted apart from `optimiser_steps`, which were taken here.  edits: codes that an editor edited.
    landmark_tracks: Lucas-Kanade fields that landmarks were followed by.  field_evaluations: of a neural ODE, to fit and
    to ask it; those of a fit that was found on disk are the ones its making took.
    """

    frames_inverted: int = 0
    steps_before: int = 0
    encoder_passes: int = 0
    generator_forward: int = 0
    generator_backward: int = 0
    optimiser_steps: int = 0
    edits: int = 0
    detections: int = 0
    landmark_tracks: int = 0
    flow_calls: int = 0
    segmentations: int = 0
    field_evaluations: int = 0
    pastes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory: int = 0
    entered: list[str] = field(default_factory=list, repr=False)
    since: float = field(default=0.0, repr=False)

    @contextlib.contextmanager
    def stage(self, name: str):
        """Count the seconds of what runs inside to a stage, and to it alone: a stage that it was entered from waits."""
        self.turn_to([*self.entered, name])
        try:
            yield
        finally:
            self.turn_to(self.entered[:-1])
            self.peak_memory = max(self.peak_memory, peak_memory())

    def turn_to(self, entered: list[str]) -> None:
        now = time.perf_counter()
        if self.entered:
            self.seconds[self.entered[-1]] = self.seconds.get(self.entered[-1], 0.0) + now - self.since
        self.entered, self.since = entered, now

    def timed(self, name: str, parts: Iterable) -> Iterator:
        """The items of an iterable; what they take to come counts to a stage."""
        source, ended = iter(parts), object()
        while True:
            with self.stage(name):
                item = next(source, ended)
            if item is ended:
                return
            yield item

    def step(self) -> None:
        """One step of an optimiser; inversions call it."""
        self.optimiser_steps += 1

    def generator(self, part) -> "CountedGenerator":
        return CountedGenerator(part, self)

    def encoder(self, part) -> "CountedCalls":
        return CountedCalls(part, self, "encoder_passes")

    def counts(self) -> dict[str, int]:
        """Everything but seconds and memory."""
        return {name: n for name, n in vars(self).items() if name not in OTHERS}

    def rows(self, **named) -> list[Row]:
        """One row for each counter, for each stage's seconds, and for the peak memory in MB."""
        rows = [Row(name, float(n), unit="times", space="cost", **named) for name, n in self.counts().items()]
        seconds = [Row(f"seconds_{name}", s, unit="s", space="cost", **named) for name, s in self.seconds.items()]
        return [*rows, *seconds, Row("peak_memory", self.peak_memory / 1e6, unit="MB", space="cost", **named)]

    def text(self) -> str:
        """What was used at all, for the user's eyes."""
        used = [f"{n} {name.replace('_', ' ')}" for name, n in self.counts().items() if n]
        seconds = [f"{name} {s:.1f} s" for name, s in self.seconds.items()]
        return ", ".join([*used, *seconds, f"peak memory {self.peak_memory / 1e6:.0f} MB"])


class Counted:
    """A part that counts how often it is used; everything else it has is the part's own."""

    def __init__(self, part, counters: Counters):
        self.part, self.counters = part, counters

    def __getattr__(self, name):
        return getattr(self.part, name)


class CountedGenerator(Counted):
    """Counts images synthesised, and those whose gradient was taken."""

    def synthesis(self, ws, *arguments, **named):
        self.counters.generator_forward += len(ws)
        images = self.part.synthesis(ws, *arguments, **named)
        if images.requires_grad:
            images.register_hook(lambda gradient: self.count_backward(len(gradient)))
        return images

    def count_backward(self, images: int) -> None:
        self.counters.generator_backward += images


class CountedEditor(Counted):
    """Counts codes edited."""

    def edit(self, ws, strength, rows: int = 0):
        self.counters.edits += len(ws)
        return self.part.edit(ws, strength, rows)


class CountedCalls(Counted):
    """Counts the calls of a function of one frame (of images, each of them), under the counter of that name."""

    def __init__(self, part, counters: Counters, name: str):
        super().__init__(part, counters)
        self.name = name

    def __call__(self, seen):
        frames = len(seen) if isinstance(seen, torch.Tensor) and seen.dim() == 4 else 1
        setattr(self.counters, self.name, getattr(self.counters, self.name) + frames)
        return self.part(seen)


def forget_peak() -> None:
    """Let the process's peak memory start anew, where the system can (Linux)."""
    with contextlib.suppress(OSError), open(RESET, "w") as file:
        file.write("5")


def peak_memory() -> int:
    """Bytes: the largest resident memory of this process since `forget_peak`, else since its beginning."""
    with contextlib.suppress(OSError, StopIteration), open(STATUS) as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def counted_evaluations(path, counters: Counters):
    """Let the neural ODEs of a trajectory count the evaluations of their fields from now on, after those of their making."""
    for shot in getattr(path, "shots", [path]):
        if isinstance(getattr(shot, "field", None), torch.nn.Module):
            counters.field_evaluations += shot.log.get("nfe", 0)
            shot.field.register_forward_hook(lambda *_: count_evaluation(counters))
    return path


def count_evaluation(counters: Counters) -> None:
    counters.field_evaluations += 1
