"""Training loops: single optimiser steps, and a base class for trainings that can be interrupted and resumed."""

import json
import math
import time
from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from dynode.errors import UserError
from dynode.io import locks, training_state
from dynode.io.tensor_files import read_safetensors, write_checkpoint

CHECKPOINT_SECONDS = 120


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


class Trainer(ABC):
    """A training over batches of images, with checkpoints.

    batch, total: images in a batch, images to show.  shown: images shown so far.  seconds: spent on them.  losses: of the
    batches, the last 50 of an interrupted run among them.
    """

    subject = "the network"  # as error messages call it
    checkpoint_format = ""
    batch: int
    total: int

    def __init__(self, seed: int, device: torch.device | str):
        self.device, self.rng = torch.device(device), torch.Generator().manual_seed(seed)
        self.shown, self.seconds = 0, 0.0
        self.losses: list[float] = []

    @abstractmethod
    def train_batch(self) -> float:
        """Train on one batch; returns its loss."""

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

    def loop(self, checkpoint: Path | None = None, *, until: float = math.inf, progress: bool = False) -> None:
        """Train to the end, or until a moment (`time.time()`).  Raises UserError when the loss is not finite."""
        written, began = time.time(), time.time() - self.seconds
        bar = tqdm(
            total=self.total, initial=self.shown, desc="train", unit="picture", disable=not progress, mininterval=5
        )
        with bar, locks.claimed(checkpoint):
            while self.shown < self.total and time.time() < until:
                loss = self.train_batch()
                if loss != loss:
                    raise UserError(f"The training of {self.subject} ended in NaN: lower lr.")
                self.shown, self.seconds = self.shown + self.batch, time.time() - began
                self.losses.append(loss)
                self.after_batch()
                bar.update(self.batch)
                bar.set_postfix(loss=f"{sum(self.losses[-50:]) / len(self.losses[-50:]):.4f}", refresh=False)
                if checkpoint is not None and time.time() - written > CHECKPOINT_SECONDS:
                    self.save(checkpoint)
                    written = time.time()
        if checkpoint is not None:
            self.save(checkpoint)

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
        self.rng.set_state(tensors["draws"])
        for name, buffer in self.buffers().items():
            buffer.copy_(tensors[name])
        for name, value in json.loads(metadata["numbers"]).items():
            setattr(self, name, value)
