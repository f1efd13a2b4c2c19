"""Predictors of frames at any time: a trained pixel model, and the baselines that learn nothing."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch

from dynode.experiments.pixels.frames import Neighbours, ObservedFrames
from dynode.experiments.pixels.model import PixelODE
from dynode.experiments.pixels.presets import PixelSettings
from dynode.io.tensor_files import read_safetensors, write_safetensors
from dynode.settings import from_json, to_json

FORMAT = "dynode-pixels-1"


def hold(observed: ObservedFrames, ts) -> torch.Tensor:
    """The last observed frame, (T, 3, R, R) for times ts (T,) in seconds."""
    ts = torch.as_tensor(ts, dtype=torch.float64)
    return observed.images[(torch.searchsorted(observed.ts, ts, right=True) - 1).clamp(min=0)]


def cross_fade(observed: ObservedFrames, ts) -> torch.Tensor:
    """Neighbouring observed frames, mixed in proportion to time; beyond the ends the last one stands still."""
    return Neighbours.of(observed.images, observed.taus(observed.ts), observed.taus(ts)).cross_fade()


UNLEARNED = {"hold[pixels]": hold, "linear[pixels]": cross_fade}


@dataclass
class PixelModel:
    """A trained pixel model: `model(observed, ts)` gives frames (T, 3, R, R) in [-1, 1] at times ts (T,) in seconds.

    log: seconds of training, seconds of rendering its training episodes, parameters, iterations, loss.
    """

    network: PixelODE
    log: dict = field(default_factory=dict)

    @property
    def settings(self) -> PixelSettings:
        return self.network.settings

    @torch.no_grad()
    def __call__(self, observed: ObservedFrames, ts) -> torch.Tensor:
        times, back = torch.unique(observed.taus(ts), return_inverse=True)
        return self.network(observed.images, observed.taus(observed.ts), times).clamp(-1, 1)[back]

    def save(self, path: Path) -> Path:
        """Write weights, settings and log as safetensors, atomically."""
        rest = {"settings": to_json(self.settings), "log": self.log}
        write_safetensors(path, self.network.state_dict(), FORMAT, rest=rest)
        return path

    @classmethod
    def load(cls, path: Path) -> "PixelModel":
        """Read it back.  Raises UserError when the file is missing or something else."""
        tensors, metadata = read_safetensors(path, FORMAT, "a pixel model")
        rest = json.loads(metadata["rest"])
        network = PixelODE(from_json(PixelSettings, rest["settings"]), tensors["mean"])
        network.load_state_dict(tensors)
        return cls(network.eval().requires_grad_(False), rest["log"])
