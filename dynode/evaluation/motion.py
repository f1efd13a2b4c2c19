"""How an edited video moves beside its source: sums over pairs of neighbouring frames, of which one is in memory at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from dynode.metrics.consistency import changes, lengths, relative
from dynode.metrics.warping import warping_errors
from dynode.perception import optical_flow
from dynode.perception.optical_flow import Flows


@dataclass(frozen=True)
class Step:
    """Two neighbouring frames (2, 3, h, w) and the flow between them, see `optical_flow.Flows`."""

    images: torch.Tensor
    flows: Flows


def steps(images: Iterable[torch.Tensor], both: bool) -> Iterator[Step]:
    """The steps through reduced images (3, h, w); both: with forward flow and occlusions, as a source needs them."""
    for pair in pairwise(images):
        two = torch.stack(pair)
        yield Step(two, optical_flow.flows(two, both))


@dataclass
class Average:
    """A mean of numbers that come in parts; NaN of none."""

    total: float = 0.0
    n: int = 0

    def add(self, values: torch.Tensor) -> None:
        self.total, self.n = self.total + float(values.sum(dtype=torch.float64)), self.n + values.numel()

    @property
    def value(self) -> float:
        return self.total / self.n if self.n else float("nan")


def averages(*names: str) -> dict[str, Average]:
    return {name: Average() for name in names}


@dataclass
class Motion:
    """Warping errors, changes and flows of one video, and how far its flow is from its source's, of the steps so far."""

    parts: dict[str, Average] = field(default_factory=lambda: averages("error", "change", "length", "difference"))

    def add(self, own: Step, source: Step) -> None:
        """One step more, beside the source's."""
        backward, mask = source.flows.backward, source.flows.unoccluded
        assert mask is not None
        self.parts["error"].add(warping_errors(own.images, backward, mask))
        self.parts["change"].add(changes(own.images))
        self.parts["length"].add(lengths(own.flows.backward))
        self.parts["difference"].add(lengths(own.flows.backward - backward))

    def __getitem__(self, name: str) -> float:
        return self.parts[name].value


def compared(source: Iterable[Step], edited: Iterable[Step]) -> tuple[Motion, Motion]:
    """The motion of a source by itself, and of an edited video beside it."""
    own, other = Motion(), Motion()
    for one, two in zip(source, edited, strict=True):
        own.add(one, one)
        other.add(two, one)
    return own, other


def measures(own: Motion, edited: Motion) -> dict[str, float]:
    """`consistency.flow_ratio`, `flow_agreement` and `motion_ratio` of both."""
    return {
        "flow_ratio": relative(edited["length"], own["length"]),
        "flow_agreement": 1 - relative(edited["difference"], own["length"]),
        "motion_ratio": relative(edited["change"], own["change"]),
    }
