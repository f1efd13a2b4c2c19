"""Training loops: single optimiser steps, and a base class for trainings that can be interrupted and resumed."""

import contextlib
import copy
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn
from tqdm import tqdm

from dynode import runtime
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.io import locks, training_state
from dynode.io.tensor_files import read_safetensors, write_checkpoint
from dynode.settings import to_json
from dynode.training.fusing import Fused, TooSlow, limited

CHECKPOINT_SECONDS = 120
READ_SECONDS, MOST_UNREAD = 1.0, 64  # a GPU is waited for once in a second, and in as many batches at most
WARM_UP = 100  # batches in which the learning rate rises where Adam begins anew

Network = TypeVar("Network", bound=nn.Module)
Loss = float | torch.Tensor  # a tensor of one number stays on its device until it is read


def require_minutes(minutes: float) -> None:
    """Raises UserError for a time in which nothing can be trained."""
    if not minutes > 0:
        raise UserError(
            f"The minutes of a training must be above 0, got {minutes:g}: leave them out to train to the end."
        )


def minimise(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step of an optimiser down the gradient of a loss."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def running_average(network: Network, *shared: Any) -> Network:
    """A frozen copy of a network, to `follow` it.  shared: objects within it that both keep, such as its generator."""
    return copy.deepcopy(network, {id(each): each for each in shared}).requires_grad_(False)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, half_life: float, batch: int, shown: int) -> None:
    """Update an exponential moving average of a network's weights after a batch.

    half_life, batch, shown: in images; the half-life grows up to its value, so that the first weights are forgotten.
    """
    keep = 0.5 ** (batch / min(half_life, max(shown, 1) * 0.05 + 1))
    ours: list[torch.Tensor] = [*average.parameters()]
    theirs: list[torch.Tensor] = [*network.parameters()]
    torch._foreach_lerp_(ours, theirs, 1 - keep)  # one kernel  # pyright: ignore[reportPrivateImportUsage]


class Trainer(ABC):
    """A training over batches of images, with checkpoints.

    batch, total: images in a batch, images to show.  shown: images shown so far.  seconds: spent on them.  losses: of the
    batches, the last 50 of an interrupted run among them.  rng: draws on the device.  mixed: networks run in bfloat16.
    """

    subject = "the network"  # as error messages call it
    unit = "picture"  # as the progress bar counts
    checkpoint_format = ""
    batch: int
    total: int

    def __init__(self, seed: int, device: torch.device | str):
        self.device = torch.device(device)
        self.seed, self.rng = seed, torch.Generator(self.device).manual_seed(seed)
        self.mixed = self.device.type == "cuda" and runtime.fast_bfloat16(self.device)
        self.shown, self.seconds = 0, 0.0
        self.losses: list[float] = []
        self.fused: list[Fused] = []
        self.compile_seconds = 0.0  # that a batch may take while networks are fused; 0: any number
        self.batch_seconds, self.batches, self.warming = 0.0, 0, False
        self.schedule: tuple[float, float, float] | None = None

    @abstractmethod
    def train_batch(self) -> Loss:
        """Train on one batch; returns its loss, on a GPU as a tensor that is not waited for."""

    def after_batch(self) -> None:
        """Updates that need the counters of the batch too; by default none."""
        return

    @abstractmethod
    def job(self) -> str:
        """The settings and files of this training; a checkpoint of another job is refused."""

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """The networks whose weights a checkpoint holds, by their prefix in it."""

    @abstractmethod
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimisers whose states a checkpoint holds, by their prefix in it."""

    def buffers(self) -> dict[str, torch.Tensor]:
        """Other tensors that a checkpoint holds; they are restored in place."""
        return {}

    def placed(self, network: Network) -> Network:
        """A network on the device, on a GPU in the memory format of its convolutions."""
        if self.device.type == "cpu":
            return network.to(self.device)
        return network.to(device=self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def fuse(self, function: Callable, compiled: bool) -> Callable:
        """A function as torch.compile makes it, where it is to; as it is once that has failed."""
        if not compiled:
            return function
        self.fused.append(Fused(function))
        return self.fused[-1]

    def precision(self) -> contextlib.AbstractContextManager:
        """The context that networks run in: bfloat16 where `mixed`.  Backward passes and optimisers stay outside."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed)

    def pace(self, start: float, end: float, begun: float = 0.0) -> None:
        """Let schedules go by the clock (`time.time()`): from the part `begun` of them at `start` to their end at `end`."""
        self.schedule = start, end, begun

    def position(self) -> float:
        """How far schedules are, in images of `total`: those shown, or by the clock where that is further."""
        if self.schedule is None:
            return self.shown
        start, end, begun = self.schedule
        passed = min(max((time.time() - start) / (end - start), 0.0), 1.0)
        return max(self.shown, self.total * (begun + (1 - begun) * passed))

    def warmth(self) -> float:
        """A factor of the learning rate: rises to 1 over the first batches where Adam begins anew with trained weights."""
        return min(1.0, (self.batches + 1) / WARM_UP) if self.warming else 1.0

    def loop(
        self,
        checkpoint: Path | None = None,
        *,
        until: float = math.inf,
        progress: bool = False,
        keep: Callable[[], None] | None = None,
        every: float = CHECKPOINT_SECONDS,
    ) -> None:
        """Train to the end, or until a moment (`time.time()`).  Raises UserError when the loss is not finite.

        keep: called after `every` seconds and at the end, in place of writing the checkpoint.
        """
        write = keep or (lambda: None if checkpoint is None else self.save(checkpoint))
        written = time.time()
        bar = tqdm(
            total=self.total, initial=self.shown, desc="train", unit=self.unit, disable=not progress, mininterval=5
        )
        with bar, locks.claimed(checkpoint):
            while count := self.batches_before(until):
                self.train_batches(count)
                bar.update(count * self.batch)
                bar.set_postfix(loss=f"{sum(self.losses[-50:]) / len(self.losses[-50:]):.4f}", refresh=False)
                if time.time() - written > every:
                    write()
                    written = time.time()
        write()

    def batches_before(self, until: float) -> int:
        """How many batches are trained before the next look at the clock; 0 at the end, or where none fits any more."""
        left, images = until - time.time(), self.total - self.shown
        if images <= 0 or left <= self.batch_seconds:
            return 0
        if self.device.type == "cpu" or not self.batch_seconds:
            return 1
        fitting = min(READ_SECONDS, left) / self.batch_seconds
        return max(1, min(int(fitting), MOST_UNREAD, math.ceil(images / self.batch)))

    def train_batches(self, count: int) -> None:
        """Train on some batches, then read their losses: that waits for a GPU.  Raises UserError when one is not finite."""
        began, losses = time.time(), []
        for _ in range(count):
            losses.append(self.attempted_batch())
            self.shown, self.batches = self.shown + self.batch, self.batches + 1
            self.after_batch()
        losses = read(losses)
        if any(loss != loss for loss in losses):
            raise UserError(f"The training of {self.subject} ended in NaN: lower lr.")
        self.losses += losses
        elapsed = time.time() - began
        self.seconds += elapsed
        if not self.fused or self.batches > count:  # the first batch of fused networks compiles them
            self.batch_seconds = elapsed / count

    def attempted_batch(self) -> Loss:
        """One batch; where fused networks fail, or take too long to compile, again with plain ones."""
        fused = [each for each in self.fused if not each.gave_up]
        try:
            with limited(self.compile_seconds if fused else 0.0):
                return self.train_batch()
        except UserError:
            raise
        except (Exception, TooSlow) as error:
            if not any([each.give_up(error) for each in fused]):
                raise
            return self.train_batch()

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically."""
        tensors = {"draws": self.rng.get_state()} | {name: value.clone() for name, value in self.buffers().items()}
        for name, network in self.networks().items():
            tensors |= {f"{name}.{key}": value.contiguous() for key, value in network.state_dict().items()}
        for name, optimiser in self.optimisers().items():
            tensors |= {f"{name}.{key}": value for key, value in training_state.of_optimiser(optimiser).items()}
        numbers = json.dumps({"shown": self.shown, "seconds": self.seconds, "losses": self.losses[-50:]})
        write_checkpoint(path, tensors, self.checkpoint_format, job=self.job(), numbers=numbers)

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint of the same job; nothing happens where there is none.

        Raises UserError for the checkpoint of another job.
        """
        if not Path(path).is_file():
            return
        what = f"a checkpoint of the training of {self.subject}"
        tensors, metadata = read_safetensors(Path(path), self.checkpoint_format, what)
        if metadata["job"] != self.job():
            raise UserError(
                f"{path} is the checkpoint of another training, with other settings or another start: delete it, or "
                "choose another output."
            )
        for name, network in self.networks().items():
            network.load_state_dict(training_state.part(tensors, f"{name}."))
        for name, optimiser in self.optimisers().items():
            training_state.restore(optimiser, training_state.part(tensors, f"{name}."))
            lay_out(optimiser)
        for name, buffer in self.buffers().items():
            buffer.copy_(tensors[name])
        for name, value in json.loads(metadata["numbers"]).items():
            setattr(self, name, value)
        self.restore_draws(tensors["draws"])

    def restore_draws(self, state: torch.Tensor) -> None:
        """Go on with the draws of a checkpoint; those of another kind of device cannot, and begin anew."""
        if len(state) == len(self.rng.get_state()):
            self.rng.set_state(state)
        else:
            self.rng.manual_seed(self.seed + self.shown)


class EncoderTraining(Trainer, Generic[Network]):
    """The training of an encoder for one generator.  average: its running average, or the encoder itself without one."""

    settings: Any
    generator: Generator
    average: Network

    def run(self, checkpoint: Path | None = None, *, until: float = math.inf, progress: bool = False) -> Network:
        """Train to the end, or until a moment (`time.time()`); the average.  Raises UserError when the loss is not finite."""
        self.loop(checkpoint, until=until, progress=progress)
        return self.average.eval()

    def job(self) -> str:
        return to_json(self.settings) + self.generator.hash


def lay_out(optimiser: torch.optim.Optimizer) -> None:
    """Give a restored state the memory formats of its parameters, as it had: kernels over all of them count on that."""
    for parameter, state in optimiser.state.items():
        for key, value in state.items():
            if value.dim() == 4:  # others have one format, and the counter of steps is to stay on the CPU
                state[key] = torch.empty_like(parameter, requires_grad=False).copy_(value)


def read(losses: list[Loss]) -> list[float]:
    """Losses as numbers, in one transfer from their device."""
    tensors = [loss.detach() for loss in losses if isinstance(loss, torch.Tensor)]
    return torch.stack(tensors).double().tolist() if len(tensors) == len(losses) else [float(loss) for loss in losses]
