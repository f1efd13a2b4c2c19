"""What an edited video costs, counted by an observer of the parts where they are used; nothing comes from a formula."""

import contextlib
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.trajectory import Trajectory
from dynode.evaluation.counts import counted
from dynode.evaluation.records import Row
from dynode.inversion.observer import Observer

NOT_COUNTS = ("seconds", "peak_memory", "entered", "since")  # what a Counters holds beside counts
# What a line says of one use of a counter and of several, but for the number.
WORDS = {
    "frames_inverted": ("frame inverted", "frames inverted"),
    "steps_before": ("optimiser step taken before", "optimiser steps taken before"),
    "encoder_passes": ("pass of the encoder", "passes of the encoder"),
    "generator_forward": ("pass of the generator", "passes of the generator"),
    "generator_backward": ("backward pass of the generator", "backward passes of the generator"),
    "optimiser_steps": ("optimiser step", "optimiser steps"),
    "tuning_steps": ("optimiser step of tuning and stitching", "optimiser steps of tuning and stitching"),
    "tuning_steps_before": ("optimiser step of a tuning taken before", "optimiser steps of a tuning taken before"),
    "generator_forward_before": ("pass of the generator before", "passes of the generator before"),
    "generator_backward_before": ("backward pass of the generator before", "backward passes of the generator before"),
    "edits": ("edit", "edits"),
    "detections": ("face detection", "face detections"),
    "landmark_tracks": ("track of landmarks", "tracks of landmarks"),
    "flow_calls": ("field of optical flow", "fields of optical flow"),
    "segmentations": ("face segmented", "faces segmented"),
    "flow_calls_before": ("field of optical flow before", "fields of optical flow before"),
    "segmentations_before": ("face segmented before", "faces segmented before"),
    "field_evaluations": ("evaluation of the dynamics' field", "evaluations of the dynamics' field"),
    "pastes": ("crop pasted", "crops pasted"),
}
STATUS, RESET = "/proc/self/status", "/proc/self/clear_refs"


@dataclass
class Counters:
    """How often each part was used, seconds by stage, and the process's peak memory in bytes.  An observer.

    frames_inverted: frames whose codes were needed.  steps_before: the optimiser steps of codes that were already
    inverted, by a run that was stopped too, counted apart from `optimiser_steps`, which were taken here.  tuning_steps: those of a system that
    tunes the generator; tuning_steps_before: of its stages and frames that were finished before and kept.  edits: codes that an editor edited.
    landmark_tracks: Lucas-Kanade fields that landmarks were followed by.  field_evaluations: of a neural ODE, during
    fitting and evaluation; of a fit that was read from disk those of its fitting count too.
    """

    frames_inverted: int = 0
    steps_before: int = 0
    encoder_passes: int = 0
    generator_forward: int = 0
    generator_backward: int = 0
    optimiser_steps: int = 0
    tuning_steps: int = 0
    tuning_steps_before: int = 0
    generator_forward_before: int = 0
    generator_backward_before: int = 0
    edits: int = 0
    detections: int = 0
    landmark_tracks: int = 0
    flow_calls: int = 0
    segmentations: int = 0
    flow_calls_before: int = 0
    segmentations_before: int = 0
    field_evaluations: int = 0
    pastes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory: int = 0
    entered: list[str] = field(default_factory=list, repr=False)
    since: float = field(default=0.0, repr=False)

    def count(self, name: str, times: int = 1) -> None:
        """`times` more uses of the part that the counter of that name stands for."""
        setattr(self, name, getattr(self, name) + times)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the seconds of what runs inside to a stage, and to it alone: the stage around it pauses."""
        self.switch_to([*self.entered, name])
        try:
            yield
        finally:
            self.switch_to(self.entered[:-1])
            self.peak_memory = max(self.peak_memory, peak_memory())

    def switch_to(self, entered: list[str]) -> None:
        now = time.perf_counter()
        if self.entered:
            self.seconds[self.entered[-1]] = self.seconds.get(self.entered[-1], 0.0) + now - self.since
        self.entered, self.since = entered, now

    def counts(self) -> dict[str, int]:
        """Everything but seconds and memory."""
        return {name: n for name, n in vars(self).items() if name not in NOT_COUNTS}

    def rows(self, **named) -> list[Row]:
        """One row for each counter, for each stage's seconds, and for the peak memory in MB."""
        rows = [Row(name, float(n), unit="times", space="cost", **named) for name, n in self.counts().items()]
        seconds = [Row(f"seconds_{name}", s, unit="s", space="cost", **named) for name, s in self.seconds.items()]
        return [*rows, *seconds, Row("peak_memory", self.peak_memory / 1e6, unit="MB", space="cost", **named)]

    def text(self) -> str:
        """What was used at all, as one line."""
        used = [counted(n, *WORDS[name]) for name, n in self.counts().items() if n]
        seconds = [f"{name} {s:.1f} s" for name, s in self.seconds.items()]
        return ", ".join([*used, *seconds, f"peak memory {self.peak_memory / 1e6:.0f} MB"])


def reset_peak_memory() -> None:
    """Let the process's peak memory start anew, where the system can (Linux)."""
    with contextlib.suppress(OSError), open(RESET, "w", encoding="ascii") as file:
        file.write("5")


def peak_memory() -> int:
    """Bytes: the largest resident memory of this process since `reset_peak_memory`, else since its beginning."""
    with contextlib.suppress(OSError, StopIteration), open(STATUS, encoding="ascii", errors="replace") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextlib.contextmanager
def observed_fields(path: Trajectory, observer: Observer) -> Iterator[None]:
    """Notify of every evaluation of a path's fields while inside (field_evaluations), first of those of its fitting."""

    def count_evaluation(*_) -> None:
        observer.count("field_evaluations")

    with contextlib.ExitStack() as hooks:
        for shot in path.shots:
            if isinstance(shot, NeuralODE):
                observer.count("field_evaluations", shot.log.get("nfe", 0))
                field: torch.nn.Module = shot.field
                hooks.callback(field.register_forward_hook(count_evaluation).remove)
        yield
