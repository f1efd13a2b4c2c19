"""The optimisation of a tuning, frame by frame; it can be interrupted and goes on exactly where it was."""

import contextlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.inversion.tuning_losses import TuningLoss, near_pivot
from dynode.inversion.tuning_settings import UNLIMITED, TuningSettings
from dynode.inversion.tuning_updates import update_of
from dynode.io import training_state
from dynode.io.tensor_files import read_safetensors, write_checkpoint

FORMAT = "dynode-tuning-checkpoint-1"
CHECKPOINT_SECONDS = 60


class Tuner:
    """Trains differences of a generator's weights on frames (n, 3, R, R) in [-1, 1] of codes ws (n, L, D), one at a time.

    done: steps so far.  seconds: spent on them.  curve: (loss, LPIPS, squared error) of each step.  arrived: the mean LPIPS of
    all frames has come to the settings' stop_lpips.  All random numbers follow from the seed and the step.
    """

    def __init__(
        self, generator: Generator, ws: torch.Tensor, frames: torch.Tensor, settings: TuningSettings, loss: TuningLoss
    ):
        s = self.settings = settings
        self.generator, self.loss, device = generator, loss, generator.w_avg.device
        self.update = update_of(generator, s.update, share=s.last_share, rank=s.rank, seed=s.seed)
        self.pivots = [nn.Parameter(code[None].to(device, copy=True), requires_grad=s.codes_lr > 0) for code in ws]
        self.targets = [loss.target(frame.to(device)) for frame in frames]
        groups = [{"params": list(self.update.parameters.values()), "lr": s.rate, "highest": s.rate}]
        if s.codes_lr:
            groups.append({"params": self.pivots, "lr": s.codes_lr, "highest": s.codes_lr})
        self.optimiser = torch.optim.Adam(groups)
        self.done, self.seconds, self.arrived = 0, 0.0, False
        self.curve: list[list[float]] = []
        self.pending: list[torch.Tensor] = []  # losses that are still on the device

    def run(self, checkpoint: Path, job: str, *, minutes: float = math.inf, progress: bool = False) -> None:
        """Tune to the last step, for that many minutes in all, or until `arrived`."""
        began, written = time.time() - self.seconds, time.time()
        total = self.settings.steps if self.settings.steps < UNLIMITED else None
        bar = tqdm(total=total, initial=self.done, desc="tune", unit="step", disable=not progress, mininterval=2)
        with bar, noting_what_is_kept(checkpoint):
            while (share := self.share(minutes)) < 1 and not self.arrived:
                self.step(share)
                self.seconds = time.time() - began
                bar.update()
                if self.done % len(self.pivots) == 0:
                    self.read_losses()
                    bar.set_postfix(lpips=f"{self.mean_lpips():.3f}", refresh=False)
                if time.time() - written > CHECKPOINT_SECONDS:
                    self.save(checkpoint, job)
                    written = time.time()
        self.read_losses()

    def share(self, minutes: float) -> float:
        """How much of the tuning is done, of its steps or of its time."""
        return max(self.done / self.settings.steps, self.seconds / (60 * minutes))

    def step(self, share: float) -> None:
        """One step on one frame."""
        s, frame = self.settings, self.frame()
        rate = min(1.0, (self.done + 1) / max(1, s.warmup)) * (1 - share)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["highest"]
        images = self.images(self.pivots[frame])
        loss, lpips, mse = self.loss(images, self.targets[frame])
        if s.locality_every and self.done % s.locality_every == 0:
            loss = loss + s.lambda_locality * self.locality(self.pivots[frame].detach())
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.pending.append(torch.stack([loss, lpips, mse]).detach())
        self.done += 1

    def frame(self) -> int:
        """The frame of the next step: all come once, in random order, before one comes again."""
        round_, k = divmod(self.done, len(self.pivots))
        rng = torch.Generator().manual_seed(self.settings.seed + round_)
        return int(torch.randperm(len(self.pivots), generator=rng)[k])

    def locality(self, pivot: torch.Tensor) -> torch.Tensor:
        """How far the image of a random code near a pivot (1, L, D) has moved."""
        device = pivot.device
        rng = torch.Generator(device).manual_seed(self.settings.seed + self.done)
        with torch.no_grad():
            random = self.generator.mapping(torch.randn(1, self.generator.z_dim, generator=rng, device=device))
            code = near_pivot(pivot, random, self.settings.locality_distance)
            before = self.generator.synthesis(code, self.settings.resolution)
        return self.loss.locality(self.images(code), before)

    def images(self, code: torch.Tensor) -> torch.Tensor:
        """The image (1, 3, R, R) of a code (1, L, D) by the generator as it is tuned now."""
        with self.loss.autocast(code.device):
            return self.update.images(code, self.settings.resolution).float()

    def read_losses(self) -> None:
        """Move the losses from the device to the curve; whether it has arrived is known after each round of the frames."""
        if self.pending:
            self.curve += torch.stack(self.pending).tolist()
            self.pending.clear()
            if not all(map(math.isfinite, self.curve[-1])):
                raise UserError("The tuning ended in NaN: lower lr, or warm it up for more steps.")
        if self.done and self.done % len(self.pivots) == 0:
            self.arrived = self.mean_lpips() <= self.settings.stop_lpips

    def mean_lpips(self) -> float:
        """Of the last round of the frames."""
        last = self.curve[-len(self.pivots) :]
        return sum(row[1] for row in last) / max(1, len(last))

    def differences(self) -> dict[str, torch.Tensor]:
        """What a tuning's file holds."""
        return {name: value.detach() for name, value in self.update.parameters.items()}

    def codes(self) -> torch.Tensor:
        """The codes (n, L, D) as they are now, on the CPU."""
        return torch.cat([pivot.detach().cpu() for pivot in self.pivots])

    def save(self, path: Path, job: str) -> None:
        """Write a checkpoint, atomically."""
        self.read_losses()
        tensors = {f"weights.{name}": value for name, value in self.differences().items()}
        tensors |= {f"codes.{k}": pivot.detach() for k, pivot in enumerate(self.pivots)}
        tensors |= {f"adam.{key}": value for key, value in training_state.of_optimiser(self.optimiser).items()}
        write_checkpoint(path, tensors, FORMAT, job=job, numbers=json.dumps(self.numbers()))

    def numbers(self) -> dict[str, Any]:
        """The attributes that a checkpoint holds beside tensors."""
        return {"done": self.done, "seconds": self.seconds, "curve": self.curve, "arrived": self.arrived}

    @torch.no_grad()
    def resume(self, path: Path, job: str) -> None:
        """Continue from a checkpoint; nothing happens where there is none.  Raises UserError for that of another tuning."""
        if not path.is_file():
            return
        tensors, metadata = read_safetensors(path, FORMAT, "a checkpoint of a tuning")
        if metadata["job"] != job:
            raise UserError(
                f"{path} is the checkpoint of another tuning (other clip, frames or settings): delete it, or choose another "
                "output."
            )
        for name, value in training_state.part(tensors, "weights.").items():
            self.update.parameters[name].copy_(value)
        for k, pivot in enumerate(self.pivots):
            pivot.copy_(tensors[f"codes.{k}"])
        training_state.restore(self.optimiser, training_state.part(tensors, "adam."))
        for name, value in json.loads(metadata["numbers"]).items():
            setattr(self, name, value)


@contextlib.contextmanager
def noting_what_is_kept(checkpoint: Path) -> Iterator[None]:
    """Note on an interruption whether a checkpoint is on disk, for the command line to print."""
    try:
        yield
    except KeyboardInterrupt as stop:
        kept = checkpoint.is_file()
        stop.add_note(
            "the steps up to the last minute are kept and the same command goes on from there."
            if kept
            else "the first minute was not over, so nothing is kept: the same command begins anew."
        )
        raise
