"""Fits as files: every kind of learned path writes its tensors and one JSON text for each shot."""

import json
from importlib import import_module
from pathlib import Path

import torch
from safetensors.torch import save_file

from dynode.clips import Clip
from dynode.dynamics.trajectory import Shots
from dynode.errors import UserError
from dynode.io import files
from dynode.io.tensor_files import read_safetensors
from dynode.io.training_state import part

FORMAT = "dynode-fit-5"
KINDS = {  # by the `kind` in the text: the class, with packed() -> (tensors, text) and unpacked(tensors, rest)
    "neural_ode": ("dynode.dynamics.neural_ode", "NeuralODE"),
    "relative": ("dynode.dynamics.baselines.sequence_models", "RelativePath"),
    "prior": ("dynode.dynamics.baselines.motion_prior", "PriorPath"),
}


def shots_of(fit) -> list:
    """The fits of the shots of a clip: one, unless the clip has cuts."""
    return fit.shots if isinstance(fit, Shots) else [fit]


def save(fit, path: Path | str) -> Path:
    """Write what `unpacked` needs of every shot as safetensors, atomically."""
    tensors, metadata = {}, {"format": FORMAT}
    for k, shot in enumerate(shots_of(fit)):
        parts, metadata[f"shot{k}"] = shot.packed()
        tensors |= {f"shot{k}.{name}": tensor.contiguous() for name, tensor in parts.items()}
    with files.written_whole(Path(path)) as scratch:
        save_file(tensors, scratch, metadata)
    return Path(path)


def load(path: Path | str):
    """Read a fit.  Raises UserError when the file is missing or something else."""
    tensors, metadata = read_safetensors(Path(path), FORMAT, "a fit (as `dynode fit` writes it)")
    try:
        names = sorted((key for key in metadata if key != "format"), key=lambda key: int(key.removeprefix("shot")))
        shots = [unpacked(part(tensors, f"{name}."), json.loads(metadata[name])) for name in names]
        return shots[0] if len(shots) == 1 else Shots(shots)
    except (LookupError, TypeError, ValueError, RuntimeError):  # tensors or metadata are missing or do not fit
        raise UserError(f"{path} is a fit that is damaged or of another version: fit the clip again.") from None


def unpacked(tensors: dict[str, torch.Tensor], rest: dict):
    module, name = KINDS[rest["kind"]]
    return getattr(import_module(module), name).unpacked(tensors, rest)


PARTS = {"field": "field", "model": "field", "space": "space"}  # of the names in a file; the rest are starts


def numbers(fit) -> dict[str, int]:
    """How many numbers a fit is made of: its "field" (all that was learned), "space" (mean code and basis), "start"."""
    found = dict.fromkeys(("field", "space", "start"), 0)
    for shot in shots_of(fit):
        for name, tensor in shot.packed()[0].items():
            found[PARTS.get(name.split(".")[0], "start")] += tensor.numel()
    return found


def halved(fit):
    """The fit that is left of one whose every number is stored in half precision: two bytes each."""
    left = []
    for shot in shots_of(fit):
        tensors, text = shot.packed()
        tensors = {k: v.half().to(v.dtype) if v.is_floating_point() else v for k, v in tensors.items()}
        left.append(unpacked(tensors, json.loads(text)))
    return left[0] if len(left) == 1 else Shots(left)


def described(clip: Clip, seed: int) -> dict:
    """What a fit says of where it comes from."""
    keys = ("name", "generator", "generator_hash", "source_sha256")
    return {
        "seed": seed,
        "clip": {key: clip.meta.get(key, "") for key in keys},
        "ts": clip.ts.tolist(),
        "observed": clip.observed.tolist(),
    }
