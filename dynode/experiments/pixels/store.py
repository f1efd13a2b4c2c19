"""Pixel models kept in a folder: a killed run finds the finished ones, and continues the others."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dynode import worlds
from dynode.clips import Clip
from dynode.experiments.pixels.episodes import training_episodes
from dynode.experiments.pixels.frames import ObservedFrames
from dynode.experiments.pixels.predictors import PixelModel
from dynode.experiments.pixels.presets import PixelSettings
from dynode.experiments.pixels.training import PixelTrainer
from dynode.io import names, source_code
from dynode.settings import to_json

SOURCES = (
    "dynode.experiments.pixels.training",
    "dynode.experiments.pixels.episodes",
    "dynode.experiments.pixels.predictors",
)  # that determine a trained model
TrainingData = tuple[list[ObservedFrames], float]  # episodes, and the seconds that rendering them took


class PixelStore:
    """Trains pixel models into a folder, one file each."""

    def __init__(self, folder: Path, progress: bool = True):
        self.folder, self.progress = Path(folder), progress

    def model(self, clip: Clip, observed: ObservedFrames, settings: PixelSettings, seed: int = 0) -> PixelModel:
        """The model trained on these observed frames of the clip, or on other episodes of its world and kind."""
        if not settings.taught:
            content = observed.images.double().numpy().tobytes() + observed.ts.numpy().tobytes()
            return self.trained(
                self.path(clip.name, settings, seed, content), lambda: ([observed], 0.0), settings, seed
            )
        episode = clip.meta["episode"]
        choices: dict[str, Any] = {"frames": settings.frames, "rays": settings.rays, "seconds": episode["seconds"]}
        choices |= {"resolution": observed.images.shape[-1]}

        def load() -> TrainingData:
            folder, world = self.folder / "lessons", worlds.world(episode["world"])
            kind, number = episode["kind"], settings.episodes
            return training_episodes(world, kind, number, folder=folder, progress=self.progress, **choices)

        path = self.path(f"{episode['world']}.{episode['kind']}", settings, seed, str(choices).encode())
        return self.trained(path, load, settings, seed)

    def path(self, name: str, settings: PixelSettings, seed: int, content: bytes) -> Path:
        """The file of a model: its name has the hash of settings, seed, source code and training data."""
        job = f"{to_json(settings)} {seed} {source_code.hash_of(*SOURCES)}"
        key = hashlib.sha256(job.encode() + content).hexdigest()[:16]
        return self.folder / f"{name}.{settings.preset}.{key}.safetensors"

    def trained(self, path: Path, load: Callable[[], TrainingData], settings: PixelSettings, seed: int) -> PixelModel:
        """The model in the file, which is trained (from its checkpoint) and written where it does not exist."""
        if not path.is_file():
            episodes, drawing = load()
            trainer, checkpoint = PixelTrainer(episodes, settings, seed), names.beside(path, ".checkpoint")
            network = trainer.run(checkpoint, progress=self.progress)
            log = {"seconds": round(trainer.seconds, 2), "drawing": round(drawing, 2), "loss": trainer.loss}
            log |= {"parameters": sum(p.numel() for p in network.parameters()), "iterations": trainer.iteration}
            PixelModel(network, log).save(path)
            checkpoint.unlink(missing_ok=True)
        return PixelModel.load(path)
