"""Observations that arrive one after another: what is foretold of the hidden frames after each, without it and with it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.errors import UserError
from dynode.evaluation.records import Row
from dynode.experiments.beyond.online_cde import OnlinePath
from dynode.metrics import METRICS

MOMENTS = ("before", "after")


@dataclass
class Foretold:
    """arrived (m,): frames of a clip that came one after another.  frames (m, H): the hidden ones after each.

    codes: (method, moment) -> (m, H, L, D), where "before" knows what came before an arrival, and "after" that one too.
    seconds: method -> what taking in one observation and foretelling takes, mean.
    """

    arrived: torch.Tensor
    frames: torch.Tensor
    codes: dict[tuple[str, str], torch.Tensor] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def told(self) -> dict[tuple[str, str], torch.Tensor]:
        """The codes of all frames in one row, (m*H, L, D)."""
        return {key: codes.flatten(0, 1) for key, codes in self.codes.items()}

    def rows(self, metric: str, pred: dict, true: torch.Tensor, *network, **identity) -> Iterator[Row]:
        """Mean of a metric over all frames: pred, (method, moment) -> codes or images (m*H, ...), beside true (T, ...)."""
        measure, beside = METRICS[metric], true[self.frames.flatten()]
        look = measure.look or (lambda images, *_: images)
        seen = look(beside, *network)
        for (method, moment), each in pred.items():
            value = float(measure.compute(look(each, *network), seen, *network).mean())
            named = {"method": method, "variant": moment, "split": "extrapolated", "space": measure.space}
            yield Row(metric, value, unit=measure.unit, **named, **identity)


def foretell(clip: Clip, path: OnlinePath, every: int, rivals, settings: dict | None = None) -> Foretold:
    """After the frames that the path was fitted to one frame in `every` arrives; the frames up to the next stay hidden.

    rivals: names of methods, which are fitted anew to all that came; settings: {name: settings} to change one.
    Raises UserError where no frame is hidden, or none arrives.
    """
    first = int((clip.ts <= path.span[1]).sum())
    arrived = torch.arange(first - 1 + every, len(clip) - every + 1, every)
    if every < 2 or not len(arrived):
        raise UserError(
            f"One frame in {every} after frame {first} of {len(clip)} leaves none to arrive or none hidden."
        )
    found = Foretold(arrived, arrived[:, None] + torch.arange(1, every))
    found.seconds["cde"] = in_turn(found, "cde", clip, Taught(path, clip))
    for name in rivals:
        found.seconds[name] = in_turn(found, name, clip, Refitted(name, clip, first, (settings or {}).get(name)))
    return found


def in_turn(found: Foretold, name: str, clip: Clip, method) -> float:
    """Foretell the frames after each arrival without it and with it; the mean seconds of the latter."""
    codes, spent = {moment: [] for moment in MOMENTS}, 0.0
    for arrival, frames in zip(found.arrived, found.frames, strict=True):
        codes["before"].append(method.foretell(clip.ts[frames]))
        started = time.time()
        method.observe(int(arrival))
        codes["after"].append(method.foretell(clip.ts[frames]))
        spent += time.time() - started
    found.codes |= {(name, moment): torch.stack(each) for moment, each in codes.items()}
    return spent / len(found.arrived)


@dataclass
class Taught:
    """A path that takes observations in as they come."""

    path: OnlinePath
    clip: Clip

    def observe(self, frame: int) -> None:
        self.path = self.path.observe(self.clip.ts[frame : frame + 1], self.clip.ws[frame : frame + 1])

    def foretell(self, ts) -> torch.Tensor:
        return self.path(ts)


class Refitted:
    """A method that begins anew with every observation: with the first `first` frames, then with all that came."""

    def __init__(self, name: str, clip: Clip, first: int, settings=None):
        self.name, self.settings = name, settings
        self.shown = replace(clip, observed=torch.arange(len(clip)) < first)
        self.path = methods.fit(name, self.shown, settings)

    def observe(self, frame: int) -> None:
        observed = self.shown.observed.clone()
        observed[frame] = True
        self.shown = replace(self.shown, observed=observed)
        self.path = methods.fit(self.name, self.shown, self.settings)

    def foretell(self, ts) -> torch.Tensor:
        return self.path(ts)
