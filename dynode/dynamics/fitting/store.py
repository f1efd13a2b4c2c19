"""A cache of fits on disk, keyed by clip, settings, seed and source code; an interrupted run resumes from its checkpoint."""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.fitting import batched, checkpoints
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.registry import Method
from dynode.dynamics.trajectory import Trajectory
from dynode.io import names, source_code
from dynode.settings import to_json


def source_hash() -> str:
    """The hash of the code that fits depend on: part of a fit's key.  Comments and moved functions do not change it."""
    return source_code.hash_of("dynode.dynamics.methods")


def key_of(clip: Clip, settings: Any, seed: int) -> str:
    """Sixteen hex digits: a hash of codes, times, observed frames, generator, settings, seed, source code, and what else the method
    reads, such as the tuning whose images it is fitted to."""
    method = methods.resolved(settings)[0]
    parts = [to_json(settings), seed, source_hash(), *plugin_hashes(method), method.inputs(clip, settings)]
    if methods.in_images(settings) and "tuning" in clip.meta:
        parts.append(clip.meta["tuning"]["hash"])
    digest = hashlib.sha256(json.dumps([*parts, clip.meta.get("name"), clip.meta.get("generator_hash")]).encode())
    for tensor in (clip.ws, clip.ts, clip.observed):
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def plugin_hashes(method: Method) -> list[str]:
    """Hashes of the files of a method's modules that lie outside this package."""
    foreign = sorted(name for name in method.modules if name.partition(".")[0] != source_code.NAME)
    files = [getattr(sys.modules.get(name), "__file__", None) for name in foreign]
    return [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files if file]


def fit_to_file(
    path: Path,
    clip: Clip,
    method: str | Any = "dynode",
    seed: int = 0,
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> Trajectory:
    """Fit a method and write it to `path`; after an interruption the same call resumes from its checkpoint.

    Raises what `dynode.dynamics.methods.fit` raises, and UserError when `path` cannot be written: then the checkpoint stays.
    """
    checkpoint = names.beside(path, ".checkpoint")
    with checkpoints.noting_what_is_kept(checkpoint):
        fitted = methods.fit(clip, method, seed=seed, device=device, progress=progress, checkpoint=checkpoint)
        fitted.save(path)
    checkpoints.forget(checkpoint, len(fitted.shots))
    return fitted


class FitStore:
    """Fits in a folder, one file each; methods without settings are fitted at every call, which takes no time."""

    def __init__(self, folder: Path, device: torch.device | str = "cpu", progress: bool = False):
        self.folder, self.device, self.progress = Path(folder), device, progress

    def path(self, clip: Clip, settings: Any, seed: int) -> Path:
        """The file of a fit."""
        return (
            self.folder
            / f"{names.short(clip.name)}.{names.slug(settings.preset)}.{key_of(clip, settings, seed)}.safetensors"
        )

    def fit(self, clip: Clip, method: str | Any = "dynode", seed: int = 0) -> Trajectory:
        """The trajectory of a method: read if it was fitted before, else fitted (from its checkpoint, if any) and written."""
        settings = methods.settings_of(method)
        if settings is None:
            return methods.fit(clip, method)
        path = self.path(clip, settings, seed)
        if not path.is_file():
            fit_to_file(path, clip, settings, seed, device=self.device, progress=self.progress)
        return fit_files.load(path)  # also of a new one, whose tensors lie otherwise in memory and round otherwise

    def fit_many(self, clips: Sequence[tuple[Clip, int]], method: str | Any = "dynode") -> list[Trajectory]:
        """The trajectories of (clip, seed) pairs; missing ones are fitted as one batched problem where possible."""
        settings = methods.settings_of(method)
        if isinstance(settings, DynamicsSettings) and batched.can_batch(settings):
            missing = {path: pair for pair in clips if not (path := self.path(pair[0], settings, pair[1])).is_file()}
            if missing:
                some, seeds = [clip for clip, _ in missing.values()], [seed for _, seed in missing.values()]
                for path, fit in zip(missing, batched.fit_batched(some, seeds, settings, self.device), strict=True):
                    fit.save(path)
        return [self.fit(clip, method, seed) for clip, seed in clips]
