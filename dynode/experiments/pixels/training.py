"""Training of a pixel model: some of the observed frames are held out and predicted from the others."""

import json
import math
import time
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from dynode import runtime
from dynode.dynamics.baselines.sequence_models import random_inputs
from dynode.dynamics.fitting import checkpoints
from dynode.errors import UserError
from dynode.experiments.pixels.frames import ObservedFrames
from dynode.experiments.pixels.model import PixelODE
from dynode.experiments.pixels.presets import PixelSettings
from dynode.io import training_state
from dynode.io.tensor_files import read_safetensors, write_safetensors
from dynode.io.training_state import part
from dynode.settings import to_json

CHECKPOINT_FORMAT = "dynode-pixels-checkpoint-1"
LOSSES = 50  # number of last losses that are averaged in the log and on the bar


class PixelTrainer:
    """A pixel model in training; each iteration takes one of the episodes, all of one resolution.

    Raises UserError for an episode with no frame to hold out.
    """

    def __init__(self, episodes: list[ObservedFrames], settings: PixelSettings, seed: int = 0):
        runtime.seed_everything(runtime.legal_seed(seed))
        if min(map(len, episodes)) < 3:
            raise UserError("A pixel model wants at least 3 observed frames: one is held out between two others.")
        self.episodes, self.settings = episodes, settings
        self.model = PixelODE(settings, torch.stack([episode.images.mean(0) for episode in episodes]).mean(0))
        self.optimiser = torch.optim.Adam(self.model.parameters(), settings.lr)
        self.rng = torch.Generator().manual_seed(seed)
        self.iteration, self.seconds, self.losses = 0, 0.0, []

    @property
    def progress(self) -> float:
        return self.iteration / self.settings.iterations

    def step(self) -> float:
        """One iteration; its loss."""
        episode = self.episodes[int(torch.randint(len(self.episodes), (), generator=self.rng))]
        observed, taus = random_inputs(len(episode), self.settings.shown, self.rng), episode.taus(episode.ts)
        targets = self.model.targets(observed)
        self.optimiser.param_groups[0]["lr"] = self.settings.lr * (0.5 + 0.5 * math.cos(math.pi * self.progress))
        errors = self.model(episode.images[observed], taus[observed], taus[targets]) - episode.images[targets]
        loss = self.model.loss(errors, self.progress)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return loss.item()

    def run(self, checkpoint: Path | None = None, *, progress: bool = False) -> PixelODE:
        """Train to the end, from the checkpoint's iteration on.  Raises UserError when the loss is not finite."""
        if checkpoint is not None and checkpoint.is_file():
            self.resume(checkpoint)
        written, began, total = time.time(), time.time() - self.seconds, self.settings.iterations
        bar = tqdm(
            total=total,
            initial=self.iteration,
            desc=self.settings.label,
            disable=not progress,
            mininterval=1,
            unit="it",
        )
        with bar:
            while self.iteration < total:
                self.losses = [*self.losses[1 - LOSSES :], self.step()]
                if not math.isfinite(self.losses[-1]):
                    raise UserError("The training of a pixel model ended in NaN: lower lr.")
                self.iteration, self.seconds = self.iteration + 1, time.time() - began
                bar.update()
                bar.set_postfix(loss=f"{self.loss:.4f}", refresh=False)
                if checkpoint is not None and time.time() - written >= checkpoints.CHECKPOINT_SECONDS:
                    self.save(checkpoint)
                    written = time.time()
        return self.model.eval().requires_grad_(False)

    @property
    def loss(self) -> float:
        """Mean of the last losses."""
        return sum(self.losses) / len(self.losses)

    def job(self) -> str:
        """The training that a checkpoint belongs to: settings, number of episodes, and the means of the first and last."""
        ends = [episode.images.double().mean().item() for episode in (self.episodes[0], self.episodes[-1])]
        return json.dumps([to_json(self.settings), len(self.episodes), ends])

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically."""
        tensors = {"draws": self.rng.get_state(), "noise": torch.get_rng_state()}
        tensors |= {f"model.{key}": value for key, value in self.model.state_dict().items()}
        tensors |= {f"adam.{key}": value for key, value in training_state.of_optimiser(self.optimiser).items()}
        numbers = {"iteration": self.iteration, "seconds": self.seconds, "losses": self.losses}
        write_safetensors(path, tensors, CHECKPOINT_FORMAT, job=self.job(), numbers=numbers)

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint.  Raises UserError for one of another training."""
        tensors, metadata = read_safetensors(path, CHECKPOINT_FORMAT, "a checkpoint of a pixel model")
        if metadata["job"] != self.job():
            raise UserError(f"{path} is the checkpoint of another training: delete it, or choose another output.")
        self.model.load_state_dict(part(tensors, "model."))
        training_state.restore(self.optimiser, part(tensors, "adam."))
        self.rng.set_state(tensors["draws"])
        torch.set_rng_state(tensors["noise"])
        for key, value in json.loads(metadata["numbers"]).items():
            setattr(self, key, value)
