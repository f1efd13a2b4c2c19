"""How a pixel model learns: some of the frames it may see are hidden and predicted from the others."""

import json
import math
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from dynode import runtime
from dynode.dynamics.baselines.sequence_models import drawn
from dynode.dynamics.fitting import checkpoints as resume
from dynode.errors import UserError
from dynode.experiments.pixels.frames import Seen
from dynode.experiments.pixels.model import PixelODE
from dynode.experiments.pixels.presets import PixelSettings
from dynode.io import files, training_state
from dynode.io.tensor_files import read_safetensors
from dynode.io.training_state import part
from dynode.settings import to_json

CHECKPOINT_FORMAT = "dynode-pixels-checkpoint-1"
LOSSES = 50  # the last so many are averaged in the log and on the bar


class PixelTraining:
    """A pixel model on the way; each iteration takes one of the lessons, episodes as `Seen`, all of one resolution.

    Raises UserError for a lesson of which nothing can be hidden.
    """

    def __init__(self, lessons: list[Seen], settings: PixelSettings, seed: int = 0):
        runtime.seed_everything(runtime.legal_seed(seed))
        if min(map(len, lessons)) < 3:
            raise UserError("A pixel model wants at least 3 observed frames: one is hidden between two others.")
        self.lessons, self.settings = lessons, settings
        self.model = PixelODE(settings, torch.stack([lesson.images.mean(0) for lesson in lessons]).mean(0))
        self.optimiser = torch.optim.Adam(self.model.parameters(), settings.lr)
        self.draws = torch.Generator().manual_seed(seed)
        self.iteration, self.seconds, self.losses = 0, 0.0, []

    @property
    def progress(self) -> float:
        return self.iteration / self.settings.iterations

    def step(self) -> float:
        """One iteration; its loss."""
        lesson = self.lessons[int(torch.randint(len(self.lessons), (), generator=self.draws))]
        shown, taus = drawn(len(lesson), self.settings.shown, self.draws), lesson.taus(lesson.ts)
        asked = self.model.asked(shown)
        self.optimiser.param_groups[0]["lr"] = self.settings.lr * (0.5 + 0.5 * math.cos(math.pi * self.progress))
        errors = self.model(lesson.images[shown], taus[shown], taus[asked]) - lesson.images[asked]
        loss = self.model.loss(errors, self.progress)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return loss.item()

    def run(self, checkpoint: Path | None = None, *, progress: bool = False) -> PixelODE:
        """Train to the end, from wherever the checkpoint was.  Raises UserError when the loss is not finite."""
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
                if checkpoint is not None and time.time() - written >= resume.CHECKPOINT_SECONDS:
                    self.save(checkpoint)
                    written = time.time()
        return self.model.eval().requires_grad_(False)

    @property
    def loss(self) -> float:
        """Mean of the last losses."""
        return sum(self.losses) / len(self.losses)

    def job(self) -> str:
        """What a checkpoint must be of: settings, and the first and last lesson."""
        ends = [lesson.images.double().mean().item() for lesson in (self.lessons[0], self.lessons[-1])]
        return json.dumps([to_json(self.settings), len(self.lessons), ends])

    def save(self, path: Path) -> None:
        tensors = {"draws": self.draws.get_state(), "noise": torch.get_rng_state()}
        tensors |= {f"model.{key}": value for key, value in self.model.state_dict().items()}
        tensors |= {f"adam.{key}": value for key, value in training_state.of_optimiser(self.optimiser).items()}
        numbers = json.dumps({"iteration": self.iteration, "seconds": self.seconds, "losses": self.losses})
        with files.written_whole(path) as scratch:
            save_file(tensors, scratch, {"format": CHECKPOINT_FORMAT, "job": self.job(), "numbers": numbers})

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.  Raises UserError for one of another training."""
        tensors, metadata = read_safetensors(path, CHECKPOINT_FORMAT, "a checkpoint of a pixel model")
        if metadata["job"] != self.job():
            raise UserError(f"{path} is the checkpoint of another training: delete it, or choose another output.")
        self.model.load_state_dict(part(tensors, "model."))
        training_state.restore(self.optimiser, part(tensors, "adam."))
        self.draws.set_state(tensors["draws"])
        torch.set_rng_state(tensors["noise"])
        for key, value in json.loads(metadata["numbers"]).items():
            setattr(self, key, value)
