"""Observers of long work: notified of every use of a part and of every stage.  `NoObserver` ignores all of it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, TypeVar, cast

import torch

from dynode.generators.protocol import Generator

Item = TypeVar("Item")


class Observer(Protocol):
    """What an inversion and an edit of a video notify; `dynode.video_editing.cost_counters.Counters` counts."""

    def count(self, name: str, times: int = 1) -> None:
        """`times` more uses of the part of that name, such as "generator_forward"."""
        ...

    def counts(self) -> dict[str, int]:
        """Uses so far, by the names of parts; nothing where nobody counts."""
        ...

    def stage(self, name: str) -> AbstractContextManager[None]:
        """The context in which a stage of that name runs, such as "decode"."""
        ...


class NoObserver:
    """Ignores everything."""

    def count(self, name: str, times: int = 1) -> None:
        pass

    def counts(self) -> dict[str, int]:
        return {}

    def stage(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()


class Observed:
    """A part whose uses an observer is notified of; every other attribute is the part's own."""

    def __init__(self, part: Any, observer: Observer):
        self.part, self.observer = part, observer

    def __getattr__(self, name: str):
        return getattr(self.part, name)


class ObservedGenerator(Observed):
    """Notifies of images synthesised (generator_forward), and of those whose gradient was taken (generator_backward)."""

    def synthesis(self, ws: torch.Tensor, *arguments, **named) -> torch.Tensor:
        self.observer.count("generator_forward", len(ws))
        images = self.part.synthesis(ws, *arguments, **named)
        if images.requires_grad:
            images.register_hook(self.count_backward)
        return images

    def count_backward(self, gradient: torch.Tensor) -> None:
        self.observer.count("generator_backward", len(gradient))


class ObservedCalls(Observed):
    """Notifies of the calls of a function of one frame (of images, of each), under a name."""

    def __init__(self, part: Callable, observer: Observer, name: str):
        super().__init__(part, observer)
        self.name = name

    def __call__(self, frames):
        batched = isinstance(frames, torch.Tensor) and frames.dim() == 4
        self.observer.count(self.name, len(frames) if batched else 1)
        return self.part(frames)


def observed_generator(generator: Generator, observer: Observer) -> Generator:
    """The generator, which notifies the observer; itself where nobody observes: `torch.compile` wants it bare."""
    return generator if isinstance(observer, NoObserver) else cast(Generator, ObservedGenerator(generator, observer))


def timed(observer: Observer, stage: str, items: Iterable[Item]) -> Iterator[Item]:
    """The items of an iterable, each fetched within a stage."""
    source = iter(items)
    while True:
        with observer.stage(stage):
            try:
                item = next(source)
            except StopIteration:
                return
        yield item
