"""Online setting: forecast the unobserved frames after each new observation, before and after it is assimilated."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.errors import UserError
from dynode.evaluation.records import Row
from dynode.experiments.beyond.online_cde import OnlinePath
from dynode.metrics import METRICS

MOMENTS = ("before", "after")
Codes = dict[tuple[str, str], torch.Tensor]  # (method, moment) -> codes


@dataclass
class Forecasts:
    """Forecasts of the unobserved frames after each of m arrivals.

    arrivals (m,): frames of a clip that are observed one after another.  frames (m, H): the unobserved ones after each.
    codes: (method, moment) -> (m, H, L, D), "before" the arrival is assimilated and "after".
    seconds: method -> mean seconds of assimilating one observation and forecasting.
    """

    arrivals: torch.Tensor
    frames: torch.Tensor
    codes: Codes = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def flattened(self) -> Codes:
        """The codes of all frames in one row, (m*H, L, D)."""
        return {key: codes.flatten(0, 1) for key, codes in self.codes.items()}

    def rows(
        self, metric: str, pred: Mapping[tuple[str, str], torch.Tensor], true: torch.Tensor, *network, **identity: Any
    ) -> Iterator[Row]:
        """Mean of a metric over all frames: pred, (method, moment) -> codes or images (m*H, ...), beside true (T, ...)."""
        measure = METRICS[metric]
        features = measure.features or (lambda images, *_: images)
        reference = features(true[self.frames.flatten()], *network)
        for (method, moment), each in pred.items():
            value = float(measure.compare(features(each, *network), reference, *network).mean())
            named: dict[str, Any] = {"method": method, "variant": moment, "split": "extrapolated"}
            yield Row(metric, value, space=measure.space, unit=measure.unit, **named, **identity)


class Forecaster(Protocol):
    """A method that assimilates the frames of a clip one after another."""

    def observe(self, frame: int) -> None: ...

    def forecast(self, ts: torch.Tensor) -> torch.Tensor:
        """Codes (T, L, D) at times ts (T,) in seconds."""
        ...


def forecast(
    clip: Clip, path: OnlinePath, every: int, baselines: Iterable[str], settings: Mapping[str, Any] | None = None
) -> Forecasts:
    """After the frames that the path was fitted to, one frame in `every` arrives; the frames between stay unobserved.

    baselines: names of methods, fitted anew to all observations after each arrival; settings: {name: settings} of one.
    Raises UserError where no frame stays unobserved, or none arrives.
    """
    first = int((clip.ts <= path.span[1]).sum())
    arrivals = torch.arange(first - 1 + every, len(clip) - every + 1, every)
    if every < 2 or not len(arrivals):
        raise UserError(
            f"One frame in {every} after frame {first} of {len(clip)} leaves none to arrive or none unobserved."
        )
    result = Forecasts(arrivals, arrivals[:, None] + torch.arange(1, every))
    add_method(result, "cde", clip, OnlineModel(path, clip))
    for name in baselines:
        add_method(result, name, clip, Refitted((settings or {}).get(name) or name, clip, first))
    return result


def add_method(result: Forecasts, name: str, clip: Clip, method: Forecaster) -> None:
    """Add the forecasts of a method before and after each arrival, and the mean seconds of the latter."""
    codes, seconds = {moment: [] for moment in MOMENTS}, 0.0
    for arrival, frames in zip(result.arrivals, result.frames, strict=True):
        codes["before"].append(method.forecast(clip.ts[frames]))
        started = time.time()
        method.observe(int(arrival))
        codes["after"].append(method.forecast(clip.ts[frames]))
        seconds += time.time() - started
    result.codes |= {(name, moment): torch.stack(each) for moment, each in codes.items()}
    result.seconds[name] = seconds / len(result.arrivals)


@dataclass
class OnlineModel:
    """A causal path that assimilates the frames of a clip as they arrive."""

    path: OnlinePath
    clip: Clip

    def observe(self, frame: int) -> None:
        self.path = self.path.observe(self.clip.ts[frame : frame + 1], self.clip.ws[frame : frame + 1])

    def forecast(self, ts: torch.Tensor) -> torch.Tensor:
        return self.path(ts)


class Refitted:
    """A method (a name or settings) that is fitted anew after each arrival: to the first frames, then to all observed."""

    def __init__(self, method: str | Any, clip: Clip, first: int):
        self.method = method
        self.clip = replace(clip, observed=torch.arange(len(clip)) < first)
        self.path = methods.fit(self.clip, method)

    def observe(self, frame: int) -> None:
        observed = self.clip.observed.clone()
        observed[frame] = True
        self.clip = replace(self.clip, observed=observed)
        self.path = methods.fit(self.clip, self.method)

    def forecast(self, ts: torch.Tensor) -> torch.Tensor:
        return self.path(ts)
