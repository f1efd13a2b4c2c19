"""Fits on disk: a run that was killed finds what it had finished, and a fit is made once."""

import hashlib
import json
from pathlib import Path

from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.fitting import batched, checkpoints
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.trajectory import Trajectory
from dynode.io import source_code
from dynode.settings import to_json


def source_hash() -> str:
    """The hash of what fits compute: a fit made by other code is not found again; comments and moves do not count."""
    return source_code.hash_of("dynode.dynamics.methods")


def key_of(clip: Clip, settings, seed: int) -> str:
    """Sixteen hex digits that stand for codes, times, observations, settings, seed and source."""
    digest = hashlib.sha256(json.dumps([to_json(settings), seed, source_hash(), clip.meta.get("name")]).encode())
    for tensor in (clip.ws, clip.ts, clip.observed):
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def fit_to_file(
    path: Path, name: str, clip: Clip, settings=None, seed: int = 0, *, device="cpu", progress: bool = False
) -> Trajectory:
    """Fit a learned method and write it to `path`; killed at any moment, the same call goes on from its checkpoint.

    Raises what `dynode.dynamics.fitting.trainer.fit` raises, and UserError when `path` cannot be written: the checkpoint stays then.
    """
    checkpoint = path.with_suffix(".checkpoint")
    fitted = methods.fit(name, clip, settings, seed, device=device, progress=progress, checkpoint=checkpoint)
    fit_files.save(fitted, path)
    checkpoints.forget(checkpoint, len(fit_files.shots_of(fitted)))
    return fitted


class FitStore:
    """Fits learned methods into a folder, one file each; interpolations are made anew, they cost nothing."""

    def __init__(self, folder: Path, device="cpu", progress: bool = False):
        self.folder, self.device, self.progress = Path(folder), device, progress

    def path(self, clip: Clip, settings, seed: int) -> Path:
        return self.folder / f"{clip.name}.{settings.preset}.{key_of(clip, settings, seed)}.safetensors"

    def fit_together(self, settings, shown: list[tuple[Clip, int]]) -> None:
        """Fit all clips with their seeds that are not there yet as one problem, where the settings allow that."""
        if not (isinstance(settings, DynamicsSettings) and batched.can(settings)):
            return
        paths = {self.path(clip, settings, seed): (clip, seed) for clip, seed in shown}
        missing = {path: one for path, one in paths.items() if not path.is_file()}
        fitted = (
            batched.fit(*zip(*missing.values(), strict=True), settings=settings, device=self.device) if missing else []
        )
        for path, fit in zip(missing, fitted, strict=True):
            fit_files.save(fit, path)

    def fit(self, name: str, clip: Clip, settings=None, seed: int = 0) -> Trajectory:
        """The trajectory of that method, read where it is there, else fitted (from its checkpoint) and written."""
        settings = settings or methods.LEARNED.get(name)
        if settings is None:
            return methods.fit(name, clip)
        path = self.path(clip, settings, seed)
        if not path.is_file():
            fit_to_file(path, name, clip, settings, seed, device=self.device, progress=self.progress)
        return fit_files.load(path)
