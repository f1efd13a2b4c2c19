"""The format of fit files and reading them: safetensors with the tensors of every shot's trajectory, and a JSON text for each."""

import json
from pathlib import Path

import torch

from dynode.border import public
from dynode.dynamics.registry import METHODS
from dynode.dynamics.trajectory import FORMAT, Trajectory, joined
from dynode.errors import UserError
from dynode.io import code_files
from dynode.io.tensor_files import read_safetensors
from dynode.io.training_state import part


@public
def load(path: Path | str) -> Trajectory:
    """Read a fit.  Raises UserError when the file is missing or something else."""
    code_files.refuse_foreign(Path(path))
    tensors, metadata = read_safetensors(Path(path), FORMAT, "a fit (as `dynode fit` writes it)")
    try:
        names = sorted((key for key in metadata if key != "format"), key=lambda key: int(key.removeprefix("shot")))
        shots = [unpacked(part(tensors, f"{name}."), json.loads(metadata[name])) for name in names]
        return joined(shots)
    except (LookupError, TypeError, ValueError, RuntimeError):  # tensors or metadata are missing or do not fit
        raise UserError(f"{path} is a fit that is damaged or of another version: fit the clip again.") from None


def unpacked(tensors: dict[str, torch.Tensor], rest: dict) -> Trajectory:
    """The path of one shot, of the class that its kind names.  Raises KeyError for a kind that no method has."""
    kinds = {method.path.kind: method.path for method in METHODS.values()}
    return kinds[rest["kind"]].unpacked(tensors, rest)


PARTS = {"field": "field", "model": "field", "space": "space"}  # first part of a tensor's name; all others are "start"


def numbers(fit: Trajectory) -> dict[str, int]:
    """How many numbers a fit holds: in its "field" (everything learned), "space" (mean code, basis) and "start" (states)."""
    counts = {"field": 0, "space": 0, "start": 0}
    for shot in fit.shots:
        for name, tensor in shot.packed()[0].items():
            counts[PARTS.get(name.split(".")[0], "start")] += tensor.numel()
    return counts


def halved(fit: Trajectory) -> Trajectory:
    """The fit whose every number is rounded to half precision, two bytes each."""
    shots = []
    for shot in fit.shots:
        tensors, text = shot.packed()
        tensors = {k: v.half().to(v.dtype) if v.is_floating_point() else v for k, v in tensors.items()}
        shots.append(unpacked(tensors, json.loads(text)))
    return joined(shots)
