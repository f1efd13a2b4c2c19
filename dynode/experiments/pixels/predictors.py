"""What is asked for frames at any time: a pixel model with the frames it sees, and the rivals that learn nothing."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file

from dynode.experiments.pixels.frames import Between, Seen
from dynode.experiments.pixels.model import PixelODE
from dynode.experiments.pixels.presets import PixelSettings
from dynode.io import files
from dynode.io.tensor_files import read_safetensors
from dynode.settings import from_json, to_json

FORMAT = "dynode-pixels-1"


def hold(seen: Seen, ts) -> torch.Tensor:
    """The last observed frame, (T, 3, R, R) for times ts (T,) in seconds."""
    ts = torch.as_tensor(ts, dtype=torch.float64)
    return seen.images[(torch.searchsorted(seen.ts, ts, right=True) - 1).clamp(min=0)]


def cross_fade(seen: Seen, ts) -> torch.Tensor:
    """Neighbouring observed frames, mixed in proportion to time; beyond the ends the last one stands still."""
    return Between.of(seen.images, seen.taus(seen.ts), seen.taus(ts)).faded()


UNLEARNED = {"hold[pixels]": hold, "linear[pixels]": cross_fade}


@dataclass
class PixelModel:
    """A trained pixel model: `model(seen, ts)` gives frames (T, 3, R, R) in [-1, 1] at times ts (T,) in seconds.

    log: seconds of training, seconds of drawing what it learned from, parameters, iterations, loss.
    """

    network: PixelODE
    log: dict = field(default_factory=dict)

    @property
    def settings(self) -> PixelSettings:
        return self.network.settings

    @torch.no_grad()
    def __call__(self, seen: Seen, ts) -> torch.Tensor:
        asked, back = torch.unique(seen.taus(ts), return_inverse=True)
        return self.network(seen.images, seen.taus(seen.ts), asked).clamp(-1, 1)[back]

    def save(self, path: Path) -> Path:
        """Write weights, settings and log as safetensors, atomically."""
        rest = {"settings": to_json(self.settings), "log": self.log}
        tensors = {key: value.contiguous() for key, value in self.network.state_dict().items()}
        with files.written_whole(path) as scratch:
            save_file(tensors, scratch, {"format": FORMAT, "rest": json.dumps(rest)})
        return path

    @classmethod
    def load(cls, path: Path) -> "PixelModel":
        """Read it back.  Raises UserError when the file is missing or something else."""
        tensors, metadata = read_safetensors(path, FORMAT, "a pixel model")
        rest = json.loads(metadata["rest"])
        network = PixelODE(from_json(PixelSettings, rest["settings"]), tensors["mean"])
        network.load_state_dict(tensors)
        return cls(network.eval().requires_grad_(False), rest["log"])
