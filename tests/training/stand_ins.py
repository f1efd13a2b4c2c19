"""A training that takes no time, but passes it on a clock of its own: a line through points, and the average of its weights."""

from pathlib import Path

import torch
from torch import nn

from dynode.io.tensor_files import half_precision, write_safetensors
from dynode.training.loops import Trainer, follow, minimise, running_average
from dynode.training.queue import Conditions, Job


class Clock:
    """Seconds that pass only where somebody says so."""

    def __init__(self):
        self.now = 1000.0

    def time(self) -> float:
        return self.now


class Line(Trainer):
    """y = 2 x + 1.  wait: seconds that a batch takes.  nan_after, stop_after: batches until it goes wrong, or is interrupted."""

    subject, checkpoint_format = "the line", "line-1"
    batch = 4

    def __init__(
        self,
        device: torch.device | str = "cpu",
        clock: Clock | None = None,
        total=10**9,
        wait=0.25,
        width=1,
        nan_after=10**9,
        stop_after=10**9,
    ):
        super().__init__(0, device)
        self.clock, self.total, self.wait = clock or Clock(), total, wait
        self.nan_after, self.stop_after = nan_after, stop_after
        self.network = nn.Linear(1, width)
        self.average = running_average(self.network)
        self.adam = torch.optim.Adam(self.network.parameters(), lr=0.02)
        self.function = self.fuse(self.network, compiled=False)

    def train_batch(self):
        self.clock.now += self.wait
        if self.batches >= self.stop_after:
            raise KeyboardInterrupt
        x = torch.randn(self.batch, 1, generator=self.rng, device=self.device)
        loss = (self.function(x) - 2 * x - 1).square().mean()
        if self.batches >= self.nan_after:
            loss = loss * float("nan")
        self.adam.param_groups[0]["lr"] = 0.02 * self.warmth()
        minimise(self.adam, loss)
        return loss.detach()

    def after_batch(self):
        follow(self.average, self.network, 100, self.batch, self.shown)

    def job(self):
        return f"line {self.network.out_features}"

    def networks(self):
        return {"network": self.network, "average": self.average}

    def optimisers(self):
        return {"adam": self.adam}


def save(trainer: Trainer, path: Path, card: dict) -> None:
    assert isinstance(trainer, Line)
    write_safetensors(path, half_precision(trainer.average), "line-weights-1", card=card)


class Lines:
    """Jobs of lines, and the conditions that they were made for."""

    def __init__(self, clock: Clock):
        self.clock = clock
        self.conditions: list[Conditions] = []
        self.trainers: list[Line] = []

    def job(self, name="line", share=1.0, **choices) -> Job:
        def make(conditions: Conditions) -> Line:
            self.conditions.append(conditions)
            self.trainers.append(Line(conditions.device, self.clock, **choices))
            return self.trainers[-1]

        return Job(name, "a line", share, make, save, lambda trainer: {"mse": 0.5})
