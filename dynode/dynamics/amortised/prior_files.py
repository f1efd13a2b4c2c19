"""Files of the kernel of `prior` that clips of a category share: four numbers, the generator of the codes, a card."""

import json
from pathlib import Path
from typing import Any

from dynode.clips import Clip
from dynode.dynamics.baselines.motion_prior import Kernel
from dynode.errors import UserError
from dynode.io.tensor_files import read_safetensors, undamaged, write_safetensors

FORMAT = "dynode-amortised-prior-1"
WHAT = "a kernel learned across clips (as `dynode train dynamics WORLD -p network.model=prior` writes it)"


def save(kernel: Kernel, path: Path, generator: dict[str, str], card: dict[str, Any]) -> None:
    """Write a file, atomically.  generator: name and hash of whose codes it was learned on."""
    write_safetensors(path, {"theta": kernel.theta}, FORMAT, generator=generator, card=card)


def load(path: Path | str, clip: Clip) -> Kernel:
    """A stored kernel, for a clip.  Raises UserError for another file, and for one of other codes than the clip's."""
    tensors, metadata = read_safetensors(Path(path), FORMAT, WHAT)
    with undamaged(path, WHAT):
        owner, kernel = json.loads(metadata["generator"]), Kernel(tensors["theta"])
    if owner["hash"] != clip.meta.get("generator_hash"):
        raise UserError(f"{path} is of codes of {owner['name']} {owner['hash']}: {clip.name} has others.")
    return kernel
